"""How well pictures that are no brain MRIs are refused: methods, depths, sources, near cases.

`python -m benchmarks.network.ood --data DIR [--root DIR]` compares detectors on features of several
depths of the shipped `.keras` file, tests the shipped constants through LiteRT on every source, and
writes `benchmarks/reports/ood.json`. Detectors are fitted on training images; every threshold of
the comparison keeps 98.5% of validation images and of phantoms with training seeds.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score

from benchmarks.network.ood_methods import Method, fit_all
from benchmarks.network.ood_sources import MissingSourceError, sources
from benchmarks.report import REPORTS, write_report
from data.dataset.division import load_manifest
from data.dataset.image_set import ImageSet, load_gallery, to_float, to_uint8
from data.dataset.protocols import load_parts
from data.phantoms.sets import make_phantoms
from data.samples import SAMPLES_DIR
from model.config import ARTIFACTS, MODEL_NAME, TrainingConfig
from model.evaluation.report import PHANTOM_SEED
from model.export.export import with_features
from model.export.fit_trust import CHECKED_PHANTOMS, FITTED_PHANTOMS
from model.inference.classifier import Classifier
from model.predictors import network_outputs
from model.preprocessing import load_image, prepare
from model.system import describe_machine

REPORT = REPORTS / "ood.json"
KEPT = 0.985
_COLOURED = 24  # grey levels between a pixel's channels from which it counts as coloured
Features = dict[str, NDArray[np.float64]]
Pictures = dict[str, NDArray[np.uint8]]


def main() -> None:
    """Runs the comparison and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    parser.add_argument("--root", type=Path, default=Path("/"), help="where Debian packages lie")
    options = parser.parse_args()
    report = measure(options.data, options.root)
    write_report(REPORT, report)
    print(json.dumps(report["summary"], indent=2))


def measure(data: Path, root: Path) -> dict[str, Any]:
    """All figures; see the module."""
    parts = load_parts(data, load_manifest(), "official")
    assert parts.validation is not None
    mri = mri_sets(parts.training, parts.validation, parts.test)
    described, pictures = gather(root)
    return (
        {
            "command": "python -m benchmarks.network.ood --data DIR --root DIR",
            "machine": describe_machine(),
            "sources": described,
        }
        | shipped(mri, described, pictures)
        | {"comparison": compare(mri, described, pictures)}
    )


def mri_sets(training: ImageSet, validation: ImageSet, test: ImageSet) -> dict[str, ImageSet]:
    """Brain MRIs to fit on, to choose thresholds with, and to report."""
    seed = TrainingConfig().phantom_seed
    return {
        "training": training,
        "fitted phantoms": make_phantoms(FITTED_PHANTOMS, seed),
        "validation": validation,
        "checked phantoms": make_phantoms(CHECKED_PHANTOMS, seed + 4 * FITTED_PHANTOMS),
        "test": test,
        "phantoms": make_phantoms(50, PHANTOM_SEED),
        "gallery": load_gallery(SAMPLES_DIR),
    }


def gather(root: Path) -> tuple[dict[str, dict[str, Any]], Pictures]:
    """Every source's description, and the preprocessed pictures of those that are there."""
    described, pictures = {}, {}
    for source in sources(root):
        entry: dict[str, Any] = {"part": source.part, "kind": source.kind}
        described[source.name] = entry
        try:
            found = list(source.load())
        except MissingSourceError as error:
            entry |= {"pictures": 0, "skipped": str(error)}
            continue
        pictures[source.name] = np.stack([preprocessed(picture) for picture in found])
        entry |= {"pictures": len(found), "coloured": float(np.mean([coloured(p) for p in found]))}
    return described, pictures


def preprocessed(picture: Image.Image) -> NDArray[np.uint8]:
    """What the network sees of a picture that somebody uploads, as uint8."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return to_uint8(load_image(buffer.getvalue()))


def coloured(picture: Image.Image) -> bool:
    """Whether 2% of its pixels have a color: a check for gray pictures would refuse it."""
    small = np.asarray(picture.convert("RGB").resize((64, 64)), dtype=np.int16)
    return float(((small.max(axis=2) - small.min(axis=2)) > _COLOURED).mean()) > 0.02


def near_cases(images: NDArray[np.uint8]) -> Pictures:
    """Test MRIs as they should not be: turned, inverted, cropped."""
    some = images[::4]
    return {
        "upside-down": some[:, ::-1],
        "quarter turn": np.rot90(some, axes=(1, 2)),
        "inverted": 255 - some,
    } | {
        f"middle {share:.0%} of each side": np.stack([crop(image, share) for image in some])
        for share in (0.75, 0.5, 0.3)
    }


def crop(image: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """The middle of an image, preprocessed anew."""
    side = int(len(image) * share)
    start = (len(image) - side) // 2
    middle = image[start : start + side, start : start + side, 0]
    return to_uint8(prepare(middle.astype(np.float32)))


def shipped(
    mri: dict[str, ImageSet], described: dict[str, dict[str, Any]], pictures: Pictures
) -> dict[str, Any]:
    """What the shipped constants do, through LiteRT; adds `refused` to every source."""
    classifier = Classifier.load()
    trust = classifier.trust
    assert trust is not None

    def scores(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return trust.scores(network_outputs(classifier, images)[1])

    kept = {name: scores(mri[name].images[:]) for name in ("test", "phantoms", "gallery")}
    others = {name: scores(found) for name, found in pictures.items()}
    for name, found in others.items():
        described[name]["refused"] = float((found > trust.ood_threshold).mean())
    summary: dict[str, Any] = {
        f"kept of {name}": float((found <= trust.ood_threshold).mean())
        for name, found in kept.items()
    }
    for part in ("development", "held_out"):
        chosen = [others[name] for name in others if described[name]["part"] == part]
        refused = np.concatenate(chosen)
        summary[part] = {
            "pictures": len(refused),
            "auroc": auroc(kept["test"], refused),
            "refused": float((refused > trust.ood_threshold).mean()),
        }
    near = {
        name: float((scores(images) > trust.ood_threshold).mean())
        for name, images in near_cases(mri["test"].images[:]).items()
    }
    outputs = classifier.outputs(to_float(mri["gallery"].images[0]))
    summary["microseconds"] = microseconds(lambda: trust.judge(outputs.logits, outputs.features))
    summary["bytes"] = (ARTIFACTS / "trust.npz").stat().st_size
    return {"summary": summary, "refused_of_near_cases": near}


def auroc(kept: NDArray[Any], refused: NDArray[Any]) -> float:
    truth = np.repeat([0, 1], [len(kept), len(refused)])
    return float(roc_auc_score(truth, np.concatenate([kept, refused])))


def microseconds(call: Any) -> float:
    """Median time of a call."""
    times = []
    for _ in range(200):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return float(np.median(times) * 1e6)


def depths_of(model: keras.Model) -> keras.Model:
    """Features of several depths, and the logits, in one pass."""
    ops = keras.ops
    outputs = {"map mean and deviation": with_features(model).output["features"]}
    for layer in ("elu3", "elu5", "elu7"):
        cells = model.get_layer(layer).output
        outputs[f"{layer} mean"] = ops.mean(cells, axis=(1, 2))
    for layer in ("flatten", "dense1_elu", "dense2_elu", "logits"):
        outputs[layer] = model.get_layer(layer).output
    return keras.Model(model.input, outputs)


def read(model: keras.Model, images: NDArray[np.uint8]) -> Features:
    """The outputs of `depths_of` for images, float64 (n, d) each."""
    found = [
        model.predict_on_batch(to_float(images[start : start + 64]))
        for start in range(0, len(images), 64)
    ]
    return {
        name: np.concatenate([np.asarray(batch[name]) for batch in found]).astype(np.float64)
        for name in found[0]
    }


def compare(
    mri: dict[str, ImageSet], described: dict[str, dict[str, Any]], pictures: Pictures
) -> list[dict[str, Any]]:
    """A row for each depth and method."""
    model = depths_of(keras.models.load_model(ARTIFACTS / f"{MODEL_NAME}.keras", safe_mode=True))
    seen = {name: read(model, images.images[:]) for name, images in mri.items()}
    labels = np.concatenate([mri["training"].labels, 4 + mri["fitted phantoms"].labels])
    other = {
        part: read(
            model,
            np.concatenate([pictures[n] for n in pictures if described[n]["part"] == part]),
        )
        for part in ("development", "held_out")
    }
    rows = []
    for depth in seen["test"]:
        if depth == "logits":
            continue
        fit = [np.concatenate([seen[n][k] for n in ("training", "fitted phantoms")])
               for k in (depth, "logits")]  # fmt: skip
        for name, method in fit_all(fit[0], labels, fit[1]).items():
            figures = judge_method(method, depth, seen, other)
            rows.append({"depth": depth, "features": fit[0].shape[1], "method": name} | figures)
    return rows


def judge_method(
    method: Method, depth: str, seen: dict[str, Features], other: dict[str, Features]
) -> dict[str, Any]:
    """Figures of one method at one depth."""

    def score(features: Features) -> NDArray[np.float64]:
        return method.score(features[depth], features["logits"])

    threshold = max(
        np.quantile(score(seen[name]), KEPT) for name in ("validation", "checked phantoms")
    )
    test = score(seen["test"])
    figures: dict[str, Any] = {
        f"kept of {name}": float((score(seen[name]) <= threshold).mean())
        for name in ("test", "phantoms")
    }
    for part, features in other.items():
        found = score(features)
        figures[part] = {
            "auroc": auroc(test, found),
            "refused": float((found > threshold).mean()),
        }
    one = {name: rows[:1] for name, rows in seen["gallery"].items()}
    return figures | {"microseconds": microseconds(lambda: score(one)), "bytes": method.size}


if __name__ == "__main__":
    main()
