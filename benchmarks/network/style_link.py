"""Whether style alone tells tumors from healthy heads among the images that are trained on.

`python -m benchmarks.network.style_link --data DIR --outlines FILE --also DIR` writes
`benchmarks/reports/style_link.json`. A classifier that knows nothing but style, as
`benchmarks.network.style_features` puts it into numbers, is asked "tumor or healthy?" about

- the dataset as it is,
- the draws of an epoch before their augmentation, and as the network sees them,
- with `--first-release FILE`, draws of the first release, made at the commit c07e937:
  `TrainingFlow(...)` of its stage `polish`, kept by `numpy.savez` as `images`, uint8
  (n, 224, 224), `tumor`, bool (n,), and `source`, str (n,).

It is tested on images of sources (groups of copies, people, heads of phantoms) that it was not
fitted on. At `AIM` and below, style tells too little to be worth learning.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import permutation_importance
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.network.style_features import table
from benchmarks.report import REPORTS, ROOT, write_report
from data.dataset.collections import load_collections, person_of
from data.dataset.division import Manifest, load_manifest
from data.dataset.image_set import ImageSet
from data.dataset.outline_files import outlines_of
from data.dataset.protocols import load_parts
from data.phantoms.sets import cached_phantoms
from model.config import NO_TUMOUR, TrainingConfig
from model.system import describe_machine
from model.training.batches import TrainingFlow
from model.training.draws import Sources

REPORT = REPORTS / "style_link.json"
CACHE = ROOT / "data" / "cache"
AIM = 0.65
"""Balanced accuracy that the draws, as the network sees them, should not exceed."""

_FOLDS = 5
_RESAMPLES = 400
_NAMED = 15  # features in the report


@dataclass(frozen=True)
class Drawn:
    """Images and what is known of each.

    Attributes:
        images: uint8 (n, 224, 224).
        tumor: bool (n,).
        source: str (n,), what must not be on both sides of a test.
        kind: str (n,), such as "dataset", "graft", "phantom" or a collection's name.
    """

    images: NDArray[np.uint8]
    tumor: NDArray[np.bool_]
    source: NDArray[np.str_]
    kind: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.tumor)


def measure(drawn: Drawn) -> dict[str, Any]:
    """How well style alone tells tumors from healthy heads, and what of it does.

    Returns:
        `images`, `tumors`, `balanced_accuracy` (with `low` and `high`, 95% over sources), `auroc`,
        `kinds`, `families` (balanced accuracy of each family of features alone) and `features`
        (loss of balanced accuracy when one is shuffled), JSON-ready.
    """
    rows, names = table(drawn.images)
    chances, importance = _tested(rows, drawn, importance=True)
    families = np.array([name.split("/")[0] for name in names])
    alone = {
        family: _balanced(drawn.tumor, _tested(rows[:, families == family], drawn)[0])
        for family in np.unique(families).tolist()
    }
    best = np.argsort(-importance, kind="stable")[:_NAMED]
    return {
        "images": len(drawn),
        "tumors": int(drawn.tumor.sum()),
        "balanced_accuracy": {
            "value": _balanced(drawn.tumor, chances), **_interval(drawn, chances)
        },
        "auroc": float(roc_auc_score(drawn.tumor, chances)),
        "kinds": {str(kind): _of_kind(drawn, chances, kind) for kind in np.unique(drawn.kind)},
        "families": alone,
        "features": {names[k]: round(float(importance[k]), 4) for k in best},
    }  # fmt: skip


def _tested(
    rows: NDArray[np.float32], drawn: Drawn, *, importance: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The chance of a tumor by classifiers that saw no image of the same source, (n,).

    And the mean loss of balanced accuracy by each feature, (features,), where asked for.
    """
    chances, lost = np.zeros(len(drawn)), np.zeros(rows.shape[1])
    splitter = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=0)
    for fitted, tested in splitter.split(rows, drawn.tumor, drawn.source):
        model = HistGradientBoostingClassifier(
            max_iter=80, learning_rate=0.08, max_leaf_nodes=15, l2_regularization=1.0,
            class_weight="balanced", random_state=0,
        ).fit(rows[fitted], drawn.tumor[fitted])  # fmt: skip
        chances[tested] = model.predict_proba(rows[tested])[:, 1]
        if importance:
            lost += permutation_importance(
                model, rows[tested], drawn.tumor[tested], scoring="balanced_accuracy",
                n_repeats=2, random_state=0,
            ).importances_mean  # fmt: skip
    return chances, lost / _FOLDS


def _balanced(tumor: NDArray[np.bool_], chances: NDArray[np.float64]) -> float:
    return float(balanced_accuracy_score(tumor, chances > 0.5))


def _interval(drawn: Drawn, chances: NDArray[np.float64]) -> dict[str, float]:
    """95% of the balanced accuracy when sources are drawn anew."""
    rng = np.random.default_rng(0)
    at = np.unique(drawn.source, return_inverse=True)[1]
    members = np.split(np.argsort(at, kind="stable"), np.cumsum(np.bincount(at))[:-1])
    values = []
    for _ in range(_RESAMPLES):
        chosen = rng.integers(len(members), size=len(members))
        rows = np.concatenate([members[k] for k in chosen])
        if len(np.unique(drawn.tumor[rows])) == 2:
            values.append(_balanced(drawn.tumor[rows], chances[rows]))
    low, high = np.quantile(values, (0.025, 0.975))
    return {"low": float(low), "high": float(high)}


def _of_kind(drawn: Drawn, chances: NDArray[np.float64], kind: str) -> dict[str, Any]:
    """What was said of the images of one kind: the shares that were told right."""
    there = drawn.kind == kind
    found: dict[str, Any] = {"images": int(there.sum())}
    for name, side in (("tumors", drawn.tumor), ("healthy", ~drawn.tumor)):
        chosen = there & side
        right = ((chances > 0.5) == drawn.tumor)[chosen]
        found[name] = {"images": len(right), "right": float(right.mean()) if len(right) else None}
    return found


def the_dataset(training: ImageSet, names: dict[str, str], count: int) -> Drawn:
    """Images of the dataset as they are."""
    rows = np.random.default_rng(0).permutation(len(training))[:count]
    return Drawn(
        np.asarray(training.images[rows])[..., 0],
        training.labels[rows] != NO_TUMOUR,
        np.array([names[training.names[row]] for row in rows]),
        np.full(len(rows), "dataset"),
    )


def draws_of(flow: TrainingFlow, names: dict[str, str], count: int) -> tuple[Drawn, Drawn]:
    """Draws of an epoch, before their augmentation and after it.

    Args:
        flow: The epoch's flow.
        names: What must not be on both sides of a test, by `Draw.source`.
        count: How many.
    """
    draws, kinds, after = [], [], []
    for place in range(count):
        draw, changed, _ = flow.shown(place)
        kind = flow.kind(place)
        draws.append(draw)
        kinds.append(draw.source.split("/")[0] if kind == "collection" else kind)
        after.append(np.rint(changed[:, :, 0] * 255.0).astype(np.uint8))
    before = Drawn(
        np.stack([draw.image for draw in draws]),
        np.array([draw.label != NO_TUMOUR for draw in draws]),
        np.array([names[draw.source] for draw in draws]),
        np.array(kinds),
    )
    return before, replace(before, images=np.stack(after))


def names_of(sources: Sources, manifest: Manifest) -> dict[str, str]:
    """The group of copies, person or head of each `Draw.source`."""
    dataset, pool, other = sources.dataset, sources.phantoms, sources.collections
    groups = manifest.groups(dataset.names, "Training")
    found = {name: f"group {group}" for name, group in zip(dataset.names, groups, strict=True)}
    if other is not None:
        found |= {name: person_of(name) for name in other.names}
    if pool is not None:
        # a phantom without a tumor that follows one with a tumor is its twin
        tumor = pool.labels != NO_TUMOUR
        twin = ~tumor & np.concatenate([[False], tumor[:-1]])
        found |= {f"phantom {row}": f"head {head}" for row, head in enumerate(np.cumsum(~twin))}
    return found


def load_first_release(path: Path) -> Drawn:
    """Draws that were kept as the module's text says."""
    with np.load(path, allow_pickle=False) as kept:
        images, tumor, source = kept["images"], kept["tumor"], kept["source"]
    return Drawn(images, tumor, source, np.full(len(tumor), "first release"))


def build(options: argparse.Namespace) -> dict[str, Any]:
    """The content of the report."""
    started = time.perf_counter()
    config, manifest = TrainingConfig(), load_manifest()
    training = load_parts(options.data, manifest, "official").training
    outlines = outlines_of(options.data, options.outlines)
    sources = Sources(
        training,
        {name: outlines[name] for name in training.names if name in outlines},
        cached_phantoms(config.phantoms_per_class, config.phantom_seed, options.phantoms),
        load_collections(options.also).part("training"),
    )
    names = names_of(sources, manifest)
    flow = TrainingFlow(sources, config, config.epochs // 2)  # past the ramp
    before, after = draws_of(flow, names, options.draws)
    sets = {
        "dataset": the_dataset(training, names, options.draws),
        "draws_before_augmentation": before,
        "draws_as_the_network_sees_them": after,
    }
    if options.first_release:
        sets["first_release"] = load_first_release(options.first_release)
    return {
        "command": "python -m benchmarks.network.style_link --data DIR --outlines FILE --also DIR",
        "machine": describe_machine(),
        "aim": AIM,
        "sets": {name: measure(drawn) for name, drawn in sets.items()},
        "minutes": round((time.perf_counter() - started) / 60, 1),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    parser.add_argument("--outlines", type=Path, nargs="+", required=True, help="tumor outlines")
    parser.add_argument("--also", type=Path, nargs="+", required=True, help="other collections")
    parser.add_argument("--phantoms", type=Path, default=CACHE, help="folder that keeps the pool")
    parser.add_argument("--first-release", type=Path, help="draws of the first release")
    parser.add_argument("--draws", type=int, default=3000)
    parser.add_argument("--report", type=Path, default=REPORT)
    options = parser.parse_args(arguments)
    report = build(options)
    write_report(options.report, report)
    for name, found in report["sets"].items():
        accuracy = found["balanced_accuracy"]
        print(f"{name}: {accuracy['value']:.1%} ({accuracy['low']:.1%} to {accuracy['high']:.1%})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
