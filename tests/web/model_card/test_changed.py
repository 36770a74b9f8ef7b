"""The page Model changes with its reports: protocols, calibration, training, curves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.config import CLASS_NAMES
from tests.web.html import text_of
from tests.web.model_card.pages import PageWith, part_of, part_text


@pytest.mark.parametrize(
    ("section", "name", "edit", "shown"),
    [
        ("facts", "evaluation",
         lambda r: r["files"]["litert"]["test_unseen"].update(accuracy=0.1234), "12.3 %"),
        ("facts", "metadata", lambda r: r.update(parameters=12345), "12,345 parameters"),
        ("data", "audit",
         lambda r: r["test"]["with_copy_in_training"].update(all=77), "77 of 1,311 test images"),
        ("training", "metadata",
         lambda r: r["training"]["config"].update(phantom_share=0.77), "77 % are phantoms"),
        ("calibration", "evaluation",
         lambda r: r["calibration"]["sets"]["test_unseen"]["after"].update(ece=0.2468), "24.7 %"),
        ("others", "evaluation",
         lambda r: r["other_collections"]["mean"].update(sensitivity=0.4321), "43.2 %"),
        ("abstaining", "evaluation", lambda r: r["calibration"].update(ceiling=0.4567), "45.7 %"),
        ("abstaining", "ood", lambda r: r["summary"]["held_out"].update(refused=0.4321), "43.2 %"),
        ("looking", "shortcuts", lambda r: r["bars"].update(pairs_both_right=0.1),
         "Phantom twins aim met"),
        ("corruptions", "corruptions", lambda r: r["clean"].update(share=0.3456), "34.6 %"),
    ],
)  # fmt: skip
def test_a_changed_report_changes_the_page(
    card_page: Callable[[], str],
    page_with: PageWith,
    section: str,
    name: str,
    edit: Callable[[Any], object],
    shown: str,
) -> None:
    assert shown not in part_text(card_page(), section)
    assert shown in part_text(page_with(name, edit), section)


def test_protocols_appear_once_they_are_measured(page_with: PageWith) -> None:
    def forget(evaluation: Any) -> None:
        for name in ("grouped", "clean"):
            evaluation["protocols"].pop(name, None)

    assert "Not measured yet: new patients, in cross-validation; a network trained" in text_of(
        page_with("evaluation", forget)
    )

    def measure(evaluation: Any) -> None:
        run = evaluation["protocols"]["official"]["runs"][0] | {"seed": 3, "recipe": "one run"}
        old = run | {"recipe": "first release"}
        run["test"] |= {"correct": 1293, "accuracy": 0.9863, "balanced_accuracy": 0.9851}
        recalls = dict(zip(CLASS_NAMES, (0.9667, 0.98, 1.0, 0.99), strict=True))
        for name, figures in run["test"]["classes"].items():
            figures["recall"] = recalls[name]
        pooled = {**run["test"], "accuracy": 0.8765}
        clean = {**run, "test": {**run["test"], "accuracy": 0.9123}}
        evaluation["protocols"]["grouped"] = {
            "folds_wanted": 5, "pooled": pooled,
            "runs": [old | {"protocol": f"fold-{k}"} for k in range(3)],
            "accuracy": 0.8754, "accuracy_sd": 0.0321,
            "balanced_accuracy": 0.8642, "balanced_accuracy_sd": 0.0213,
        }  # fmt: skip
        evaluation["protocols"]["clean"] = {"runs": [clean, {**clean, "seed": 8}]}

    page = page_with("evaluation", measure)
    results = part_text(page, "results")
    assert "New patients: 3 of 5 folds first release’s recipe 1,293 of 1,311 87.6 %" in results
    assert "First release’s recipe: networks trained as in the first release" in results
    assert "fold-2 1,293 of 1,311 98.6 % 98.5 % Glioma 96.7 %" in results
    assert "Mean, and standard deviation 87.5 % ± 3.2 % 86.4 % ± 2.1 %" in results
    assert "Trained without a copy of any test image seed 3 1,293 of 1,311 91.2 %" in results
    assert "Trained without a copy of any test image seed 8" in results
    assert "Not measured yet" not in results
    facts = part_text(page, "facts")
    assert "never met cross-validation, 3 of 5 folds, first release’s recipe 87.6 %" in facts
    assert "no patient is on both sides, 87.6 % of the answers are right" in part_text(
        page, "limits"
    )


def test_calibration_by_protocol_shows_what_was_measured(page_with: PageWith) -> None:
    def measure(evaluation: Any) -> None:
        protocols = evaluation["protocols"]
        run = protocols["official"]["runs"][0] | {"recipe": "one run"}
        protocols["grouped"]["runs"][0]["recipe"] = "first release"
        found = {"images": 1311, "ece": 0.0412, "adaptive_ece": 0.04, "brier": 0.0567}
        both = {"before": found, "after": found | {"ece": 0.0123}}
        other = {k: v for k, v in run["test"].items() if k != "calibration"}
        protocols["clean"] = {
            "runs": [run | {"seed": 8, "test": run["test"] | {"calibration": both}},
                     run | {"seed": 9, "test": other}],
        }  # fmt: skip
        protocols["grouped"]["pooled"]["calibration"] = found | {"images": 7019, "ece": 0.0345}

    page = part_text(page_with("evaluation", measure), "calibration")
    assert "New patients, fold by fold first release’s recipe 7,019 3.4 % none 0.057" in page
    assert "copy of any test image seed 8 1,311 4.1 % 1.2 % 0.057" in page
    assert "seed 9" not in page

    def forget(evaluation: Any) -> None:
        evaluation["protocols"] = {}

    assert "Mean gap as trained" not in part_text(page_with("evaluation", forget), "calibration")


def test_a_single_fold_has_no_spread(page_with: PageWith) -> None:
    def measure(evaluation: Any) -> None:
        run = evaluation["protocols"]["official"]["runs"][0]
        evaluation["protocols"]["grouped"] = {
            "folds_wanted": 5, "pooled": run["test"], "runs": [run | {"protocol": "fold-0"}],
            "accuracy": 0.8754, "accuracy_sd": None,
            "balanced_accuracy": 0.8642, "balanced_accuracy_sd": None,
        }  # fmt: skip

    results = part_text(page_with("evaluation", measure), "results")
    assert "New patients: 1 of 5 folds" in results
    assert "Mean, and standard deviation 87.5 % 86.4 %" in results


def test_training_says_what_was_drawn_and_names_the_other_collections(page_with: PageWith) -> None:
    def retrain(metadata: Any) -> None:
        run = metadata["training"]
        run["config"].update(
            epochs=20, collection_share=0.26, graft_share=0.16, phantom_share=0.14,
            paint_out_share=0.15, control_share=0.12,
        )  # fmt: skip
        run["data"]["collections"] = {"sha256": "0", "images": {"web": 1176, "hospital": 31}}

    part = part_text(page_with("metadata", retrain), "training")
    assert "Trained in one run of 20 epochs" in part
    assert "44 % are images of the dataset" in part
    assert "a share of 15 % has it painted out" in part
    assert "26 % are images of other collections" in part
    assert "16 % are healthy heads with a tumor of another image blended in" in part
    assert "14 % are phantoms" in part
    assert "web 1,176 Br35H" in part
    assert "hospital 31 not public" in part
    page = page_with("metadata", lambda r: r["training"]["data"].update(collections={}))
    assert "Other collections trained on" not in part_text(page, "training")


FIELDS = "epoch,loss,accuracy,val_loss,val_accuracy,val_sensitivity,val_specificity\n"


def test_the_curves_of_other_collections_are_there_where_they_were_measured(
    card_page: Callable[[], str], reports: Path
) -> None:
    rows = "1,0.9,0.6,0.8,0.7,{0},{0}\n2,0.5,0.7,0.4,0.8,{1},{1}\n"
    (reports / "history.csv").write_text(FIELDS + rows.format("0.4321", "0.5432"))
    part = part_of(card_page(), "training")
    assert part.count("<polyline") == 6
    assert "54.3 % 54.3 %" in text_of(part)
    (reports / "history.csv").write_text(FIELDS + rows.format("nan", "nan"))
    part = part_of(card_page(), "training")
    assert part.count("<polyline") == 4
    assert "other collections by epoch" not in part
