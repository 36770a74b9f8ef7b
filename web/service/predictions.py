"""Predictions for the gallery's samples, each computed once: on demand, or ahead by a thread.

A sample's file never changes while the server runs, so its prediction is kept; ``milliseconds``
stays what was measured when the network really ran.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.inference.prediction import Prediction
from model.preprocessing import load_image
from web.service.admission import Admission
from web.service.samples import Gallery, Sample

logger = logging.getLogger(__name__)


class ClassifierLike(Protocol):
    """What the app needs of ``model.inference.classifier.Classifier``; tests pass a stub."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    def predict(
        self, image: NDArray[np.float32], *, explain: bool = False, explain_class: str | None = None
    ) -> Prediction: ...


class Predictions:
    """The predictions of one classifier for one gallery; safe to share between threads."""

    def __init__(self, classifier: ClassifierLike, gallery: Gallery, admission: Admission) -> None:
        self.classifier = classifier
        self.admission = admission
        self.observe: Callable[[Prediction], object] = lambda found: None
        self._gallery = gallery
        self._known: dict[str, Prediction] = {}

    def run(
        self, image: NDArray[np.float32], *, explain: bool = False, explain_class: str | None = None
    ) -> Prediction:
        """Classifies an image when its turn comes; see ``Classifier.predict``."""
        with self.admission.turn():
            found = self.classifier.predict(image, explain=explain, explain_class=explain_class)
        self.observe(found)
        return found

    def get(self, sample: Sample) -> Prediction:
        """The prediction for ``sample``, computed now if it is not known yet."""
        known = self._known.get(sample.id)
        if known is not None:
            return known
        image = load_image(sample.path.read_bytes())  # (224, 224, 1) in [0, 1]
        with self.admission.turn():
            if sample.id not in self._known:  # another request may have read it meanwhile
                found = self._known[sample.id] = self.classifier.predict(image)
                self.observe(found)
        return self._known[sample.id]

    def explain(self, sample: Sample, label: str | None = None) -> Prediction:
        """The prediction for ``sample`` with a heat map for ``label``, or for the predicted class.

        Made anew each time: maps are thirty times the size of the predictions that are kept.
        """
        found = self.run(load_image(sample.path.read_bytes()), explain=True, explain_class=label)
        self._known.setdefault(sample.id, replace(found, explanation=None))
        return found

    def peek(self, sample: Sample) -> Prediction | None:
        """The prediction for ``sample`` if it is known; never waits."""
        return self._known.get(sample.id)

    def result(self, sample: Sample) -> str | None:
        """ "right", "wrong", or None while the sample has not been read; never waits."""
        known = self._known.get(sample.id)
        if known is None:
            return None
        return "right" if known.label == sample.true_label else "wrong"

    def warm_up(self, first: Callable[[], object] | None = None) -> threading.Thread:
        """Starts the thread that reads all samples at the lowest priority, and returns it.

        Args:
            first: other work to do ahead in that thread.
        """
        thread = threading.Thread(target=self._read_all, args=(first,), name="warm-up", daemon=True)
        thread.start()
        return thread

    def _read_all(self, first: Callable[[], object] | None) -> None:
        if hasattr(os, "setpriority"):  # on Linux a priority belongs to a thread, not to a process
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        if first is not None:
            first()
        for sample in self._gallery.samples.values():
            try:
                self.get(sample)
            except Exception:
                logger.exception("sample not read", extra={"fields": {"sample": sample.id}})
            time.sleep(0.01)  # lets waiting requests have the lock and the processor
