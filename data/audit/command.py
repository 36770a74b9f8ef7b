"""`python -m model audit`: search, measure, write the manifest and the reports."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data.audit.collections import audit_collections
from data.audit.manifest import audit, load_images, write_manifest
from data.audit.planted import measure
from data.audit.report import build_report, peak_memory
from data.audit.report_markdown import render
from data.dataset.division import load_manifest
from data.dataset.outline_files import outlines_of
from model.config import CLASS_NAMES
from model.system import describe_machine

REPORT = Path(__file__).resolve().parents[2] / "benchmarks" / "reports" / "audit.json"
POOL = 400  # images of each class among which planted copies are searched for


def run_audit(
    data: Path | Sequence[Path], out: Path, report: Path, *,
    outlines: Path | Sequence[Path] | None = None, keep: Path | None = None, plant: int = 0,
    cache: Path | None = None, also: Sequence[Path] = (),
) -> dict[str, Any]:  # fmt: skip
    """Audits a dataset.

    Args:
        data: Folder with Training/ and Testing/, or one that wraps it; or several such folders.
        out: The manifest to write.
        report: The JSON to write; the readable report goes beside it, as `.md`.
        outlines: File of tumour outlines, for patient blocks and to measure against; or several,
            as for `data.dataset.outline_files.outlines_of`.
        cache: As for `data.dataset.protocols.load_parts`.
        keep: A manifest whose validation images under `official` stay such.
        plant: Images of each class whose planted copies are searched for; 0 for none.
        also: Other collections, or folders of collections, to search for copies of the dataset.

    Returns:
        The report's content.

    Raises:
        DatasetError, OutlinesError, CollectionError, OSError: What is read is not as it should
            be.
    """
    clock = [time.perf_counter()]
    known = None if outlines is None else outlines_of(data, outlines)
    earlier = None if keep is None else load_manifest(keep)
    images = load_images(data, cache=cache)
    clock.append(time.perf_counter())
    found = audit(images, known, earlier)
    write_manifest(out, images.files, found.columns)
    clock.append(time.perf_counter())
    content: dict[str, Any] = {"command": "python -m model audit", "machine": describe_machine()}
    content |= {"seconds": {"reading": clock[1] - clock[0], "search": clock[2] - clock[1]}}
    content |= {"processor_seconds": time.process_time()}
    content |= {"peak_memory_mb": peak_memory(), **build_report(images, found)}
    if plant:
        single = np.unique(found.related, return_index=True)[1]
        rng = np.random.default_rng(0)
        pool = np.concatenate(
            [rng.permutation(single[images.labels[single] == c])[:POOL] for c in range(4)]
        )
        content["planted"] = measure(
            images.images[pool], images.labels[pool], CLASS_NAMES, per_class=plant, seed=1
        )
        content["seconds"]["planted copies"] = time.perf_counter() - clock[2]
    if also:
        content["other_collections"] = audit_collections(images, also)
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    report.with_suffix(".md").write_text(render(content), encoding="utf-8")
    return content
