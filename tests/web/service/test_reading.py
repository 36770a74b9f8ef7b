"""Uploads in memory at a time: one picture, one file with slices, however many clients ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from numpy.typing import NDArray

import web.api.uploads
from model.inference.prediction import Prediction
from tests.conftest import StubClassifier
from tests.patience import LONGEST_WAIT
from tests.scan_files import dicom, nifti, png, white_share
from tests.web.api.uploading import PREDICTIONS, SLICES, post
from web.service.admission import Reading

PICTURE = png(white_share(3))
SCANS = (dicom(white_share(3)), nifti(np.zeros((8, 8, 8), np.int16) + np.arange(8, dtype=np.int16)))


class Watched:
    """`read_scan`, which counts how many are at it at a time, by kind."""

    def __init__(self, read: Callable[[bytes], Any]) -> None:
        self._read = read
        self._now = {"image": 0, "other": 0}
        self._lock = threading.Lock()
        self.most = {"image": 0, "other": 0, "both": 0}

    def __call__(self, content: bytes) -> Any:
        kind = "image" if content == PICTURE else "other"
        with self._lock:
            self._now[kind] += 1
            for name, count in {**self._now, "both": sum(self._now.values())}.items():
                self.most[name] = max(self.most[name], count)
        time.sleep(0.02)
        try:
            return self._read(content)
        finally:
            with self._lock:
                self._now[kind] -= 1


@pytest.mark.parametrize("address", [PREDICTIONS, SLICES])
def test_one_picture_and_one_scan_at_a_time(
    make_app: Callable[..., Flask],
    gallery_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
) -> None:
    watched = Watched(web.api.uploads.read_scan)
    monkeypatch.setattr(web.api.uploads, "read_scan", watched)
    app = make_app(gallery_dir, MAX_WAITING="24")
    files = [PICTURE, *SCANS] * 6
    with ThreadPoolExecutor(len(files)) as pool:
        statuses = list(
            pool.map(lambda f: post(app.test_client(), address, ("a", f)).status_code, files)
        )
    assert statuses == [200] * len(files)
    assert watched.most == {"image": 1, "other": 1, "both": 2}


def test_a_picture_s_turn_ends_before_the_network_s_begins(
    make_app: Callable[..., Flask], gallery_dir: Path, classifier: StubClassifier
) -> None:
    entered, let = threading.Event(), threading.Event()
    answer = classifier.predict

    def predict(image: NDArray[np.float32], **options: Any) -> Prediction:
        entered.set()
        assert let.wait(LONGEST_WAIT)
        return answer(image, **options)

    classifier.predict = predict  # type: ignore[method-assign]
    app = make_app(gallery_dir)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(post, app.test_client(), PREDICTIONS, ("a.png", PICTURE))
        assert entered.wait(LONGEST_WAIT)
        with app.extensions["brain_mri"].reading.turn(PICTURE):
            let.set()
        assert waiting.result().status_code == 200


def test_turns_are_by_content() -> None:
    reading = Reading()
    assert reading.turn(PICTURE) is reading.turn(b"")
    assert reading.turn(SCANS[0]) is reading.turn(SCANS[1]) is reading.turn(b"\x1f\x8b")
    assert reading.turn(PICTURE) is not reading.turn(SCANS[0])
