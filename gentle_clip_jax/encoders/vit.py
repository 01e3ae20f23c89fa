"""A small vision transformer."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from gentle_clip_jax.encoders.transformer import Transformer


class VisionTransformer(nn.Module):
    """Images [b, height, width, channels] -> features [b, width], the mean over patches.

    Patches are cut by a reshape and embedded by one matrix product: on CPU, XLA's convolutions
    use one core where its matrix products use all.

    Source: Dosovitskiy et al., arXiv 2010.11929, equation 1, without the class token.
    """

    patch_size: int = 4
    width: int = 128
    depth: int = 4
    num_heads: int = 4
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, images: Array, *, train: bool = False) -> Array:
        b, h, w, c = images.shape
        p = self.patch_size
        x = images.astype(self.dtype).reshape(b, h // p, p, w // p, p, c)
        x = x.transpose(0, 1, 3, 2, 4, 5).reshape(b, (h // p) * (w // p), p * p * c)
        x = nn.Dense(self.width, dtype=self.dtype, name="patch_embedding")(x)
        position = self.param("position", nn.initializers.normal(0.02), x.shape[1:], jnp.float32)
        x = x + position.astype(self.dtype)
        x = Transformer(self.depth, self.num_heads, self.dropout, self.dtype)(x, train=train)
        return x.mean(axis=1)
