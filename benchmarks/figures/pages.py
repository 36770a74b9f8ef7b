"""Which page shows which figures: what stands between the markers of each, from the reports.

A page has a pair of markers, `<!-- NAME:begin -->` and `<!-- NAME:end -->`, for each of its parts.
MODEL_CARD.md is written as a whole from the template beside this module; its form follows Mitchell
et al. 2019, "Model cards for model reporting".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from benchmarks.figures import protocol_tables, scaling, serving_tables, style_tables, tables
from benchmarks.report import REPORTS, ROOT, read_report
from model.config import ARTIFACTS
from model.reports import looking

TEMPLATE = Path(__file__).with_name("model_card.md")


def parts() -> dict[Path, dict[str, str]]:
    """Markdown of each part of each page.

    Raises:
        OSError, KeyError, ValueError: A report is missing or lacks a figure.
    """
    evaluation, metadata = _artifact("evaluation"), _artifact("metadata")
    published, shortcuts, first = _published(), _report("shortcuts"), _report("first_release")
    docs = ROOT / "docs"
    return {
        ROOT / "README.md": {
            "finding": tables.finding(evaluation, first, shortcuts, published),
            "summary": tables.summary(evaluation, shortcuts),
        },
        docs / "results.md": {
            "other_collections": tables.other_collections(evaluation),
            "styles": tables.styles(evaluation),
            "protocols": protocol_tables.protocols(evaluation, published),
            "missed_and_alarms": protocol_tables.missed_and_alarms(evaluation),
            "accuracy": tables.accuracy(evaluation),
            "classes": tables.classes(evaluation),
            "shortcuts": tables.shortcuts(shortcuts),
            "style_link": style_tables.style_link(_report_if_any("style_link")),
            "leave_one_out": style_tables.leave_one_out(_report_if_any("leave_one_out")),
            "calibration": protocol_tables.calibration(evaluation),
            "trust": tables.trust(evaluation),
            "refusals": tables.refusals(_report("ood")),
        },
        docs / "heat-maps.md": {"heat_maps": tables.heat_maps(_report("heat_maps"))},
        docs / "deployment.md": {
            "serving": tables.serving(_report("serving")),
            "comparison": serving_tables.comparison(_report("comparison")),
            "engines": serving_tables.engines(_report("engines")),
            "endurance": serving_tables.endurance(
                _report("render_host"), _report("soak"), _report("fuzz")
            ),
            "study": serving_tables.study(_report("study")),
        },
        docs / "scaling.md": scaling.scaling(_report("batch")),
        docs / "training.md": {
            "training": tables.training(metadata, evaluation),
            "pipeline": scaling.pipeline(_report("input_pipeline")),
            "size": scaling.size(_report("training_at_size")),
        },
    }


def pages() -> dict[Path, str]:
    """The content that each page should have.

    Raises:
        OSError, KeyError, ValueError: As `parts`, or a page lacks a pair of markers.
    """
    written = {
        path: fill(path.read_text(encoding="utf-8"), found) for path, found in parts().items()
    }
    return {**written, ROOT / "MODEL_CARD.md": model_card()}


def fill(text: str, found: dict[str, str]) -> str:
    """`text` with the content between each pair of markers replaced.

    Raises:
        ValueError: A pair of markers is missing.
    """
    for name, content in found.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        before, opened, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (opened and closed):
            raise ValueError(f"The page must have the markers {begin} and {end}. Received: none")
        text = f"{before}{begin}\n{content}\n{end}{after}"
    return text


def model_card() -> str:
    """MODEL_CARD.md."""
    evaluation, metadata = _artifact("evaluation"), _artifact("metadata")
    shortcuts, report = _report("shortcuts"), _report("corruptions")
    corruptions = looking.corruptions(report)
    published, sets = _published(), evaluation["sets"]
    template = Environment(undefined=StrictUndefined, keep_trailing_newline=True).from_string(
        TEMPLATE.read_text(encoding="utf-8")
    )
    return template.render(
        name=metadata["name"],
        version=metadata["version"],
        sha256=metadata["files"][f"{metadata['name']}.tflite"]["sha256"],
        parameters=f"{metadata['parameters']:,}",
        training=tables.training(metadata, evaluation),
        collections=tables.collections(metadata),
        copied=f"{sets['test_images_with_copy_in_training']:,}",
        test_images=f"{sets['test_images']:,}",
        finding=tables.finding(evaluation, _report("first_release"), shortcuts, published),
        protocols=protocol_tables.protocols(evaluation, published),
        other_collections=tables.other_collections(evaluation),
        missed_and_alarms=protocol_tables.missed_and_alarms(evaluation),
        accuracy=tables.accuracy(evaluation),
        classes=tables.classes(evaluation),
        shortcuts=tables.shortcuts(shortcuts),
        calibration=protocol_tables.calibration(evaluation),
        trust=tables.trust(evaluation),
        rule=evaluation["finding"]["rule"],
        refusals=tables.refusals(_report("ood")),
        corruptions=tables.corruptions(corruptions),
        corrupted=f"{report['images']['corrupted']:,}",
        worst=corruptions.worst.replace("_", " "),
        mirrored=tables.share_of(corruptions.mirrored),
        heat_map=shortcuts["heat_maps"]["default"],
    )


def _report(name: str) -> Any:
    return read_report(REPORTS / f"{name}.json")


def _report_if_any(name: str) -> Any:
    return _report(name) if (REPORTS / f"{name}.json").exists() else None


def _artifact(name: str) -> Any:
    return read_report(ARTIFACTS / f"{name}.json")


def _published() -> Any:
    return read_report(ROOT / "benchmarks" / "published.json")
