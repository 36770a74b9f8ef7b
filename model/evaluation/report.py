"""What `evaluation.json` holds: the shipped files on every set of images, and every protocol.

The official test split shares images with Training; its figures are always given with the two
parts: test images with a near-identical or mirrored copy in Training, and those without. The
figures of the other protocols come from networks trained for them alone, whose scores
`model.evaluation.scores` left in `benchmarks/reports/runs/`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.dataset.collections import load_collections
from data.dataset.division import load_manifest
from data.dataset.image_set import ImageSet, load_gallery
from data.dataset.protocols import Parts, load_parts, official_sets
from data.phantoms.sets import make_phantoms
from model.config import CLASS_NAMES, MODEL_NAME
from model.evaluation.other_collections import other_collections
from model.evaluation.scores import RUN_REPORTS, read_scores, summarise
from model.evaluation.trust_report import trust_sections
from model.inference.classifier import Classifier
from model.metrics.accuracy import evaluate
from model.predictors import Predict, agreement, keras_predictor, litert_predictor
from model.system import describe_machine

PHANTOM_SEED = 2_000_000


def evaluation_sets(
    parts: Parts, unseen: Collection[str], samples: Path, phantoms_per_class: int = 100
) -> dict[str, ImageSet]:
    """The image sets of the report, by name.

    Args:
        parts: The images under `official`.
        unseen: Files ("Testing/class/name") of the test images without a copy in Training.
        samples: Folder of the embedded gallery.
        phantoms_per_class: How many phantoms to draw.

    Returns:
        `train` and `validation` (parts of Training), `test` (the official split), its parts
        `test_with_copy_in_training` and `test_unseen`, `phantoms` (drawn for this report from
        seeds of their own) and `gallery` (the 40 embedded phantoms). A part that would be empty
        is left out.
    """
    sets = {
        "train": parts.training,
        "validation": parts.validation,
        **official_sets(parts.test, unseen),
        "phantoms": make_phantoms(phantoms_per_class, PHANTOM_SEED),
        "gallery": load_gallery(samples),
    }
    return {name: images for name, images in sets.items() if images is not None and len(images)}


def build_report(
    data: Path, artifacts: Path, samples: Path, also: Sequence[Path] = ()
) -> dict[str, Any]:
    """Evaluates both exported files and gathers the protocols.

    Args:
        data: Dataset folder.
        artifacts: Folder with the exported files and `metadata.json`.
        samples: Folder of the embedded gallery.
        also: Other collections, or folders of such.

    Returns:
        JSON-ready: `command`, `machine`, `model` (name, version, file hashes), `sets` (what is in
        each, and that the official split is leaked), `files`: {"keras", "litert"} -> set ->
        figures of `model.metrics.accuracy.evaluate`, `agreement` between the two files on the test
        split, `calibration`, `finding`, `kinds` and `ood` (of `model.evaluation.trust_report`),
        with `also` `other_collections` (of `model.evaluation.other_collections`, and `agreement`
        there), and `protocols` -> name -> figures, as `model.evaluation.scores.summarise` gives
        them.
    """
    metadata = json.loads((artifacts / "metadata.json").read_text(encoding="utf-8"))
    manifest = load_manifest()
    sets = evaluation_sets(load_parts(data, manifest, "official"), manifest.unseen(), samples)
    classifier = Classifier.load(artifacts / f"{MODEL_NAME}.tflite")
    predictors = {
        "keras": keras_predictor(artifacts / f"{MODEL_NAME}.keras"),
        "litert": litert_predictor(classifier),
    }
    found = {
        file: {name: predict(images.images) for name, images in sets.items()}
        for file, predict in predictors.items()
    }
    return {
        "command": "python -m model evaluate",
        "machine": describe_machine(),
        "model": {
            "name": metadata["name"],
            "version": metadata["version"],
            "files": {name: file["sha256"] for name, file in metadata["files"].items()},
        },
        "sets": {
            "protocol": "official (leaked)",
            "test_images": len(sets["test"]),
            "test_images_with_copy_in_training": len(sets.get("test_with_copy_in_training", ())),
            "phantom_seed": PHANTOM_SEED,
        },
        "files": {
            file: {
                name: evaluate(answers[name], images.labels, CLASS_NAMES)
                for name, images in sets.items()
            }
            for file, answers in found.items()
        },
        "agreement": agreement(found["keras"]["test"], found["litert"]["test"]),
        **trust_sections(classifier, sets),
        **(_others(classifier, predictors, also) if also else {}),
        "protocols": summarise(read_scores(RUN_REPORTS)),
    }


def _others(
    classifier: Classifier, predictors: Mapping[str, Predict], also: Sequence[Path]
) -> dict[str, Any]:
    held_out = load_collections(also).part("report")
    answers = [predictors[file](held_out.images) for file in ("keras", "litert")]
    figures = other_collections(classifier, held_out)
    return {"other_collections": figures | {"agreement": agreement(*answers)}}


def with_new_scores(artifacts: Path) -> dict[str, Any]:
    """The evaluation of the files in a folder, with the scores of runs as they are now.

    Args:
        artifacts: Folder with `evaluation.json`, of `build_report`, and `metadata.json`.

    Returns:
        As `build_report`; all but `protocols` is what the file says.

    Raises:
        OSError, ValueError: One of both is missing or not JSON, or the evaluation is of others
            than the files that the metadata name.
    """
    report: dict[str, Any] = json.loads((artifacts / "evaluation.json").read_text(encoding="utf-8"))
    metadata = json.loads((artifacts / "metadata.json").read_text(encoding="utf-8"))
    hashes = {name: file["sha256"] for name, file in metadata["files"].items()}
    if report["model"]["files"] != hashes:
        raise ValueError(
            "`--scores-only` needs an evaluation of these files. Received: "
            f"{artifacts / 'evaluation.json'}, which is of others; evaluate without it"
        )
    return report | {"protocols": summarise(read_scores(RUN_REPORTS))}
