"""The pre-norm transformer encoder both towers are made of."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike


class Block(nn.Module):
    """One pre-norm block: x + attention(norm(x)), then x + mlp(norm(x)); x [b, t, width]."""

    num_heads: int
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, where: Array | None = None, *, train: bool = False) -> Array:
        width = x.shape[-1]
        drop = nn.Dropout(self.dropout, deterministic=not train)
        mask = None if where is None else where[:, None, None, :]
        h = nn.LayerNorm(dtype=jnp.float32)(x).astype(self.dtype)
        h = nn.MultiHeadDotProductAttention(self.num_heads, dtype=self.dtype)(h, mask=mask)
        x = x + drop(h)
        h = nn.LayerNorm(dtype=jnp.float32)(x).astype(self.dtype)
        h = nn.Dense(4 * width, dtype=self.dtype)(h)
        h = nn.Dense(width, dtype=self.dtype)(nn.relu(h))
        return x + drop(h)


class Transformer(nn.Module):
    """`depth` blocks and a final LayerNorm: [b, t, width] -> float32 [b, t, width].

    `where` [b, t] bool marks the tokens that may be attended to.
    """

    depth: int
    num_heads: int
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, where: Array | None = None, *, train: bool = False) -> Array:
        for _ in range(self.depth):
            x = Block(self.num_heads, self.dropout, self.dtype)(x, where, train=train)
        return nn.LayerNorm(dtype=jnp.float32)(x)
