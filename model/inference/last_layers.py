"""The last layers of the folded network in NumPy, with their gradient.

From a chosen layer (the *cut*) to the logits, so that the features of that one layer are all
that a heat map needs, and no TensorFlow.

Data contract: features float32 (n, side, side, channels), the output of the Keras layer named by
the cut; logits float32 (n, 4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from model.config import ArchitectureConfig

Array = NDArray[np.float32]

CUTS = ("elu2", "elu3", "conv4", "elu4", "elu5", "conv6", "elu6", "elu7", "conv8", "elu8")
"""Layers to cut at, behind the last stride: three each of 28, 14 and 7 cells a side, one of 3."""

_CONFIG = ArchitectureConfig()


class _KerasLike(Protocol):
    def get_layer(self, name: str) -> Any: ...


@dataclass(frozen=True)
class _Step:
    """One layer: `kind` is "conv", "pool", "elu", "flatten" or "dense"."""

    kind: str
    name: str
    kernel: Array | None = None  # conv (3, 3, in, out), dense (in, out)
    bias: Array | None = None
    pool: int = 1


class Tail:
    """The folded network from a cut to the logits.

    Memory and time grow with the distance from the logits: at "elu5" 12 MB of weights and a
    few milliseconds an image, at "elu2" some tens of milliseconds.
    """

    def __init__(self, cut: str, weights: Mapping[str, Array]) -> None:
        """Takes the weights of all layers after the cut.

        Args:
            cut: One of `CUTS`.
            weights: float, "conv8_kernel", "conv8_bias", .., "logits_bias".

        Raises:
            ValueError: Another cut.
            KeyError: A layer's weights are missing.
        """
        if cut not in CUTS:
            raise ValueError(f"`cut` must be one of {', '.join(CUTS)}. Received: {cut!r}")
        self.cut = cut
        self._steps = _steps_after(cut, weights)

    @classmethod
    def from_keras(cls, model: _KerasLike, cut: str) -> Tail:
        """Copies the weights out of a folded network with the layer names of `build_cnn`."""
        if cut not in CUTS:
            raise ValueError(f"`cut` must be one of {', '.join(CUTS)}. Received: {cut!r}")
        weights: dict[str, Array] = {}
        for name in weighted_layers(cut):
            kernel, bias = model.get_layer(name).get_weights()
            weights[f"{name}_kernel"] = np.asarray(kernel, dtype=np.float32)
            weights[f"{name}_bias"] = np.asarray(bias, dtype=np.float32)
        return cls(cut, weights)

    def logits(self, features: Array) -> Array:
        """The logits that follow from the features: float32 (n, 4)."""
        return self._forward(features)[-1]

    def gradient(self, features: Array, directions: Array) -> Array:
        """Gradient of a combination of logits with respect to the features.

        Args:
            features: float32 (n, side, side, channels).
            directions: float32 (n, 4), weights of the logits, from `direction`.

        Returns:
            float32, the shape of `features`. Of several equal largest values in a pool the first
            gets the gradient, as in TensorFlow.
        """
        return _gradient(self._steps, features, directions)

    def evidence(self, features: Array, directions: Array) -> Array:
        """Features times gradient, summed over channels.

        Where a convolution comes next, its products of features and kernel, which the logits
        need, are also what the gradient through it would be made of: half of the work.

        Args:
            features, directions: As `gradient`.

        Returns:
            float32 (n, side, side).
        """
        first, rest = self._steps[0], self._steps[1:]
        if first.kind != "conv":
            return np.asarray((features * self.gradient(features, directions)).sum(axis=3))
        assert first.kernel is not None
        assert first.bias is not None
        products = _products(features, first.kernel)
        after = _gradient(rest, _gather(products) + first.bias, directions)
        return _spread(products, after)

    def _forward(self, features: Array) -> list[Array]:
        return _values(self._steps, features)


def weighted_layers(cut: str) -> list[str]:
    """Names of the layers with weights after a cut, in order."""
    first = int(cut[-1]) + 1
    hidden = [f"dense{index}" for index in range(1, len(_CONFIG.hidden) + 1)]
    return [f"conv{index}" for index in range(first, len(_CONFIG.pools) + 1)] + hidden + ["logits"]


def _steps_after(cut: str, weights: Mapping[str, Array]) -> list[_Step]:
    def weighted(kind: str, name: str) -> _Step:
        kernel, bias = weights[f"{name}_kernel"], weights[f"{name}_bias"]
        return _Step(kind, name, kernel.astype(np.float32), bias.astype(np.float32))

    steps: list[_Step] = []
    number = int(cut[-1])
    for index in range(number, len(_CONFIG.pools) + 1):
        if index > number:
            steps.append(weighted("conv", f"conv{index}"))
        if index > number or cut.startswith("conv"):
            if (pool := _CONFIG.pools[index - 1]) > 1:
                steps.append(_Step("pool", f"pool{index}", pool=pool))
            steps.append(_Step("elu", f"elu{index}"))
    steps.append(_Step("flatten", "flatten"))
    for index in range(1, len(_CONFIG.hidden) + 1):
        steps += [weighted("dense", f"dense{index}"), _Step("elu", f"dense{index}_elu")]
    return [*steps, weighted("dense", "logits")]


def _values(steps: Sequence[_Step], features: Array) -> list[Array]:
    """What goes into each step, and what comes out of the last."""
    values = [np.asarray(features, dtype=np.float32)]
    for step in steps:
        values.append(_apply(step, values[-1]))
    return values


def _gradient(steps: Sequence[_Step], features: Array, directions: Array) -> Array:
    values = _values(steps, features)
    gradient = directions.astype(np.float32)
    for step, given in zip(reversed(steps), values[-2::-1], strict=True):
        gradient = _backward(step, given, gradient)
    return gradient


def _apply(step: _Step, x: Array) -> Array:
    if step.kind == "elu":
        return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    if step.kind == "pool":
        return np.asarray(_windows(x, step.pool).max(axis=3), dtype=np.float32)
    if step.kind == "flatten":
        return x.reshape(len(x), -1)
    assert step.kernel is not None
    assert step.bias is not None
    if step.kind == "conv":
        return _convolve(x, step.kernel) + step.bias
    return np.asarray(x @ step.kernel + step.bias, dtype=np.float32)


def _backward(step: _Step, x: Array, gradient: Array) -> Array:
    """From the gradient at a step's output to that at its input `x`."""
    if step.kind == "elu":
        return gradient * np.where(x > 0, 1, np.exp(np.minimum(x, 0)))
    if step.kind == "pool":
        return _unpool(x, gradient, step.pool)
    if step.kind == "flatten":
        return gradient.reshape(x.shape)
    assert step.kernel is not None
    if step.kind == "conv":
        # The transposed convolution is one with the kernel turned and its channels exchanged.
        return _convolve(gradient, step.kernel[::-1, ::-1].transpose(0, 1, 3, 2))
    return np.asarray(gradient @ step.kernel.T, dtype=np.float32)


def _convolve(x: Array, kernel: Array) -> Array:
    """3 x 3, stride 1, "same": (n, h, w, in) and (3, 3, in, out) to (n, h, w, out)."""
    return _gather(_products(x, kernel))


def _products(x: Array, kernel: Array) -> Array:
    """Each cell times each of the 3 x 3 places of a kernel: (9, n, h, w, out)."""
    flat = x.reshape(-1, x.shape[3])
    found = np.matmul(flat, kernel.reshape(9, *kernel.shape[2:]))  # (9, n * h * w, out)
    return np.asarray(found.reshape(9, *x.shape[:3], -1), dtype=np.float32)


def _gather(products: Array) -> Array:
    """The convolution, stride 1, "same": each cell's sum over its neighbours' products."""
    total = np.zeros(products.shape[1:], np.float32)
    for place, there, here in _neighbours():
        total[:, *here] += products[place][:, *there]
    return total


def _spread(products: Array, gradient: Array) -> Array:
    """What each cell's products contribute to its neighbours, times the gradient there."""
    total = np.zeros(products.shape[1:4], np.float32)
    for place, there, here in _neighbours():
        total[:, *there] += np.einsum(
            "nhwc,nhwc->nhw", products[place][:, *there], gradient[:, *here]
        )
    return total


def _neighbours() -> Iterator[tuple[int, tuple[slice, slice], tuple[slice, slice]]]:
    """Places in a 3 x 3 kernel, the cells that it reads there and the cells that it writes."""
    low, all_, high = slice(None, -1), slice(None), slice(1, None)
    read, write = (low, all_, high), (high, all_, low)
    for row in range(3):
        for column in range(3):
            yield 3 * row + column, (read[row], read[column]), (write[row], write[column])


def _windows(x: Array, size: int) -> Array:
    """(n, h, w, c) to (n, h // size, w // size, size * size, c); leftover rows are dropped."""
    n, height, width, channels = x.shape
    rows, columns = height // size, width // size
    cropped = x[:, : rows * size, : columns * size]
    split = cropped.reshape(n, rows, size, columns, size, channels).transpose(0, 1, 3, 2, 4, 5)
    return split.reshape(n, rows, columns, size * size, channels)


def _unpool(x: Array, gradient: Array, size: int) -> Array:
    """Puts each gradient where the largest value of its window was: the shape of `x`."""
    windows = _windows(x, size)
    n, rows, columns, _, channels = windows.shape
    winners = windows.argmax(axis=3)[:, :, :, np.newaxis]
    spread = np.zeros_like(windows)
    np.put_along_axis(spread, winners, gradient[:, :, :, np.newaxis], axis=3)
    split = spread.reshape(n, rows, columns, size, size, channels).transpose(0, 1, 3, 2, 4, 5)
    full = np.zeros_like(x)
    full[:, : rows * size, : columns * size] = split.reshape(
        n, rows * size, columns * size, channels
    )
    return full
