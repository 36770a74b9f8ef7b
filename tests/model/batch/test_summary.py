"""The page about a batch: its counts, its pictures, and that names cannot break it."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from model.__main__ import main
from model.batch.rows import COLUMNS
from model.batch.summary import (
    BINS,
    LEAST_CERTAIN,
    SHOWN_ERRORS,
    Tally,
    _bars,
    render,
    summarise,
    summary_path,
)
from model.batch.tables import write_rows
from model.config import CLASS_NAMES

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = sorted((ROOT / "data" / "samples").glob("*.png"))


def row(confidence: float = 0.9, **changes: Any) -> dict[str, Any]:
    shares = {f"probability_{name}": (1 - confidence) / 3 for name in CLASS_NAMES}
    known = {
        "path": str(SAMPLES[0]), "sha256": "a" * 64, "plane": None, "slice": None,
        "verdict": "Tumor: likely. Kind: glioma.", "finding": "tumor", "likelihood": "likely",
        "tumor_probability": confidence, "kind": "glioma",
        "label": "glioma", "confidence": confidence, **shares, "prediction_set": ["glioma"],
        "abstained": False, "reason": None, "in_distribution": True, "ood_score": 0.5,
        "ood_threshold": 1.0, "error": None, "model_sha256": "b" * 64,
    }  # fmt: skip
    return {name: (known | changes)[name] for name in COLUMNS}


def failed(error: str = "broken", **changes: Any) -> dict[str, Any]:
    return dict.fromkeys(COLUMNS) | {"path": "x.png", "error": error,
                                               "model_sha256": "b" * 64} | changes  # fmt: skip


def tally(*rows: dict[str, Any]) -> Tally:
    counted = Tally()
    assert list(counted.counted(rows)) == list(rows)
    return counted


def test_everything_is_counted_once() -> None:
    found = tally(
        row(1.0), row(0.26, label="pituitary", abstained=True, reason="torn"), failed(), row(0.99)
    )
    assert (found.rows, found.errors, found.abstained) == (4, 1, 1)
    assert found.labels == {"glioma": 2, "pituitary": 1}
    assert found.answered == {"glioma": 2}
    assert found.reasons == {"torn": 1}
    assert (found.bins[0], found.bins[-1], sum(found.bins)) == (1, 2, 3)


def test_the_least_certain_are_kept_in_order_and_no_more() -> None:
    shares = [0.3 + k / 1000 for k in range(500)]
    strange = row(0.26, in_distribution=False)  # its scores mean nothing
    found = tally(strange, *(row(share) for share in shares[::-1]))
    assert [one["confidence"] for one in found.least_certain()] == shares[:LEAST_CERTAIN]


def test_the_histograms_bars_are_as_high_as_their_counts() -> None:
    bars = _bars([0] * (BINS - 2) + [5, 10], height=100)
    assert [bar.height for bar in bars[-3:]] == [0, 50, 100]
    assert (bars[0].low, bars[-1].high) == pytest.approx((0.25, 1))
    assert all(one.x + one.width < two.x for one, two in itertools.pairwise(bars))


def test_the_page_loads_nothing_and_escapes_names() -> None:
    evil = '<script>alert("1")</script>.png'
    page = render(tally(row(path=evil), failed("<b>", path=evil)), "<out>.csv")
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 2
    assert "&lt;out&gt;.csv" in page
    assert "The picture is not there any more." in page
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)
    assert "Never for diagnosis" in page
    assert "b" * 64 in page


def test_the_histogram_is_named_and_described() -> None:
    page = render(tally(row(), row(0.5)), "x")
    svg = ElementTree.fromstring(re.search(r"<svg.*?</svg>", page, re.DOTALL)[0])  # type: ignore[index]
    assert svg.get("role") == "img"
    named = {part.get("id") for part in svg}
    assert set(str(svg.get("aria-labelledby")).split()) <= named
    assert len(svg.findall("rect")) == BINS
    assert "2 answers" in str(svg.findtext("desc"))


def test_pictures_come_from_the_sources_and_errors_are_cut_off() -> None:
    page = render(tally(row(), *(failed() for _ in range(SHOWN_ERRORS + 5))), "x")
    assert page.count('src="data:image/webp;base64,') == 1
    assert f"The first {SHOWN_ERRORS} of {SHOWN_ERRORS + 5}" in page
    assert page.count("x.png") == SHOWN_ERRORS


def test_below_a_picture_stands_the_end_of_its_path() -> None:
    path = "/a/long/way/" * 20 + "slice-0042.png"
    page = render(tally(row(path=path)), "x")
    (shown,) = re.findall(r'<span class="path" title="([^"]*)">([^<]*)</span>', page)
    assert shown == (path, f"…{path[-39:]}")
    assert 'title="a.png">a.png</span>' in render(tally(row(path="a.png")), "x")


def test_a_batch_of_nothing_has_a_page() -> None:
    page = render(tally(), "x")
    assert "It did not abstain here." in page
    assert "Least certain" not in page


def test_the_command_writes_beside_the_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows.csv"
    write_rows(out, [row(), failed()])
    assert main(["summary", str(out)]) == 0
    assert capsys.readouterr().out == f"written: {tmp_path / 'rows.html'}\n"
    assert "rows.csv" in (tmp_path / "rows.html").read_text(encoding="utf-8")
    assert summary_path(tmp_path / "folder") == tmp_path / "folder.html"


def test_what_is_no_output_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    for name in ("other.csv", "other.txt"):
        with pytest.raises(ValueError, match="must be an output of classify"):
            summarise(tmp_path / name)
