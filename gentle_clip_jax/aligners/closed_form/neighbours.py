"""Features drawn towards those of their neighbours: less noise where pairs are few."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from gentle_clip_jax.losses import pairwise

_BLOCK = 512
NEIGHBOURS = 10


@functools.partial(jax.jit, static_argnames="count")
def smooth(
    features: jax.Array, bank: jax.Array, *, weight: jax.Array | float, count: int = NEIGHBOURS
) -> jax.Array:
    """(1 - weight) features + weight times the mean of their `count` nearest rows of a bank.

    Args:
      features: [n, d].
      bank: [m, d]; rows of the same modality, with or without partners.
      weight: from 0 to 1.
      count: how many neighbours, by cosine; all of a bank that has no more.

    Returns:
      [n, d]; in blocks, so that no [n, m] array is held.
    """
    unit = pairwise.normalize(bank)

    def one(row: jax.Array) -> jax.Array:
        cosines = pairwise.similarity(pairwise.normalize(row[None, :]), unit)[0]
        nearest = jax.lax.top_k(cosines, min(count, len(bank)))[1]
        return (1 - weight) * row + weight * jnp.mean(bank[nearest], axis=0)

    return in_blocks(one, features, _BLOCK)


def in_blocks(one: Callable[[jax.Array], jax.Array], rows: jax.Array, size: int) -> jax.Array:
    """What a function makes of each row [n, d], so many at a time; of all where n is not known.

    In an exported program the number of rows is a symbol, which no loop can go over.
    """
    return jax.lax.map(one, rows, batch_size=size if isinstance(rows.shape[0], int) else 0)
