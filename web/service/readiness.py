"""Whether the server can do its work: the network reads one bundled phantom as it should.

Done once, in the background, and kept; ``/readyz`` only looks it up.
"""

from __future__ import annotations

import logging
import threading

from model.preprocessing import load_image
from web.service.predictions import Predictions
from web.settings import SYNTHETIC_GALLERY

logger = logging.getLogger(__name__)

IMAGE = SYNTHETIC_GALLERY / "phantom-glioma-00.png"
EXPECTED = "glioma"


class Readiness:
    """The self-test and what came of it.

    Attributes:
        state: "starting", then "ready" or "failed".
        reason: Why it is not ready, in a sentence; "" where it is.
    """

    def __init__(self, predictions: Predictions) -> None:
        self.state = "starting"
        self.reason = "The self-test has not ended yet."
        self._predictions = predictions
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> threading.Thread:
        """Starts the test in a thread of its own, unless it has been, and returns the thread."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._test, name="self-test", daemon=True)
                self._thread.start()
            return self._thread

    def _test(self) -> None:
        try:
            found = self._predictions.run(load_image(IMAGE.read_bytes()))
        except Exception:
            logger.exception("self-test failed")
            self._end("failed", "The network could not read the self-test image; see the log.")
            return
        if found.label == EXPECTED and not found.abstained:
            self._end("ready", "")
            return
        said = "nothing it is sure of" if found.abstained else found.label
        self._end("failed", f"The self-test image must be read as {EXPECTED}. Received: {said}.")

    def _end(self, state: str, reason: str) -> None:
        self.reason, self.state = reason, state
        level = logging.INFO if state == "ready" else logging.ERROR
        logger.log(level, "self-test ended", extra={"fields": {"state": state, "reason": reason}})
