"""Tables of reports made here, whose figures are easy to follow."""

from __future__ import annotations

from typing import Any

from benchmarks.figures import protocol_tables, tables
from model.config import CLASS_NAMES
from model.reports.elsewhere import FIGURES


def cells(text: str) -> list[list[str]]:
    """The cells of a Markdown table, head first, without the line below the head."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    assert set(rows.pop(1)) == {"---"}
    assert len({len(row) for row in rows}) == 1
    return rows


def figures(correct: int, images: int) -> dict[str, Any]:
    right = correct / images
    unknown = {"support": 0, "precision": None, "recall": None, "f1": None}
    classes = dict.fromkeys(CLASS_NAMES, unknown) | {
        "glioma": unknown | {"recall": right / 2}, "notumor": unknown | {"recall": right},
    }  # fmt: skip
    return {
        "images": images, "correct": correct, "accuracy": right, "balanced_accuracy": right / 2,
        "accuracy_95": [right - 0.01, right + 0.01], "classes": classes,
        "confusion": [[0] * 4] * 4,
    }  # fmt: skip


def share(count: int, images: int = 100) -> dict[str, Any]:
    right = count / images
    return {"count": count, "images": images, "share": right, "interval_95": [right, right]}


def test_the_finding_is_one_paragraph_of_measured_figures() -> None:
    official = {"test_with_copy_in_training": figures(79, 80), "test_unseen": figures(18, 20)}
    now = dict.fromkeys((*FIGURES, "balanced"), 0.5)
    now |= {"sensitivity": 0.82, "specificity": 0.93, "missed_with_certainty": 0.012}
    evaluation = {
        "sets": {"test_images": 1100, "test_images_with_copy_in_training": 1080},
        "protocols": {"official": {"runs": [official]}},
        "other_collections": {
            "images": 9, "people": 3, "sets": {}, "styles": [], "mean": now, "mean_95": {}
        },
    }  # fmt: skip
    first = {
        "mean": {"sensitivity": 0.45, "specificity": 0.71, "missed_with_certainty": 0.27},
        "official": {"accuracy": 0.991},
    }
    shortcuts = {
        "painted_out": {"to_notumor": {"all": share(66)}},
        "heat_maps": {"default": "x", "methods": {"x": {"hits": {"all": share(89)}}}},
    }
    published = [
        {"protocol": "official (leaked)", "accuracy": "99.85%"},
        {"protocol": "official (leaked)", "accuracy": "99.08%"},
        {"protocol": "partly leaked", "accuracy": "98.83%"},
    ]
    text = tables.finding(evaluation, first, shortcuts, published)
    assert "\n" not in text
    for said in (
        "99.08 to 99.85% of the test images", "1,080 of those 1,100 images", "98.8% of these right",
        "90.0% of the others", "had 99.1% of the test images", "found 45% of the tumors",
        "27% of them with *no tumor*", "now finds 82%", "spares 93%", "(before: 71%)",
        "misses 1.2%", "in 66% of cases", "in 89%.",
    ):  # fmt: skip
        assert said in text


def test_protocols_begin_with_the_honest_estimate_and_end_with_published_ones() -> None:
    runs = [{"seed": 1, "recipe": "one run", "test": figures(90, 100)}]
    earlier = [{"seed": 2, "recipe": "first release", "test": figures(70, 100)}]
    official = [
        {
            "seed": 1,
            "recipe": "one run",
            "test": figures(98, 100),
            "test_with_copy_in_training": figures(79, 80),
            "test_unseen": figures(19, 20),
        }
    ]
    grouped = {
        "runs": earlier, "folds_wanted": 5, "pooled": figures(880, 1000),
        "accuracy": 0.879, "accuracy_sd": 0.02,
        "balanced_accuracy": 0.43, "balanced_accuracy_sd": None,
    }  # fmt: skip
    evaluation = {
        "protocols": {
            "official": {"runs": official},
            "clean": {"runs": runs},
            "grouped": grouped,
        }
    }
    published = [{"model": "Big", "protocol": "official (leaked)", "accuracy": "99.85%"}]
    rows = cells(protocol_tables.protocols(evaluation, published))[1:]
    assert [row[0].split(",")[0] for row in rows] == ["ours"] * 5 + ["published: Big"]
    assert rows[0][0] == "ours, five-fold (1 of 5), first release's recipe"
    assert rows[0][3] == "**88.00%** (folds: 87.90% ± 2.00%)"
    assert rows[0][5] == "44.00%"
    assert rows[1][2:4] == ["100", "**90.00%**"]
    assert rows[1][6] == "glioma 45.0%"
    assert rows[1][0] == "ours, trained for `clean`"
    assert "leaked" in rows[2][1]
    assert [row[2] for row in rows[2:5]] == ["100", "80", "20"]
    assert rows[5][3] == "99.85%"


def test_a_protocol_that_was_not_run_has_no_row() -> None:
    assert len(cells(protocol_tables.protocols({"protocols": {}}, []))) == 1
    assert len(cells(protocol_tables.calibration({"protocols": {}}))) == 1


def test_seeds_have_a_mean_and_a_row_each() -> None:
    runs = [{"seed": k, "recipe": "one run", "test": figures(90 + k, 100)} for k in (2, 4)]
    clean = {
        "runs": runs, "accuracy": 0.93, "accuracy_sd": 0.0141,
        "balanced_accuracy": 0.465, "balanced_accuracy_sd": 0.007,
    }  # fmt: skip
    rows = cells(protocol_tables.protocols({"protocols": {"clean": clean}}, []))[1:]
    assert [row[0] for row in rows] == [
        "ours, trained for `clean`, mean of 2 seeds", "ours, trained for `clean`, seed 2",
        "ours, trained for `clean`, seed 4",
    ]  # fmt: skip
    assert rows[0][3] == "**93.00% ± 1.41%**"
    assert rows[0][5] == "46.50% ± 0.70%"
    assert rows[0][6] == "glioma 46.5%"
    assert [row[3] for row in rows[1:]] == ["**92.00%**", "**94.00%**"]


def test_calibration_by_protocol_leaves_out_what_was_not_measured() -> None:
    def calibrated(images: int, ece: float) -> dict[str, Any]:
        found = {"images": images, "adaptive_ece": 0.011, "brier": 0.0812}
        both = {"before": {**found, "ece": 2 * ece}, "after": {**found, "ece": ece}}
        return figures(9, 10) | {"calibration": both}

    def run(seed: int, **parts: Any) -> dict[str, Any]:
        return {"seed": seed, "recipe": "one run", "temperature": 1.234, **parts}

    pooled = {"images": 7019, "ece": 0.031, "brier": 0.0999}
    found = {
        "grouped": {"pooled": {"calibration": pooled}, "runs": [{"recipe": "first release"}]},
        "clean": {
            "runs": [run(1, test=figures(9, 10)), run(2, test=calibrated(1311, 0.0123))],
        },
        "official": {
            "runs": [run(1, test=calibrated(1311, 0.005), test_unseen=calibrated(322, 0.02))]
        },
    }
    rows = cells(protocol_tables.calibration({"protocols": found}))[1:]
    assert rows[0][1:] == ["7,019", "none fitted", "3.1%", "", "", "0.100"]
    assert [row[0] for row in rows[1:]] == [
        f"{protocol_tables.CLEAN}, seed 2", "official (**leaked**)",
        f"official, {tables.SETS['test_unseen']}",
    ]  # fmt: skip
    assert rows[1][1:] == ["1,311", "1.23", "2.5%", "1.2%", "1.1%", "0.081"]
    assert rows[3][1:5] == ["322", "1.23", "4.0%", "2.0%"]


def test_trust_tells_findings_and_kinds() -> None:
    before, after = ({"images": 10, "ece": e, "brier": 10 * e} for e in (0.03, 0.01))
    finding = {"images": 10, "answered": 0.9, "right_of_answered": 0.955}
    kinds = {"clear": 0.5, "right_of_clear": None}
    evaluation = {
        "calibration": {"sets": {"test": {"before": before, "after": after}}},
        "finding": {"sets": {"test": finding}},
        "kinds": {"sets": {"test": kinds}},
        "ood": {"sets": {"test": {"kept": 0.99}}},
    }
    (row,) = cells(tables.trust(evaluation))[1:]
    assert row[1:] == ["3.0%", "1.0%", "0.100", "99.0%", "90.0%", "95.50%", "50.0%", "none"]


def elsewhere(styles: list[dict[str, Any]]) -> dict[str, Any]:
    """The report of a collection without tumors."""
    figures: dict[str, float | None] = dict.fromkeys((*FIGURES, "balanced"), 0.5)
    healthy = figures | {"sensitivity": None, "images": 10, "people": 3}
    return {
        "other_collections": {
            "images": 30, "people": 9, "sets": {"old-t1": healthy}, "styles": styles,
            "mean": figures | {"auroc": None}, "mean_95": {key: [0.4, 0.61] for key in figures},
        }
    }  # fmt: skip


def test_other_collections_end_with_their_mean() -> None:
    rows = cells(tables.other_collections(elsewhere([])))[1:]
    assert rows[0] == ["old-t1", "10 of 3", "none", *["50.0%"] * 6]
    assert rows[1][:3] == ["**mean over sets**", "30 of 9", "**50.0%** (40% to 61%)"]
    assert rows[1][4] == "none"


def test_styles_tell_where_it_works() -> None:
    row = {"contrast": "T1", "plane": "axial", "images": 10, "people": 3}
    found = [
        row | {"stripped": False, "sensitivity": 0.75, "specificity": None},
        row | {"stripped": True, "sensitivity": None, "specificity": 1.0},
    ]
    rows = cells(tables.styles(elsewhere(found)))[1:]
    assert rows[0] == ["T1, axial", "10 of 3", "75.0%", "none"]
    assert rows[1] == ["T1, axial, without skull", "10 of 3", "none", "100.0%"]


def test_the_two_numbers_of_each_protocol() -> None:
    matrix = [[8, 1, 1, 0], [2, 7, 3, 0], [1, 0, 18, 1], [0, 0, 0, 5]]
    test = {"confusion": matrix}
    evaluation = {
        "protocols": {
            "grouped": {"pooled": test},
            "clean": {"runs": [{"seed": 3, "test": test}]},
        }
    }
    rows = cells(protocol_tables.missed_and_alarms(evaluation))[1:]
    assert rows[0] == [
        "grouped: new patients", "14.8% (4 of 27; 95%: 6% to 32%)",
        "10.0% (2 of 20; 95%: 3% to 30%)",
    ]  # fmt: skip
    assert rows[1][0].endswith("seed 3")


def test_refusals_add_up_held_out_sources_by_kind() -> None:
    def source(part: str, kind: str, pictures: int, refused: float) -> dict[str, Any]:
        return {"part": part, "kind": kind, "pictures": pictures, "refused": refused}

    report = {
        "sources": {
            "a": source("held_out", "photograph", 10, 1.0),
            "b": source("held_out", "photograph", 30, 0.9),
            "c": source("held_out", "drawing", 4, 0.5),
            "d": source("development", "photograph", 99, 1.0),
        },
        "summary": {"held_out": {"pictures": 44, "refused": 39 / 44, "auroc": 0.99871}},
        "refused_of_near_cases": {},
    }
    rows = cells(tables.refusals(report))[1:]
    assert rows[:2] == [["drawing", "2 of 4"], ["photograph", "37 of 40"]]
    assert rows[2][1].startswith("88.6% of 44")
    assert rows[3][1].startswith("0.9987")


def trained(**images: int) -> dict[str, Any]:
    """Metadata of a run with the given numbers of images of other collections."""
    config = {"epochs": 20, "collection_share": 0.26, "graft_share": 0.16, "phantom_share": 0.14}
    others = {"sha256": "0", "images": images} if images else {}
    data = {"training": 5312, "outlined": 3600, "validation": 396, "collections": others}
    return {"training": {"machine": "A", "precision": "bf16", "config": config, "data": data}}


def test_training_says_what_was_drawn_and_from_what() -> None:
    found = tables.training(trained(web=176, ours=1024), {"machine": "C"})
    assert "one run of 20 epochs on 5,312 images (3,600 of them with a tumor outline" in found
    assert "on 1,200 images of 2 other collections, on A (bf16); evaluated on C." in found
    for said in ("44% are images of the dataset", "26% of other", "16% grafts", "14% synthetic"):
        assert said in found
    assert "validation), on A (bf16)" in tables.training(trained(), {"machine": "C"})


def test_other_collections_are_named_with_source_and_licence() -> None:
    web, ours = cells(tables.collections(trained(web=176, ours=1024)))[1:]
    assert web[:2] == ["web", "176"]
    assert "Br35H" in web[3]
    assert web[4] == "not stated"
    assert ours == ["ours", "1,024", "", "not public", ""]
    assert len(cells(tables.collections(trained()))) == 1
