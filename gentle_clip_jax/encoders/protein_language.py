"""Sequences of proteins through a published language model, residue by residue."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from gentle_clip_jax.encoders.protein_sequence import PADDING
from gentle_clip_jax.encoders.residues import Residues


class LanguageEncoder(nn.Module):
    """Tokens [b, n] int -> Residues: outputs of a language model mapped to dim, and their mean.

    It takes the tokens of `SequenceEncoder` and reads them as one whole protein. The summary
    [width] is of the model's outputs as they are.

    Args:
      language: ids [b, t] -> outputs [b, t, width] for each of them, such as `ESM2` without mean.
      ids: the model's id of each token.
      first, last: its ids of what a protein begins and ends with.
    """

    language: nn.Module
    ids: tuple[int, ...]
    first: int
    last: int
    dim: int = 32
    dropout: float = 0.2
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, tokens: Array, *, train: bool = False) -> Residues:
        where = tokens != PADDING
        rows = jnp.asarray(self.ids, jnp.int32)[tokens]
        rows = jnp.pad(rows, ((0, 0), (1, 0)), constant_values=self.first)
        rows = jnp.pad(rows, ((0, 0), (0, 1)), constant_values=self.ids[PADDING])
        end = 1 + jnp.sum(where, axis=1, keepdims=True)
        rows = jnp.where(jnp.arange(rows.shape[1])[None, :] == end, self.last, rows)
        outputs = self.language(rows, train=train)[:, 1:-1]
        outputs = jnp.where(where[..., None], outputs, 0)
        summary = jnp.sum(outputs, axis=1) / jnp.maximum(end - 1, 1).astype(outputs.dtype)
        h = nn.Dropout(self.dropout, deterministic=not train)(outputs)
        own = nn.Dense(self.dim, dtype=self.dtype, name="map")(h).astype(jnp.float32)
        return Residues(jnp.where(where[..., None], own, 0), summary)
