"""CLIP's ResNet: a stem of three convolutions, strides that pool first, attention at the end."""

from collections.abc import Iterator

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from gentle_clip_jax.encoders.pre_norm import Attention, parameter_names, standardized

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_HEAD_WIDTH = 64


class ConvNorm(nn.Module):
    """x [b, h, w, c] -> [b, h / stride, w / stride, features]: convolution, stored BatchNorm."""

    features: int
    size: int = 1
    stride: int = 1
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        convolution = nn.Conv(
            self.features,
            (self.size, self.size),
            self.stride,
            self.size // 2,
            use_bias=False,
            dtype=self.dtype,
            name="convolution",
        )
        zeros, ones = nn.initializers.zeros, nn.initializers.ones
        scale, bias, mean, variance = (
            self.param(name, initializer, (self.features,), jnp.float32)
            for name, initializer in zip(
                ("scale", "bias", "mean", "variance"), (ones, zeros, zeros, ones)
            )
        )
        # What was measured in training is no parameter of it.
        mean, variance = jax.lax.stop_gradient((mean, variance))
        factor = scale / jnp.sqrt(variance + 1e-5)
        x = convolution(x).astype(jnp.float32) * factor[None, None, None]
        return (x + (bias - mean * factor)[None, None, None]).astype(self.dtype)


class Block(nn.Module):
    """A bottleneck of three convolutions, added to x; any stride is a mean over squares."""

    features: int
    stride: int
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        width = 4 * self.features
        h = nn.relu(ConvNorm(self.features, dtype=self.dtype, name="reduce")(x))
        h = nn.relu(ConvNorm(self.features, 3, dtype=self.dtype, name="filter")(h))
        h = _square_means(h, self.stride)
        h = ConvNorm(width, dtype=self.dtype, name="expand")(h)
        if self.stride > 1 or x.shape[-1] != width:
            x = _square_means(x, self.stride)
            x = ConvNorm(width, dtype=self.dtype, name="shortcut")(x)
        return nn.relu(x + nn.Dropout(self.dropout, deterministic=not train)(h))


class ModifiedResNet(nn.Module):
    """Images [b, image_size, image_size, 3], 0 to 255 -> float32 features [b, dim], projected.

    `mean` and `std` are of pixels in [0, 1]. BatchNorm keeps its stored statistics, in training
    too. The defaults are those of RN50. Rows are not of unit length.

    Source: Radford et al., arXiv 2103.00020, section 2.4 and table 19; He et al., arXiv 1512.03385.
    """

    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    image_size: int = 224
    dim: int = 1024
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, images: Array, *, train: bool = False) -> Array:
        x = standardized(images, self.image_size, self.mean, self.std).astype(self.dtype)
        for i in range(3):
            features, stride = self.width // (1 if i == 2 else 2), 2 if i == 0 else 1
            x = nn.relu(ConvNorm(features, 3, stride, self.dtype, name=f"stem_{i}")(x))
        x = _square_means(x, 2)
        for i, (stage, j) in enumerate(places(self.depths)):
            features, stride = self.width * 2**stage, 2 if stage and not j else 1
            block = Block(features, stride, self.dropout, self.dtype, name=f"block_{i}")
            x = block(x, train=train)
        x = x.reshape(x.shape[0], -1, x.shape[-1])
        x = jnp.concatenate([x.mean(axis=1, keepdims=True), x], axis=1)
        position = self.param("position", nn.initializers.normal(0.02), x.shape[1:], jnp.float32)
        x = x + position[None].astype(self.dtype)
        num_heads = x.shape[-1] // _HEAD_WIDTH
        pool = Attention(num_heads, features=self.dim, dtype=self.dtype, name="pool")
        return pool(x[:, :1], x)[:, 0].astype(jnp.float32)


def _square_means(x: Array, size: int) -> Array:
    """x [b, h, w, c] -> [b, h / size, w / size, c]: the mean of each square that is whole."""
    height, width = x.shape[1] // size, x.shape[2] // size
    x = x[:, : height * size, : width * size]
    return x.reshape(x.shape[0], height, size, width, size, x.shape[-1]).mean(axis=(2, 4))


def places(depths: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Return the stage of each block, and its number in that stage."""
    return ((stage, j) for stage, depth in enumerate(depths) for j in range(depth))


def checkpoint_names(model: ModifiedResNet) -> dict[str, str]:
    """Map names of parameters to names in the published checkpoint, with in_proj split."""
    layers = {f"stem_{i}": (f"conv{i + 1}", f"bn{i + 1}") for i in range(3)}
    for i, (stage, j) in enumerate(places(model.depths)):
        theirs = f"layer{stage + 1}.{j}"
        for k, name in enumerate(("reduce", "filter", "expand"), start=1):
            layers[f"block_{i}/{name}"] = (f"{theirs}.conv{k}", f"{theirs}.bn{k}")
        layers[f"block_{i}/shortcut"] = (f"{theirs}.downsample.0", f"{theirs}.downsample.1")
    names = {"position": "visual.attnpool.positional_embedding"}
    for ours, (convolution, batch_norm) in layers.items():
        names[f"{ours}/convolution/kernel"] = f"visual.{convolution}.weight"
        names[f"{ours}/scale"] = f"visual.{batch_norm}.weight"
        names[f"{ours}/bias"] = f"visual.{batch_norm}.bias"
        names[f"{ours}/mean"] = f"visual.{batch_norm}.running_mean"
        names[f"{ours}/variance"] = f"visual.{batch_norm}.running_var"
    pool = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "out": "c_proj"}
    return names | parameter_names(
        {f"pool/{ours}": f"visual.attnpool.{theirs}" for ours, theirs in pool.items()}
    )
