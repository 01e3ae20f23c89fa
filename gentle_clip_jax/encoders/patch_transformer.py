"""A small vision transformer with a stem of overlapping patches."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from gentle_clip_jax.encoders.transformer import Transformer


class PatchTransformer(nn.Module):
    """Images [b, height, width, channels] -> float32 features [b, width], the mean over patches.

    Images are uint8, or floats in [0, 1]; of one channel also [b, height, width].

    Patches of `patch_size` pixels. Each is first seen as four quarters that reach half a quarter
    over their borders, so that a stroke on a border is seen whole. All of it is reshapes and
    matrix products: on CPU, XLA's convolutions use one core where its matrix products use all.

    height and width must be multiples of patch_size, and patch_size one of 4.

    Source: Dosovitskiy et al., arXiv 2010.11929, equation 1, without the class token; the stem
    after Xiao et al., arXiv 2106.14881.
    """

    patch_size: int = 8
    stem_width: int = 64
    width: int = 128
    depth: int = 3
    num_heads: int = 4
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, images: Array, *, train: bool = False) -> Array:
        if images.dtype == jnp.uint8:
            images = images.astype(jnp.float32) / 255
        if images.ndim == 3:
            images = images[..., None]
        x = _overlapping_windows(images.astype(self.dtype), self.patch_size // 2)
        x = nn.relu(nn.Dense(self.stem_width, dtype=self.dtype, name="quarter_embedding")(x))
        x = _merge(x, 2)
        x = x.reshape(x.shape[0], -1, x.shape[-1])
        x = nn.Dense(self.width, dtype=self.dtype, name="patch_embedding")(x)
        position = self.param("position", nn.initializers.normal(0.02), x.shape[1:], jnp.float32)
        x = x + position[None].astype(self.dtype)
        x = Transformer(self.depth, self.num_heads, self.dropout, self.dtype)(x, train=train)
        return x.mean(axis=1)


def _merge(x: Array, size: int) -> Array:
    """[b, h, w, c] -> [b, h / size, w / size, size * size * c]: each square becomes one vector."""
    b, h, w, c = x.shape
    x = x.reshape(b, h // size, size, w // size, size, c).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, h // size, w // size, size * size * c)


def _overlapping_windows(images: Array, stride: int) -> Array:
    """[b, h, w, c] -> [b, h / stride, w / stride, 4 stride^2 c]: windows twice as wide as apart."""
    margin = stride // 2
    tiles = _merge(jnp.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0))), stride)
    corners = tiles[:, :-1, :-1], tiles[:, :-1, 1:], tiles[:, 1:, :-1], tiles[:, 1:, 1:]
    return jnp.concatenate(corners, axis=-1)
