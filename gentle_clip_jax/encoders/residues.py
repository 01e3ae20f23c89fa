"""The output of towers that work residue by residue, and the head that pools it to one row."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from gentle_clip_jax.encoders.heads import RefinedMap
from gentle_clip_jax.losses.pairwise import normalize


class Residues(NamedTuple):
    """rows: [b, n, d] embeddings, zero where there is no residue; summary: [b, f] of all."""

    rows: Array
    summary: Array


class ResidueHead(nn.Module):
    """Residues -> unit rows [b, (1 + n) d], float32: the mapped summary, then every residue.

    The summary [d] has length 1 and the residues a mean squared length of 1 before the whole is
    made a unit row: so the inner product of two rows is roughly the mean similarity of residues at
    the same place, and its first part compares items of any length.
    """

    dim: int
    dropout: float = 0.1

    @nn.compact
    def __call__(self, residues: Residues, *, train: bool = False) -> Array:
        summary = RefinedMap(self.dim, self.dropout, use_bias=True, name="summary")(
            residues.summary, train=train
        )
        rows = residues.rows.astype(jnp.float32)
        count = jnp.sum(jnp.any(rows != 0, axis=-1), axis=1)
        flat = normalize(rows.reshape(rows.shape[0], -1))
        size = jnp.sqrt(jnp.maximum(count, 1).astype(jnp.float32))[:, None]
        return normalize(jnp.concatenate([summary, size * flat], axis=1))


def parts(rows: Array, dim: int) -> tuple[Array, Array]:
    """Of a head's rows: unit summaries [b, d], and residues [b, n, d] of mean squared length 1."""
    summary = normalize(rows[:, :dim])
    residues = rows[:, dim:].reshape(rows.shape[0], -1, dim)
    count = jnp.sum(jnp.any(residues != 0, axis=-1), axis=1)
    size = jnp.sqrt(jnp.maximum(count, 1).astype(rows.dtype))
    length = jnp.sqrt(jnp.maximum(jnp.sum(jnp.square(residues), axis=(1, 2)), 1e-12))
    return summary, residues * jax.lax.stop_gradient(size / length)[:, None, None]
