"""The classifier that the server and the command line use: LiteRT, no Keras, no TensorFlow.

`Classifier.predict` takes float32 (224, 224, 1) in [0, 1], as `model.preprocessing` makes it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from model.config import ARTIFACTS, FEATURE_COUNT, IMAGE_SIZE, MAP_SHAPE, MODEL_NAME
from model.inference.heat_map import HEAT_FILE, Explainer, load_explainer
from model.inference.model_files import ModelFileError, read_checked, read_metadata
from model.inference.prediction import Prediction
from model.inference.temperature import softmax
from model.inference.trust import TRUST_FILE, Trust, load_trust

DEFAULT_MODEL_PATH = ARTIFACTS / f"{MODEL_NAME}.tflite"


@dataclass(frozen=True)
class Outputs:
    """What the exported network gives for one image, before any constant is applied.

    Attributes:
        logits: float32 (4,).
        features: float32 (512,), for the not-an-MRI detector.
        maps: float32 (14, 14, 256), for heat maps.
        milliseconds: Time of the inference alone.
    """

    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    maps: NDArray[np.float32]
    milliseconds: float

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Uncalibrated probabilities, float64 (4,)."""
        return softmax(self.logits)


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
        trust: Trust | None,
        explainer: Explainer | None,
        version: str,
        load_milliseconds: float,
    ) -> None:
        self.class_names = class_names
        self.name = name
        self.sha256 = sha256
        self.path = path
        self.trust = trust
        self.explainer = explainer
        self.version = version
        self.load_milliseconds = load_milliseconds
        self._interpreter = interpreter
        self._input = interpreter.get_input_details()[0]["index"]
        self._outputs = _find_outputs(interpreter, len(class_names))
        self._lock = threading.Lock()  # an interpreter is not thread-safe

    @classmethod
    def load(
        cls,
        path: str | Path = DEFAULT_MODEL_PATH,
        *,
        threads: int | None = None,
        calibrated: bool = True,
    ) -> Classifier:
        """Loads a `.tflite` file, with the `metadata.json` and the `.npz` files beside it.

        Args:
            path: The model file.
            threads: Threads of one inference; by default LiteRT's own choice.
            calibrated: False to do without `trust.npz` and `heat_map.npz`; `predict` then cannot
                be used.

        Raises:
            ModelFileError: A file is missing or damaged, or they do not belong together.
        """
        started = time.perf_counter()
        path = Path(path)
        metadata = read_metadata(path.with_name("metadata.json"))
        content, sha256 = read_checked(path, metadata, "export")
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
            trust=_read_trust(path, metadata) if calibrated else None,
            explainer=_read_explainer(path, metadata, class_names) if calibrated else None,
            version=str(metadata.get("version", "")),
            load_milliseconds=(time.perf_counter() - started) * 1000,
        )

    def outputs(self, image: NDArray[np.float32]) -> Outputs:
        """Runs the network.

        Args:
            image: float32 (224, 224, 1) in [0, 1].

        Raises:
            ValueError: `image` has another shape, dtype or range.
        """
        _check_image(image)
        with self._lock:
            started = time.perf_counter()
            self._interpreter.set_tensor(self._input, image[np.newaxis])  # (1, 224, 224, 1)
            self._interpreter.invoke()
            milliseconds = (time.perf_counter() - started) * 1000
            found = {  # copies
                name: self._interpreter.get_tensor(index)[0]
                for name, index in self._outputs.items()
            }
        return Outputs(**found, milliseconds=milliseconds)

    def probabilities(self, image: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
        """Uncalibrated probabilities, float64 (4,), and milliseconds; otherwise as `outputs`."""
        found = self.outputs(image)
        return found.probabilities, found.milliseconds

    def predict(
        self, image: NDArray[np.float32], *, explain: bool = False, explain_class: str | None = None
    ) -> Prediction:
        """Classifies one image, or abstains.

        Args:
            image: As `outputs`.
            explain: Whether to make a heat map.
            explain_class: Name of the class that it is for; by default the predicted one.

        Raises:
            ValueError: As `outputs`, or no such class.
            ModelFileError: The constants were not loaded.
        """
        if self.trust is None or self.explainer is None:
            raise ModelFileError(f"The model {self.path} was loaded without its {TRUST_FILE}.")
        found = self.outputs(image)
        judged = self.trust.judge(found.logits, found.features)
        best = judged.members[0]
        label = self.class_names[best]
        explanation = None
        if explain:
            explanation = self.explainer.explain(found.maps, explain_class or label, image)
        return Prediction(
            label=label,
            confidence=float(judged.probabilities[best]),
            probabilities={
                n: float(p) for n, p in zip(self.class_names, judged.probabilities, strict=True)
            },
            milliseconds=found.milliseconds,
            prediction_set=tuple(self.class_names[k] for k in judged.members),
            in_distribution=judged.in_distribution,
            ood_score=judged.ood_score,
            ood_threshold=judged.ood_threshold,
            explanation=explanation,
        )


def _read_trust(path: Path, metadata: dict[str, Any]) -> Trust:
    constants = path.with_name(TRUST_FILE)
    content, _ = read_checked(constants, metadata, "calibrate")
    return load_trust(content, constants, FEATURE_COUNT)


def _read_explainer(
    path: Path, metadata: dict[str, Any], class_names: tuple[str, ...]
) -> Explainer:
    layers = path.with_name(HEAT_FILE)
    content, _ = read_checked(layers, metadata, "export")
    return load_explainer(content, layers, class_names)


def _output_shapes(classes: int) -> dict[str, tuple[int, ...]]:
    return {
        "logits": (1, classes),
        "features": (1, FEATURE_COUNT),
        "maps": (1, *MAP_SHAPE),
    }


def _find_outputs(interpreter: Interpreter, classes: int) -> dict[str, int]:
    """Tensor indices by output; a file keeps no order, and shapes tell outputs apart."""
    places = {
        tuple(int(side) for side in end["shape"]): end["index"]
        for end in interpreter.get_output_details()
    }
    return {name: places[shape] for name, shape in _output_shapes(classes).items()}


def _check_shapes(interpreter: Interpreter, path: Path, classes: int) -> None:
    def described(ends: list[dict[str, Any]]) -> str:
        shapes = sorted(
            (len(end["shape"]), *map(int, end["shape"]), np.dtype(end["dtype"]).name)
            for end in ends
        )
        return " and ".join(f"{dtype} {tuple(sides)}" for _, *sides, dtype in shapes)

    legal_ends = [{"shape": s, "dtype": np.float32} for s in _output_shapes(classes).values()]
    legal_input = [{"shape": (1, IMAGE_SIZE, IMAGE_SIZE, 1), "dtype": np.float32}]
    legal = f"{described(legal_input)} to {described(legal_ends)}"
    received = (
        f"{described(interpreter.get_input_details())} to "
        f"{described(interpreter.get_output_details())}"
    )
    if received != legal:
        raise ModelFileError(f"The model file {path} must map {legal}; it maps {received}.")


def _check_image(image: NDArray[np.float32]) -> None:
    shape = (IMAGE_SIZE, IMAGE_SIZE, 1)
    if image.shape != shape or image.dtype != np.float32:
        raise ValueError(
            f"`image` must be float32 of shape {shape}. Received: {image.dtype} {image.shape}"
        )
    low, high = float(image.min()), float(image.max())
    if not (low >= 0.0 and high <= 1.0):  # also catches NaN
        raise ValueError(f"`image` must be in [0, 1]. Received: values from {low} to {high}")
