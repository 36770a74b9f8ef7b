"""The classifier that the server and the command line use: LiteRT, no Keras, no TensorFlow.

`Classifier.predict` takes float32 (224, 224, 1) in [0, 1], as `model.preprocessing` makes it.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from model.config import ARTIFACTS, IMAGE_SIZE, MODEL_NAME

DEFAULT_MODEL_PATH = ARTIFACTS / f"{MODEL_NAME}.tflite"


class ModelFileError(RuntimeError):
    """The model file or its metadata is missing, damaged or does not fit; one sentence."""


@dataclass(frozen=True)
class Prediction:
    """What the network says of one image.

    Attributes:
        label: Name of the most probable class.
        confidence: Its probability, in [0, 1].
        probabilities: Probability of each class, in the order of the network's outputs.
        milliseconds: Time of the inference alone.
    """

    label: str
    confidence: float
    probabilities: dict[str, float]
    milliseconds: float


class Classifier:
    """A loaded model. Safe to share between threads: one inference runs at a time."""

    def __init__(
        self,
        interpreter: Interpreter,
        *,
        class_names: tuple[str, ...],
        name: str,
        sha256: str,
        path: Path,
        load_milliseconds: float,
    ) -> None:
        self.class_names = class_names
        self.name = name
        self.sha256 = sha256
        self.path = path
        self.load_milliseconds = load_milliseconds
        self._interpreter = interpreter
        self._input = interpreter.get_input_details()[0]["index"]
        self._output = interpreter.get_output_details()[0]["index"]
        self._lock = threading.Lock()  # an interpreter is not thread-safe

    @classmethod
    def load(
        cls, path: str | Path = DEFAULT_MODEL_PATH, *, threads: int | None = None
    ) -> Classifier:
        """Loads a `.tflite` file and the `metadata.json` beside it.

        Args:
            path: The model file.
            threads: Threads of one inference; by default LiteRT's own choice.

        Raises:
            ModelFileError: A file is missing or damaged, or the two do not belong together.
        """
        started = time.perf_counter()
        path = Path(path)
        metadata = _read_metadata(path.with_name("metadata.json"))
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelFileError(
                f"The model file {path} could not be read ({error.strerror}); "
                "`python -m model export` makes it."
            ) from error
        sha256 = hashlib.sha256(content).hexdigest()
        described = metadata["files"].get(path.name)
        expected = described.get("sha256") if isinstance(described, dict) else None
        if sha256 != expected:
            raise ModelFileError(
                f"The model file {path} is damaged or not the one its metadata.json describes: "
                f"its SHA-256 is {sha256}, expected {expected}."
            )
        try:
            interpreter = Interpreter(model_content=content, num_threads=threads)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelFileError(
                f"The model file {path} is not a LiteRT model: {error}."
            ) from error
        class_names = tuple(metadata["classes"])
        _check_shapes(interpreter, path, len(class_names))
        return cls(
            interpreter,
            class_names=class_names,
            name=str(metadata["name"]),
            sha256=sha256,
            path=path,
            load_milliseconds=(time.perf_counter() - started) * 1000,
        )

    def probabilities(self, image: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        """Runs the network.

        Args:
            image: float32 (224, 224, 1) in [0, 1].

        Returns:
            Probabilities, float32 (4,), and the milliseconds the inference took.

        Raises:
            ValueError: `image` has another shape, dtype or range.
        """
        _check_image(image)
        with self._lock:
            started = time.perf_counter()
            self._interpreter.set_tensor(self._input, image[np.newaxis])  # (1, 224, 224, 1)
            self._interpreter.invoke()
            output: NDArray[np.float32] = self._interpreter.get_tensor(self._output)[0]  # (4,)
            return output, (time.perf_counter() - started) * 1000

    def predict(self, image: NDArray[np.float32]) -> Prediction:
        """Classifies one image.

        Args, Raises: As `probabilities`.
        """
        output, milliseconds = self.probabilities(image)
        best = int(output.argmax())
        return Prediction(
            label=self.class_names[best],
            confidence=float(output[best]),
            probabilities={n: float(p) for n, p in zip(self.class_names, output, strict=True)},
            milliseconds=milliseconds,
        )


def _read_metadata(path: Path) -> dict[str, Any]:
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelFileError(
            f"The model's metadata {path} could not be read ({error.strerror}); "
            "`python -m model export` makes it."
        ) from error
    except ValueError as error:
        raise ModelFileError(f"The model's metadata {path} is not valid JSON: {error}.") from error
    kinds = {"name": str, "classes": list, "files": dict}
    wrong = [
        f"`{key}` ({'text' if kind is str else kind.__name__})"
        for key, kind in kinds.items()
        if not isinstance(metadata, dict) or not isinstance(metadata.get(key), kind)
    ]
    if wrong:
        raise ModelFileError(f"The model's metadata {path} lacks {', '.join(wrong)}.")
    return dict(metadata)


def _check_shapes(interpreter: Interpreter, path: Path, classes: int) -> None:
    received = [
        f"{np.dtype(end['dtype']).name} {tuple(int(side) for side in end['shape'])}"
        for end in (interpreter.get_input_details()[0], interpreter.get_output_details()[0])
    ]
    legal = [f"float32 {(1, IMAGE_SIZE, IMAGE_SIZE, 1)}", f"float32 {(1, classes)}"]
    if received != legal:
        raise ModelFileError(
            f"The model file {path} must map {' to '.join(legal)}; it maps {' to '.join(received)}."
        )


def _check_image(image: NDArray[np.float32]) -> None:
    shape = (IMAGE_SIZE, IMAGE_SIZE, 1)
    if image.shape != shape or image.dtype != np.float32:
        raise ValueError(
            f"`image` must be float32 of shape {shape}. Received: {image.dtype} {image.shape}"
        )
    low, high = float(image.min()), float(image.max())
    if not (low >= 0.0 and high <= 1.0):  # also catches NaN
        raise ValueError(f"`image` must be in [0, 1]. Received: values from {low} to {high}")
