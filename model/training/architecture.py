"""The network: eight convolutions, two hidden dense layers, softmax over four classes.

Input: float32 (batch, 224, 224, 1) in [0, 1]. Output: float32 (batch, 4), probabilities in
the order of `CLASS_NAMES`. It is trained with batch normalisation (Ioffe and Szegedy 2015)
and saved without: `fold_normalization` merges each normalisation into the layer before it.

While training, a lesion head looks at the map of the sixth convolution and says of each of its
14 x 14 cells which tumour it shows, if any. It draws the evidence into the lesion, where an
outline is known, and is dropped with the normalisation.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from model.config import CLASS_NAMES, IMAGE_SIZE, MODEL_NAME, ArchitectureConfig
from model.training.normalization import FusedBatchNormalization


def build_cnn(
    config: ArchitectureConfig | None = None,
    *,
    normalize: bool = True,
    lesion_head: bool = False,
) -> keras.Model:
    """Builds the network with fresh weights.

    Args:
        config: Filters, strides, pools and dense units; by default those with exactly
            3,763,940 parameters once folded.
        normalize: True for the network that is trained (batch normalisation and dropout),
            False for the one that is saved (neither; every parameter trainable).
        lesion_head: True adds the output `lesion`, float32 (batch, cells, cells, 4): for each
            cell of 16 x 16 pixels the shares of the classes, `notumor` meaning no lesion there.

    Returns:
        An uncompiled `keras.Model`; layers are named conv1..8, pool1.., dense1.., probabilities.
        Its output is a tensor, with the lesion head a dictionary `probabilities` and `lesion`.
    """
    config = config or ArchitectureConfig()
    inputs = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1), name="image")
    x, lesion = inputs, None
    for index, (filters, stride, pool) in enumerate(
        zip(config.filters, config.strides, config.pools, strict=True), start=1
    ):
        x = layers.Conv2D(
            filters,
            3,
            strides=stride,
            padding="same",
            use_bias=not normalize,
            kernel_initializer="he_normal",
            name=f"conv{index}",
        )(x)
        if index == config.lesion_layer and lesion_head:
            lesion = _lesion_head(x)
        # Pooling comes before normalisation: a quarter of the pixels to normalise.
        if pool > 1:
            x = layers.MaxPooling2D(pool, name=f"pool{index}")(x)
        if normalize:
            # A scale that cannot turn negative commutes with the maximum, so folding is exact.
            x = FusedBatchNormalization(
                gamma_constraint=keras.constraints.NonNeg(), name=f"conv{index}_norm"
            )(x)
        x = layers.Activation("elu", name=f"elu{index}")(x)
    x = layers.Flatten(name="flatten")(x)  # (batch, 2304)
    for index, units in enumerate(config.hidden, start=1):
        x = layers.Dense(
            units, use_bias=not normalize, kernel_initializer="he_normal", name=f"dense{index}"
        )(x)
        if normalize:
            x = layers.BatchNormalization(name=f"dense{index}_norm")(x)
        x = layers.Activation("elu", name=f"dense{index}_elu")(x)
        if normalize and config.dropout > 0:
            x = layers.Dropout(config.dropout, name=f"dropout{index}")(x)
    logits = layers.Dense(len(CLASS_NAMES), name="logits")(x)  # (batch, 4)
    # Softmax in float32 also under mixed precision, where bfloat16 would round probabilities.
    outputs = layers.Activation("softmax", dtype="float32", name="probabilities")(logits)
    if lesion is None:
        return keras.Model(inputs, outputs, name=MODEL_NAME)
    return keras.Model(inputs, {"probabilities": outputs, "lesion": lesion}, name=MODEL_NAME)


def _lesion_head(x: Any) -> Any:
    """Class shares of each cell: (batch, cells, cells, 256) to (batch, cells, cells, 4)."""
    x = FusedBatchNormalization(name="lesion_norm")(x)
    x = layers.Activation("elu", name="lesion_elu")(x)
    x = layers.Conv2D(len(CLASS_NAMES), 1, name="lesion_logits")(x)
    return layers.Activation("softmax", dtype="float32", name="lesion")(x)


def fold_normalization(model: keras.Model, config: ArchitectureConfig | None = None) -> keras.Model:
    """Merges every batch normalisation into the convolution or dense layer before it.

    With scale s = gamma / sqrt(variance + epsilon), kernel' = kernel * s and
    bias' = beta - mean * s (Jacob et al. 2018, section 3.2). Max pooling in between changes
    nothing while s >= 0, which `build_cnn` makes sure of.

    Args:
        model: A network of `build_cnn(config, normalize=True)`.
        config: The configuration it was built with.

    Returns:
        The equal network without normalisation or dropout, in float32.

    Raises:
        ValueError: A scale in front of which a maximum was taken is negative.
    """
    config = config or ArchitectureConfig()
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        folded = build_cnn(config, normalize=False)
    finally:
        keras.config.set_dtype_policy(previous)
    for layer in folded.layers:
        if not layer.weights:
            continue
        source = model.get_layer(layer.name)
        if layer.name == "logits":
            layer.set_weights(source.get_weights())
            continue
        layer.set_weights(_folded_weights(source, model.get_layer(f"{layer.name}_norm")))
    return folded


def _folded_weights(layer: Any, norm: Any) -> list[np.ndarray]:
    (kernel,) = layer.get_weights()
    gamma, beta, mean, variance = (w.astype(np.float64) for w in norm.get_weights())
    if layer.name.startswith("conv") and (gamma < 0).any():
        raise ValueError(
            f"`{norm.name}` must have scales of at least 0 to be folded. Received: {gamma.min()}"
        )
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return [(kernel * scale).astype(np.float32), (beta - mean * scale).astype(np.float32)]
