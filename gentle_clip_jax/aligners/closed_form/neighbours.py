"""Neighbour smoothing of features: less noise where pairs are few."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from gentle_clip_jax.aligners.settings import GentleTransport
from gentle_clip_jax.losses import pairwise

_BLOCK = 512
NEIGHBOURS = GentleTransport.neighbour_count


@functools.partial(jax.jit, static_argnames="count")
def smooth(
    features: jax.Array, bank: jax.Array, *, weight: jax.Array | float, count: int = NEIGHBOURS
) -> jax.Array:
    """Return (1 - weight) features + weight times the mean of their `count` nearest bank rows.

    Args:
      features: [n, d].
      bank: [m, d]; rows of the same modality, with or without partners.
      weight: from 0 to 1.
      count: number of neighbours, by cosine; all of a smaller bank.

    Returns:
      [n, d]; in blocks, so that memory never holds an [n, m] array.
    """
    unit = pairwise.normalize(bank)

    def one(row: jax.Array) -> jax.Array:
        cosines = pairwise.similarity(pairwise.normalize(row[None, :]), unit)[0]
        nearest = jax.lax.top_k(cosines, min(count, len(bank)))[1]
        return (1 - weight) * row + weight * jnp.mean(bank[nearest], axis=0)

    return in_blocks(one, features, _BLOCK)


def in_blocks(one: Callable[[jax.Array], jax.Array], rows: jax.Array, size: int) -> jax.Array:
    """Apply a function to each row [n, d] in blocks; to all at once where n is symbolic.

    In an exported program the number of rows is a symbol, which no loop can go over. No copy of the
    rows is made, as `jax.lax.map` makes several; the last block overlaps the one before.
    """
    count, each = rows.shape[0], jax.vmap(one)
    if not isinstance(count, int) or count <= size:
        return each(rows)

    def step(number: jax.Array, done: jax.Array) -> jax.Array:
        start = jnp.minimum(number * size, count - size)
        block = each(jax.lax.dynamic_slice_in_dim(rows, start, size))
        return jax.lax.dynamic_update_slice_in_dim(done, block, start, axis=0)

    of_one = jax.eval_shape(one, rows[0])
    empty = jnp.zeros((count, *of_one.shape), of_one.dtype)
    return jax.lax.fori_loop(0, -(-count // size), step, empty)
