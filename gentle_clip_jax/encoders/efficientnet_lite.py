"""EfficientNet-Lite0, an image encoder that is fast on a CPU."""

import functools
import operator
from collections.abc import Iterator

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

# Blocks, kernel size, stride of the first, expansion, channels.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
# Of a published checkpoint: the classifier and the counters of training.
UNUSED = r"_fc\..*|.*\.num_batches_tracked"


class ConvNorm(nn.Module):
    """x [b, h, w, c] -> [b, h / stride, w / stride, features]: convolution, stored BatchNorm."""

    features: int
    size: int = 1
    stride: int = 1
    depthwise: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        zeros, ones = nn.initializers.zeros, nn.initializers.ones
        shape = (self.size, self.size, 1 if self.depthwise else x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        scale = self.param("scale", ones, (self.features,))
        bias = self.param("bias", zeros, (self.features,))
        mean = self.param("mean", zeros, (self.features,))
        variance = self.param("variance", ones, (self.features,))
        # Small batches would spoil the stored statistics: they stay as they are in training too.
        mean, variance = jax.lax.stop_gradient((mean, variance))
        factor = scale / jnp.sqrt(variance + 1e-3)
        convolve = depthwise if self.depthwise else dense
        y = convolve(x, kernel * factor[None, None, None], self.stride)
        return y + (bias - mean * factor)[None, None, None]


def depthwise(x: Array, kernel: Array, stride: int) -> Array:
    """x [b, h, w, c] -> [b, h / stride, w / stride, c] by kernel [k, k, 1, c], channel by channel.

    A product for each place of the kernel: XLA's own takes several times as long on a CPU.
    """
    size, channels = kernel.shape[0], kernel.shape[-1]
    weights = kernel.reshape(-1, 1, 1, 1, channels)
    shifted = _shifted(x, size, stride)
    return functools.reduce(operator.add, (part * w for part, w in zip(shifted, weights)))


def dense(x: Array, kernel: Array, stride: int) -> Array:
    """x [b, h, w, c] -> [b, h / stride, w / stride, d] by kernel [k, k, c, d].

    One product of matrices: XLA's own uses one core of a CPU.
    """
    size, channels = kernel.shape[0], kernel.shape[-1]
    windows = jnp.concatenate([*_shifted(x, size, stride)], axis=-1)
    return windows @ kernel.reshape(-1, channels)


def _shifted(x: Array, size: int, stride: int) -> Iterator[Array]:
    """Return the input of each of the size x size taps of a kernel, with SAME padding."""
    window, step = (1, size, size, 1), (1, stride, stride, 1)
    x = jnp.pad(x, jax.lax.padtype_to_pads(x.shape, window, step, "SAME"))
    height, width = x.shape[1] - size + 1, x.shape[2] - size + 1
    for i in range(size):
        for j in range(size):
            yield x[:, i : i + height : stride, j : j + width : stride]


class Block(nn.Module):
    """An inverted bottleneck: expand, filter each channel, project; x is added if it fits.

    x [b, h, w, c] -> [b, h / stride, w / stride, features], and the filtered channels.
    """

    features: int
    size: int
    stride: int
    expansion: int

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, Array]:
        width = self.expansion * x.shape[-1]
        h = x
        if self.expansion > 1:
            h = nn.relu6(ConvNorm(width, name="expand")(h))
        filtered = ConvNorm(width, self.size, self.stride, depthwise=True, name="depthwise")(h)
        filtered = nn.relu6(filtered)
        h = ConvNorm(self.features, name="project")(filtered)
        return (x + h if x.shape == h.shape else h), filtered


class EfficientNetLite0(nn.Module):
    """Images [b, height, width, 3], values from 0 to 255 -> float32 features [b, 1280].

    Made for 224 x 224 pixels. The features are what the published classifier sees; where `rich`,
    [b, 3456]: then the mean over all places of the last filtered channels, and mean and deviation
    of the stages of 192 and 320 channels.
    `train` changes nothing: there is no dropout, and BatchNorm keeps the statistics that it was
    published with.

    Source: Tan and Le, arXiv 1905.11946, table 1, without squeeze-and-excitation and with ReLU6, as
    published under the name of EfficientNet-Lite.
    """

    rich: bool = False

    @nn.compact
    def __call__(self, images: Array, *, train: bool = False) -> Array:
        x, stages = (images.astype(jnp.float32) - 127) / 128, {}
        x = filtered = nn.relu6(ConvNorm(32, size=3, stride=2, name="stem")(x))
        for i, (features, size, stride, expansion) in enumerate(blocks()):
            x, filtered = Block(features, size, stride, expansion, name=f"block_{i}")(x)
            stages[features] = x
        head = nn.relu6(ConvNorm(1280, name="head")(x)).mean(axis=(1, 2))
        if not self.rich:
            return head
        # Not the head's deviations, which bring nothing, nor filtered channels before the last: by
        # these, which see how sharp an image is, enlarged thumbnails lie far from all others.
        parts = [head, filtered.mean(axis=(1, 2)), *_spread(stages[192]), *_spread(stages[320])]
        return jnp.concatenate(parts, axis=1)


def _spread(x: Array) -> tuple[Array, Array]:
    """Return the mean and deviation [b, c] over all places of x [b, h, w, c]."""
    return x.mean(axis=(1, 2)), jnp.sqrt(x.var(axis=(1, 2)))


def blocks() -> Iterator[tuple[int, int, int, int]]:
    """Channels, kernel size, stride and expansion of each block."""
    for num, size, stride, expansion, features in STAGES:
        yield features, size, stride, expansion
        for _ in range(num - 1):
            yield features, size, 1, expansion


def checkpoint_names() -> dict[str, str]:
    """Map the names of the parameters to names in the published PyTorch checkpoint."""
    layers = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}
    for i, (*_, expansion) in enumerate(blocks()):
        convolutions = ["expand"] * (expansion > 1) + ["depthwise", "project"]
        for number, name in enumerate(convolutions, start=3 - len(convolutions)):
            theirs = f"_blocks.{i}."
            layers[f"block_{i}/{name}"] = (f"{theirs}_{name}_conv", f"{theirs}_bn{number}")
    return {
        f"{ours}/{leaf}": f"{theirs}.{name}"
        for ours, (convolution, norm) in layers.items()
        for leaf, theirs, name in (
            ("kernel", convolution, "weight"),
            ("scale", norm, "weight"),
            ("bias", norm, "bias"),
            ("mean", norm, "running_mean"),
            ("variance", norm, "running_var"),
        )
    }
