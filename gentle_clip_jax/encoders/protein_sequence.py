"""Sequences of proteins, residue by residue."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from gentle_clip_jax.encoders.residues import Residues

PADDING, MASK = 21, 22
NUM_TOKENS = 23  # twenty amino acids, an unknown one, PADDING and MASK


class SequenceEncoder(nn.Module):
    """Tokens [b, n] int -> Residues: embeddings [b, n, dim], and a summary of the composition.

    The embedding of a residue is that of its letter plus `depth` convolutions along the chain.
    Memory and time grow with n. The summary [20 + 400] has the square roots of the frequencies of
    amino acids and of neighbouring pairs; roots give all of them similar noise.
    """

    dim: int = 32
    width: int = 64
    depth: int = 2
    reach: int = 3  # residues to either side that a convolution sees
    dropout: float = 0.3
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, tokens: Array, *, train: bool = False) -> Residues:
        drop = nn.Dropout(self.dropout, deterministic=not train)
        where = (tokens != PADDING)[..., None]
        own = nn.Embed(NUM_TOKENS, self.dim, name="residue")(tokens)
        h = jnp.where(where, nn.Embed(NUM_TOKENS, self.width, name="context")(tokens), 0)
        for _ in range(self.depth):
            near = nn.Conv(self.width, (2 * self.reach + 1,), dtype=self.dtype)(drop(h))
            h = jnp.where(where, h + nn.gelu(near), 0)
        if self.depth:
            own = own + nn.Dense(self.dim, use_bias=False, dtype=self.dtype)(drop(h))
        return Residues(jnp.where(where, own.astype(jnp.float32), 0), composition(tokens))


def composition(tokens: Array) -> Array:
    """Return scaled roots of the shares of amino acids and of neighbours in tokens [b, n]."""
    kinds = jax.nn.one_hot(tokens, 20)
    count = jnp.maximum(jnp.sum(kinds, axis=(1, 2)), 1)[:, None]
    alone = jnp.sum(kinds, axis=1) / count
    two = jnp.einsum("bia,bic->bac", kinds[:, :-1], kinds[:, 1:])
    two = two.reshape(tokens.shape[0], -1) / count
    # The factors make the variances of both parts' sums alike among domains.
    return jnp.concatenate([8 * jnp.sqrt(alone), 3 * jnp.sqrt(two)], axis=1)
