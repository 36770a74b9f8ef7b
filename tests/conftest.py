"""What the web tests share: a small drawn gallery, a stub classifier, apps and clients."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from numpy.typing import NDArray
from PIL import Image

from app import create_app
from model.config import CLASS_NAMES
from model.inference.heat_map import Explanation
from model.inference.prediction import Prediction
from web import build
from web.model_card import page, reports
from web.service import readiness

# (id, true label, eighths of the drawn image that are white): the stub answers by these alone
GALLERY = (
    ("glioma-00", "glioma", 1),
    ("glioma-01", "glioma", 3),
    ("meningioma-00", "meningioma", 3),
    ("notumor-00", "notumor", 5),
    ("pituitary-00", "pituitary", 7),
    ("pituitary-01", "pituitary", 5),
)
WRONG = ("glioma-01", "pituitary-01")


class StubClassifier:
    """Tells the classes by their white eighths: 1, 3, 5 and 7; counts its calls."""

    name = "stub"
    version = "0.0.0"
    sha256 = "5" * 64

    def __init__(self) -> None:
        self.calls = 0

    def predict(
        self, image: NDArray[np.float32], *, explain: bool = False, explain_class: str | None = None
    ) -> Prediction:
        self.calls += 1
        assert image.shape == (224, 224, 1)
        assert image.dtype == np.float32
        label = CLASS_NAMES[int(float(image.mean()) * 4)]
        shares = {name: 0.75 if name == label else 0.0833 for name in CLASS_NAMES}
        heat = None
        if explain:
            values = np.zeros((112, 112), np.float32)
            values[28, 84] = 1.0  # the middle of the upper right quarter
            heat = Explanation(explain_class or label, "stub", values)
        return Prediction(label, shares[label], shares, 12.5, (label,), True, 0.5, 1.5, heat)


@cache
def drawn_png(number: int, eighths: int) -> bytes:
    pixels = np.zeros((448, 448), np.uint8)
    pixels[:, : 56 * eighths] = 255
    pixels[-1, -1] = number  # no two files are equal
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write_gallery(folder: Path, *, origin: str = "synthetic") -> dict[str, Any]:
    """Draws GALLERY into ``folder`` and returns the manifest written there."""
    folder.mkdir(parents=True, exist_ok=True)
    entries: list[dict[str, Any]] = []
    for sample_id, label, eighths in GALLERY:
        path = folder / f"{sample_id}.png"
        path.write_bytes(drawn_png(len(entries), eighths))
        entries.append(
            {
                "id": sample_id,
                "file": path.name,
                "true_label": label,
                "plane": "axial" if origin == "synthetic" else None,
                "contrast": "T1c" if origin == "synthetic" else None,
                "origin": "phantom" if origin == "synthetic" else "dataset",
                "seed": len(entries) if origin == "synthetic" else None,
                "width": 448,
                "height": 448,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
        )
    manifest = {"origin": origin, "notice": "Drawn for a test.", "seed": 0, "samples": entries}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return manifest


class CompiledTemplates(BytecodeCache):
    """Compiles a template once for all apps: that takes many times as long as to fill it."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def compiled_templates() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flask, "jinja_options", {"bytecode_cache": CompiledTemplates()})
        yield


@pytest.fixture(scope="session", autouse=True)
def committed_card() -> Iterator[None]:
    """Makes the page Model's figures of the committed reports once: most of an app's start."""
    load, make = reports.load_reports, page.make_card
    committed = reports.ARTIFACTS, reports.REPORTS  # a test may name other folders
    kept = load()
    card = make(kept)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            build,
            "load_reports",
            lambda: kept if committed == (reports.ARTIFACTS, reports.REPORTS) else load(),
        )
        patch.setattr(page, "make_card", lambda found: card if found is kept else make(found))
        yield


@pytest.fixture
def gallery_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_gallery(tmp_path / "gallery")
    # the stub tells drawn images alone, so the self-test reads one of them
    monkeypatch.setattr(readiness, "IMAGE", tmp_path / "gallery" / "glioma-00.png")
    return tmp_path / "gallery"


@pytest.fixture
def classifier() -> StubClassifier:
    return StubClassifier()


@pytest.fixture
def make_app(classifier: StubClassifier) -> Callable[..., Flask]:
    """Builds an app on a gallery folder; settings by their environment names."""

    def make(folder: Path, **settings: str) -> Flask:
        config = {"GALLERY_DIR": str(folder), "WARM_UP": "0", "RATE_LIMIT": "off", **settings}
        return create_app(config, classifier)

    return make


@pytest.fixture
def web_app(make_app: Callable[..., Flask], gallery_dir: Path) -> Flask:
    return make_app(gallery_dir)


@pytest.fixture
def client(web_app: Flask) -> FlaskClient:
    return web_app.test_client()


@pytest.fixture
def read_client(web_app: Flask) -> FlaskClient:
    """A client of an app that has read every sample of its gallery."""
    state = web_app.extensions["brain_mri"]
    for sample in state.gallery.samples.values():
        state.predictions.get(sample)
    return web_app.test_client()
