"""Layers of Keras written as a `chain`, with their weights as PyTorch has them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.generators.spec import GeneratorSpec

SILENT = ("InputLayer", "Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout")
ACTIVATIONS: dict[str, dict[str, Any]] = {
    "relu": {"layer": "ReLU"},
    "leaky_relu": {"layer": "LeakyReLU", "negative_slope": 0.2},
    "tanh": {"layer": "Tanh"},
    "sigmoid": {"layer": "Sigmoid"},
}
# Options of convolutions that a chain has only at these values.
PLAIN = {"dilation_rate": (1, 1), "output_padding": None, "groups": 1}
KERAS_SLOPE, KERAS_EPS, MAX_SIDE_PX = 0.3, 1e-3, 1 << 14


class ChainWriter:
    """Takes the layers of a Sequential one after another.

    Keras keeps grids as [N, H, W, C]. Numbers that are folded into such a grid are therefore put
    into the order of [N, C, H, W] where they are computed: in the dense layer before, and in the
    norm behind it.

    Args:
        read: gives the variable of a name, such as `layer_with_weights-0/kernel/...`.

    Attributes:
        weights: float arrays by the names of the chain's state dict.
    """

    def __init__(self, read: Callable[[str], np.ndarray]) -> None:
        self._read = read
        self._layers: list[dict[str, Any]] = []
        self._count = 0  # Layers that have weights.
        self._z_dim: int | None = None
        self._shape: tuple[int, ...] = ()  # [width], or [channels, height, width].
        self._unfolded: list[str] = []  # Weights whose first axis is that of the vector.
        self.weights: dict[str, np.ndarray] = {}

    def add(self, kind: str, config: dict[str, Any]) -> None:
        """Add the next layer.

        Args:
            kind: its class in Keras.
            config: what it was constructed with.

        Raises:
            UnusableFileError: no chain has such a layer.
        """
        if kind in SILENT:
            return
        writers = {
            "Dense": self._add_dense,
            "Conv2D": self._add_convolution,
            "Conv2DTranspose": self._add_transposed,
            "BatchNormalization": self._add_norm,
            "Reshape": self._add_reshape,
            "UpSampling2D": self._add_upsampling,
        }
        if kind in writers:
            writers[kind](config)
        elif kind == "LeakyReLU":
            slope = config.get("alpha", config.get("negative_slope", KERAS_SLOPE))
            self._layers.append({"layer": "LeakyReLU", "negative_slope": float(slope)})
        elif kind == "ReLU" and not any(
            config.get(key) for key in ("max_value", "negative_slope", "threshold")
        ):
            self._layers.append(ACTIVATIONS["relu"])
        elif kind != "Activation":
            raise UnusableFileError(f"has a layer '{str(kind)[:40]}', which no chain has")
        self._activate(config)

    def spec(self) -> GeneratorSpec:
        """The generator of all layers.

        Raises:
            UnusableFileError: they turn no latent point into a square picture.
        """
        channels, *sides = self._shape if len(self._shape) == 3 else (0,)
        if self._z_dim is None or channels not in (1, 3) or sides[0] != sides[1]:
            raise UnusableFileError(
                f"turns {self._z_dim or 'pictures'} into {list(self._shape)}, rather than latent "
                "points into square pictures"
            )
        options = {"z_dim": self._z_dim, "image_size": sides[0], "layers": self._layers}
        return GeneratorSpec("chain", options)

    def _variable(self, name: str) -> np.ndarray:
        path = f"layer_with_weights-{self._count}/{name}/.ATTRIBUTES/VARIABLE_VALUE"
        return self._read(path).astype(np.float32)

    def _keep(self, described: dict[str, Any], **tensors: np.ndarray) -> list[str]:
        """Add a layer with its weights; their names."""
        name = f"layers.{self._count}"
        self._layers.append({**described, "name": name})
        self.weights |= {f"{name}.{k}": np.array(t, order="C") for k, t in tensors.items()}
        self._count += 1
        return [f"{name}.{kind}" for kind in tensors]

    def _bias(self, config: dict[str, Any]) -> dict[str, np.ndarray]:
        return {"bias": self._variable("bias")} if config.get("use_bias", True) else {}

    def _add_dense(self, config: dict[str, Any]) -> None:
        kernel, bias = self._variable("kernel"), self._bias(config)
        taken, given = _axes(kernel, 2)
        self._z_dim = self._z_dim or taken
        self._require_width((taken,) if self._layers else self._shape)
        sizes = {"in_features": taken, "out_features": given, "bias": bool(bias)}
        self._unfolded = self._keep({"layer": "Linear", **sizes}, weight=kernel.T, **bias)
        self._shape = (given,)

    def _add_convolution(self, config: dict[str, Any]) -> None:
        stride, same = _read_sizing(config)
        kernel, bias = self._variable("kernel"), self._bias(config)
        height, _, taken, given = _axes(kernel, 4)
        if stride != 1:
            raise UnusableFileError("has a convolution that makes its grid smaller")
        self._convolve("Conv2d", kernel, bias, (taken, given), same, (height - 1) if same else 0)
        self._grow(given, 1, 0 if same else 1 - height)

    def _add_transposed(self, config: dict[str, Any]) -> None:
        stride, same = _read_sizing(config)
        kernel, bias = self._variable("kernel"), self._bias(config)
        height, _, given, taken = _axes(kernel, 4)
        if height < stride:
            raise UnusableFileError("has a transposed convolution whose stride exceeds its kernel")
        cut = height - stride if same else 0
        self._convolve("ConvTranspose2d", kernel, bias, (taken, given), same, cut, stride)
        self._grow(given, stride, 0 if same else height - stride)

    def _convolve(
        self,
        kind: str,
        kernel: np.ndarray,
        bias: dict[str, np.ndarray],
        channels: tuple[int, int],
        same: bool,
        cut: int,
        stride: int = 1,
    ) -> None:
        """Add a convolution that is cut, or padded, by so many rows in all.

        Where that is odd, Keras takes one more at the end. PyTorch takes as many at both ends: a
        row of zeros before the kernel moves it to where it was.
        """
        if len(self._shape) != 3 or self._shape[0] != channels[0]:
            raise UnusableFileError("is damaged: its variables do not fit its layers")
        if same and cut % 2:
            kernel, cut = np.pad(kernel, ((1, 0), (1, 0), (0, 0), (0, 0))), cut + 1
        options = {
            **{"in_channels": channels[0], "out_channels": channels[1]},
            **{"kernel_size": kernel.shape[0], "stride": stride, "padding": cut // 2},
            "bias": bool(bias),
        }
        self._keep({"layer": kind, **options}, weight=kernel.transpose(3, 2, 0, 1), **bias)

    def _add_norm(self, config: dict[str, Any]) -> None:
        mean, variance = self._variable("moving_mean"), self._variable("moving_variance")
        scale = self._variable("gamma") if config.get("scale", True) else np.ones_like(mean)
        shift = self._variable("beta") if config.get("center", True) else np.zeros_like(mean)
        if not self._shape or mean.shape != self._shape[:1]:
            raise UnusableFileError("has a batch norm over something else than its channels")
        kind = "BatchNorm2d" if len(self._shape) == 3 else "BatchNorm1d"
        described = {
            **{"layer": kind, "num_features": len(mean)},
            "eps": float(config.get("epsilon", KERAS_EPS)),
        }
        names = self._keep(
            described,
            **{"weight": scale, "bias": shift, "running_mean": mean, "running_var": variance},
            num_batches_tracked=np.zeros((), np.int64),
        )
        if kind == "BatchNorm1d":
            self._unfolded += names[:4]

    def _add_reshape(self, config: dict[str, Any]) -> None:
        target = _numbers(config.get("target_shape"))
        self._require_width((math.prod(target),))
        if len(target) != 3 or min(target) < 1:
            raise UnusableFileError(f"reshapes a vector to {list(target)}, rather than to a grid")
        height, width, channels = target
        order = np.arange(math.prod(target)).reshape(target).transpose(2, 0, 1).reshape(-1)
        for name in self._unfolded:
            self.weights[name] = np.ascontiguousarray(self.weights[name][order])
        self._shape, self._unfolded = (channels, height, width), []
        folded = {"dim": 1, "unflattened_size": [channels, height, width]}
        self._layers.append({"layer": "Unflatten", **folded})

    def _add_upsampling(self, config: dict[str, Any]) -> None:
        factors, mode = _numbers(config.get("size", [2, 2])), config.get("interpolation", "nearest")
        if len(self._shape) != 3 or len(set(factors)) != 1 or mode not in ("nearest", "bilinear"):
            raise UnusableFileError("has an UpSampling2D that no chain has")
        self._layers.append({"layer": "Upsample", "scale_factor": factors[0], "mode": mode})
        self._grow(self._shape[0], factors[0], 0)

    def _activate(self, config: dict[str, Any]) -> None:
        name = config.get("activation", "linear")
        if name in (None, "linear"):
            return
        if name not in ACTIVATIONS:
            raise UnusableFileError(f"has an activation '{str(name)[:40]}', which no chain has")
        self._layers.append(ACTIVATIONS[name])

    def _grow(self, channels: int, factor: int, more: int) -> None:
        _, height, width = self._shape
        self._shape = (channels, height * factor + more, width * factor + more)
        if not all(1 <= side <= MAX_SIDE_PX for side in self._shape[1:]):
            raise UnusableFileError(f"makes a grid of {self._shape[1]:,} px")

    def _require_width(self, wanted: tuple[int, ...]) -> None:
        if self._shape != wanted:
            raise UnusableFileError("is damaged: its variables do not fit its layers")


def _axes(kernel: np.ndarray, count: int) -> tuple[int, ...]:
    if kernel.ndim != count or (count == 4 and kernel.shape[0] != kernel.shape[1]):
        raise UnusableFileError(f"has a kernel of shape {list(kernel.shape)}")
    return kernel.shape


def _read_sizing(config: dict[str, Any]) -> tuple[int, bool]:
    """The stride of a convolution, and whether its padding is "same"."""
    for key, plain in PLAIN.items():
        value = config.get(key, plain)
        if (_numbers(value) if isinstance(value, list | dict) else value) != plain:
            raise UnusableFileError(f"has a convolution with {key}, which no chain has")
    strides, padding = _numbers(config.get("strides", [1, 1])), config.get("padding", "valid")
    if len(set(strides)) != 1 or padding not in ("same", "valid"):
        raise UnusableFileError(f"has a convolution of strides {list(strides)}, padding {padding}")
    if config.get("data_format", "channels_last") != "channels_last":
        raise UnusableFileError("has its channels first, which is not read here")
    return strides[0], padding == "same"


def _numbers(value: Any) -> tuple[int, ...]:
    """Whole numbers, as a list or as Keras writes a tuple."""
    items = value.get("items") if isinstance(value, dict) else value
    if not isinstance(items, list | tuple) or not all(type(n) is int for n in items):
        raise UnusableFileError(f"has a layer with {str(value)[:40]!r}, where sizes are expected")
    return tuple(items)
