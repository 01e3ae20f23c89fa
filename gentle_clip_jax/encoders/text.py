"""A small text transformer."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from gentle_clip_jax.encoders.transformer import Transformer


class TextTransformer(nn.Module):
    """Token ids [b, t] int, 0 = padding -> features [b, width], the mean over real tokens."""

    vocab_size: int
    width: int = 128
    depth: int = 2
    num_heads: int = 4
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, tokens: Array, *, train: bool = False) -> Array:
        where = tokens != 0
        x = nn.Embed(self.vocab_size, self.width, name="token_embedding")(tokens)
        position = self.param("position", nn.initializers.normal(0.02), x.shape[1:], jnp.float32)
        x = (x + position[None]).astype(self.dtype)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        x = Transformer(self.depth, self.num_heads, self.dropout, self.dtype)(x, where, train=train)
        weight = where[..., None].astype(jnp.float32)
        return (x * weight).sum(axis=1) / jnp.maximum(weight.sum(axis=1), 1.0)
