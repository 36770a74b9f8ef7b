"""The page that judges the network on labelled pictures, by the stub that tells drawn images."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from model.judge.copies import Known, both_signatures
from model.preprocessing import load_image
from web.pages import judge


def sent(client: FlaskClient, files: dict[str, bytes]) -> list[dict[str, Any]]:
    data = {"file": [(io.BytesIO(content), name) for name, content in files.items()]}
    answer = client.post("/judge/cases", data=data, content_type="multipart/form-data")
    assert answer.status_code == 200
    cases: list[dict[str, Any]] = answer.get_json()["cases"]
    return cases


def judged(client: FlaskClient, cases: list[dict[str, Any]]) -> Any:
    return client.post(
        "/judge/report",
        json={
            "name": "mine",
            "cases": [case for case in cases if "error" not in case],
            "errors": [case for case in cases if "error" in case],
        },
    )


@pytest.fixture
def pictures(gallery_dir: Path) -> dict[str, bytes]:
    """A picture in each of three folders, and two that give no case."""
    glioma = (gallery_dir / "glioma-00.png").read_bytes()
    healthy = (gallery_dir / "notumor-00.png").read_bytes()
    return {
        "mine/Glioma/1.png": glioma,
        "mine/no_tumor/2.png": glioma,  # the mistake
        "mine/healthy/3.png": healthy,
        "mine/yes/damaged.png": glioma[:90],
        "mine/4.png": healthy,
    }


def test_the_page_names_the_folders_and_what_is_allowed(client: FlaskClient) -> None:
    page = client.get("/judge").text
    assert "glioma, gliomas, gliomatumor" in page
    assert f'data-max-cases="{judge.MAX_CASES}"' in page


def test_each_picture_is_a_case_or_says_why_not(
    client: FlaskClient, pictures: dict[str, bytes]
) -> None:
    right, wrong, healthy, damaged, loose = sent(client, pictures)
    assert (right["label"], right["said"], right["name"]) == (0, 0, "mine/Glioma/1.png")
    assert (wrong["label"], wrong["said"]) == (2, 0)
    assert (healthy["label"], healthy["said"]) == (2, 2)
    assert right["tumor"] == pytest.approx(1 - right["probabilities"][2])
    assert right["copy_of"] is None
    assert "error" in damaged
    assert "must lie in a class folder" in loose["error"]


def test_a_copy_of_a_training_image_is_counted_apart(
    client: FlaskClient, pictures: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    plain = both_signatures(load_image(pictures["mine/Glioma/1.png"]))["plain"]
    row = np.frombuffer(bytes.fromhex(plain), np.uint8)
    file = "Training/glioma/Tr-gl_0010.jpg"
    monkeypatch.setattr(judge, "_known", lambda: (Known((file,), row[np.newaxis]), {file: file}))
    cases = sent(client, pictures)
    assert [case.get("copy_of") for case in cases[:3]] == [file, file, None]
    figures = judged(client, cases).get_json()["figures"]
    assert figures["copies"]["images"] == 2
    assert figures["new"]["images"] == 1


def test_the_report_counts_what_was_sent(client: FlaskClient, pictures: dict[str, bytes]) -> None:
    answer = judged(client, sent(client, pictures))
    assert answer.status_code == 200
    figures, page = answer.get_json()["figures"], answer.get_json()["page"]
    assert (figures["images"], figures["not_readable"]) == (3, 2)
    assert figures["new"]["sensitivity"]["right"] == figures["new"]["sensitivity"]["of"] == 1
    assert (figures["new"]["specificity"]["right"], figures["new"]["specificity"]["of"]) == (1, 2)
    assert [mistake["file"] for mistake in figures["mistakes"]] == ["mine/no_tumor/2.png"]
    assert page.startswith("<!doctype html>")
    assert page.count("data:image/webp;base64,") == 1
    assert "must lie in a class folder" in page


@pytest.mark.parametrize(
    "change",
    [
        {"label": 5},
        {"said": "glioma"},
        {"probabilities": [0.5, 0.5]},
        {"tumor": 1.5},
        {"picture": "https://example.org/x.webp"},
        {"picture": 'data:image/webp;base64,AA" onerror="x'},
        {"contrast": "<b>"},
        {"more": 1},
    ],
)
def test_a_case_that_is_none_is_refused(
    client: FlaskClient, pictures: dict[str, bytes], change: dict[str, Any]
) -> None:
    (case, *_) = sent(client, pictures)
    answer = judged(client, [case | change])
    assert answer.status_code == 400
    assert "must be as the page sends it" in answer.text


def test_a_report_of_nothing_or_of_too_much_is_refused(
    client: FlaskClient, pictures: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    (case, *_) = sent(client, pictures)
    assert judged(client, []).status_code == 400
    assert judged(client, [case] * (judge.MAX_CASES + 1)).status_code == 400
    assert client.post("/judge/report", data=b"{").status_code == 400


def test_a_name_is_text_in_the_report(client: FlaskClient, pictures: dict[str, bytes]) -> None:
    (case, *_) = sent(client, pictures)
    answer = judged(client, [case | {"name": "<script>alert(1)</script>", "label": 2}])
    assert "<script>alert" not in answer.get_json()["page"]
