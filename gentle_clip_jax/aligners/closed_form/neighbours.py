"""Neighbour smoothing of features: less noise where pairs are few."""

from collections.abc import Callable

import numpy as np

from gentle_clip_jax.aligners.closed_form.arrays import (
    Array,
    compiled,
    is_numpy,
    similarity,
    top_k,
    unit_rows,
)
from gentle_clip_jax.aligners.settings import GentleTransport

_BLOCK = 512
NEIGHBOURS = GentleTransport.neighbour_count


def smooth_alike(
    features: Array, bank: Array, *, weight: Array | float, count: int = NEIGHBOURS
) -> Array:
    """Return (1 - weight) features + weight times the mean of their `count` nearest bank rows.

    Args:
      features: [n, d].
      bank: [m, d]; rows of the same modality, with or without partners.
      weight: from 0 to 1.
      count: number of neighbours, by cosine; all of a smaller bank.

    Returns:
      [n, d], of NumPy if both are; in blocks, so that memory never holds an [n, m] array.
    """
    run = _smoothed if is_numpy((features, bank)) else smooth
    return run(features, bank, weight=weight, count=count)


def _smoothed(
    features: Array, bank: Array, *, weight: Array | float, count: int = NEIGHBOURS
) -> Array:
    unit = unit_rows(bank)

    def block(rows: Array) -> Array:
        _, nearest = top_k(similarity(unit_rows(rows), unit), min(count, len(bank)))
        return (1 - weight) * rows + weight * bank[nearest].mean(axis=1)

    return in_blocks(block, features, _BLOCK)


# Compiled by JAX, whatever arrays it is given.
smooth = compiled(_smoothed, static_argnames="count")


def in_blocks(each: Callable[[Array], Array], rows: Array, size: int) -> Array:
    """Apply a function of rows [b, d] to blocks of [n, d]; to all at once where n is symbolic.

    In an exported program the number of rows is a symbol, which no loop can go over. No copy of the
    rows is made, as `jax.lax.map` makes several; the last block overlaps the one before.
    """
    count = rows.shape[0]
    if not isinstance(count, int) or count <= size:
        return each(rows)
    if is_numpy(rows):
        return np.concatenate([each(rows[at : at + size]) for at in range(0, count, size)])
    import jax
    import jax.numpy as jnp

    def step(number: jax.Array, done: jax.Array) -> jax.Array:
        start = jnp.minimum(number * size, count - size)
        block = each(jax.lax.dynamic_slice_in_dim(rows, start, size))
        return jax.lax.dynamic_update_slice_in_dim(done, block, start, axis=0)

    of_block = jax.eval_shape(each, rows[:size])
    empty = jnp.zeros((count, *of_block.shape[1:]), of_block.dtype)
    return jax.lax.fori_loop(0, -(-count // size), step, empty)
