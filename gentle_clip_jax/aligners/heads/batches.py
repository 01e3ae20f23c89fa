"""Random batches of features, sampled on the device."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.aligners.problem import Features


class Batch(NamedTuple):
    """Features of pairs, x [b, dx] and y [b, dy], and of unmatched items, [u, dx] and [v, dy]."""

    x: jax.Array
    y: jax.Array
    unmatched_x: jax.Array
    unmatched_y: jax.Array


def batches(
    key: jax.Array, features: Features, *, matched: int, unmatched: int
) -> Callable[[jax.Array, jax.Array], Batch]:
    """Return a function of a key and a step that samples a batch of items of each kind.

    Items come in a random order, one batch after the other and round again; within a batch they
    are distinct. One row of each item is sampled.
    """
    kinds = features.x, features.unmatched_x, features.unmatched_y
    sizes = matched, unmatched, unmatched
    orders = [jnp.argsort(rank) for rank in _uniform(key, [len(items) for items in kinds])]
    counts = [min(size, len(items)) for size, items in zip(sizes, kinds)]

    def draw(key: jax.Array, number: jax.Array) -> Batch:
        pairs, of_x, of_y = (
            order[(number * count + jnp.arange(count)) % max(len(order), 1)]
            for order, count in zip(orders, counts)
        )
        chosen = pairs, pairs, of_x, of_y
        rows = _uniform(key, [len(items) for items in chosen])
        return Batch(*map(_pick, features, chosen, rows))

    return draw


def spread(items: jax.Array, count: int) -> jax.Array:
    """Return one row [count, f] of items evenly spread over the array, or of all if fewer."""
    return items[:: max(1, math.ceil(len(items) / max(1, count)))][:count, 0]


def _uniform(key: jax.Array, lengths: list[int]) -> list[jax.Array]:
    """Sample numbers from 0 to 1, in one call: each call adds compile time."""
    return jnp.split(jax.random.uniform(key, (sum(lengths),)), np.cumsum(lengths)[:-1])


def _pick(items: jax.Array, chosen: jax.Array, row: jax.Array) -> jax.Array:
    if len(chosen) == 0:
        return items[:0, 0]
    return items[chosen, jnp.int32(row * items.shape[1])]
