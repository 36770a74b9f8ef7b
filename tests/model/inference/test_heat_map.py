"""The heat map that is served: as the Keras path makes it, from the exported file's own map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.config import ARTIFACTS, CLASS_NAMES, MODEL_NAME
from model.inference.classifier import Classifier
from model.inference.heat_map import (
    CUT,
    METHOD,
    Explainer,
    heat_bytes,
    load_explainer,
    shrink,
)
from model.inference.last_layers import Tail
from model.inference.model_files import ModelFileError
from model.preprocessing import load_image, prepare
from model.training.architecture import build_cnn

HEAD = np.zeros((224, 224, 1), np.float32)  # a bright square, in air
HEAD[40:200, 40:200] = 0.8
SAMPLES = Path(__file__).resolve().parents[3] / "data" / "samples"


@pytest.fixture(scope="module")
def network() -> Any:
    import keras

    keras.utils.set_random_seed(3)
    return build_cnn(normalize=False)


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.load()


def test_saving_and_loading_the_layers_changes_the_map_by_their_rounding_alone(
    network: Any,
) -> None:
    maps = np.random.default_rng(0).normal(0, 1, (14, 14, 256)).astype(np.float32)
    maps = np.where(maps > 0, maps, np.expm1(maps))
    direct = Explainer(Tail.from_keras(network, CUT)).explain(maps, "glioma", HEAD)
    loaded = load_explainer(heat_bytes(network), Path("x"), CLASS_NAMES).explain(
        maps, "glioma", HEAD
    )
    assert (loaded.label, loaded.method) == ("glioma", METHOD)
    assert loaded.values.shape == (112, 112)
    assert loaded.values.dtype == np.float32
    assert float(loaded.values.max()) == 1.0
    assert float(loaded.values.min()) >= 0.0
    # Rounding decides a few ties between equally large values of a pool.
    assert np.corrcoef(loaded.values.ravel(), direct.values.ravel())[0, 1] > 0.99
    assert heat_bytes(network) == heat_bytes(network)


def test_another_class_has_another_map_and_an_unknown_one_is_refused(network: Any) -> None:
    explainer = Explainer(Tail.from_keras(network, CUT))
    maps = np.random.default_rng(1).normal(0, 1, (14, 14, 256)).astype(np.float32)
    maps = np.where(maps > 0, maps, np.expm1(maps))
    first, second = (explainer.explain(maps, name, HEAD).values for name in ("glioma", "pituitary"))
    assert float(np.abs(first - second).max()) > 0.1
    with pytest.raises(ValueError, match=r"`label` must be one of glioma, .* Received: 'cyst'"):
        explainer.explain(maps, "cyst", HEAD)


def test_nothing_is_shown_outside_the_head(network: Any) -> None:
    explainer = Explainer(Tail.from_keras(network, CUT))
    maps = np.abs(np.random.default_rng(2).normal(0, 1, (14, 14, 256))).astype(np.float32)
    masked = explainer.explain(maps, "glioma", HEAD).values
    flat = explainer.explain(maps, "glioma", np.zeros_like(HEAD)).values
    inside = np.zeros((112, 112), np.bool_)
    inside[19:101, 19:101] = True
    assert masked[~inside].max() == 0
    assert flat[~inside].max() > 0
    assert masked[inside].max() == 1.0


def test_shrinking_takes_means_and_keeps_emptiness() -> None:
    heat = np.zeros((224, 224), np.float32)
    heat[10, 20] = 1.0
    heat[40:42, 60:62] = 0.5
    small = shrink(heat)
    assert small.shape == (112, 112)
    assert (small[5, 10], small[20, 30], small.sum()) == (0.5, 1.0, 1.5)
    assert shrink(np.zeros((224, 224), np.float32)).max() == 0


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut off"])
def test_damaged_layers_are_refused(content: bytes) -> None:
    with pytest.raises(ModelFileError, match=r"layers here/heat_map\.npz cannot be read"):
        load_explainer(content, Path("here/heat_map.npz"), CLASS_NAMES)


def test_layers_of_another_network_are_refused(network: Any) -> None:
    with pytest.raises(ModelFileError, match="must end in 3 classes"):
        load_explainer(heat_bytes(network), Path("x"), CLASS_NAMES[:3])


def test_the_shipped_layers_belong_to_the_shipped_network() -> None:
    import keras

    model = keras.models.load_model(ARTIFACTS / f"{MODEL_NAME}.keras", safe_mode=True)
    assert heat_bytes(model) == (ARTIFACTS / "heat_map.npz").read_bytes()


def test_a_phantoms_map_points_into_its_lesion(shipped: Classifier) -> None:
    from data.phantoms import make_phantom

    hits = 0
    for seed in range(2_000_000, 2_000_006):
        phantom = make_phantom("meningioma", seed, size=224)
        found = shipped.predict(
            prepare(phantom.image.astype(np.float32)), explain=True, explain_class="meningioma"
        )
        assert found.explanation is not None
        row, column = np.unravel_index(found.explanation.values.argmax(), (112, 112))
        rows, columns = np.nonzero(phantom.mask)
        hits += bool(np.hypot(rows - 2 * row, columns - 2 * column).min() <= 8)
    assert hits >= 5


def test_asking_for_a_map_changes_no_answer(shipped: Classifier) -> None:
    image = load_image(next(iter(sorted(SAMPLES.glob("*.png")))))
    plain, explained = shipped.predict(image), shipped.predict(image, explain=True)
    assert plain.explanation is None
    assert explained.explanation is not None
    assert explained.explanation.label == explained.label
    assert plain.probabilities == explained.probabilities
