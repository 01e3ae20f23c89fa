"""Random batches of a problem's features, drawn on the device."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gentle_clip_jax.closed_form.problem import Problem


class Batch(NamedTuple):
    """Features of pairs, x [b, dx] and y [b, dy], and of unmatched items, [u, dx] and [v, dy]."""

    x: jax.Array
    y: jax.Array
    unmatched_x: jax.Array
    unmatched_y: jax.Array


def batches(
    key: jax.Array, problem: Problem, *, matched: int, unmatched: int
) -> Callable[[jax.Array, jax.Array], Batch]:
    """A function from a key and a number to a batch of at most that many items of each kind.

    Items come in a random order, one batch after the other and round again; within a batch they
    are distinct. Of an item's rows one is drawn at random.
    """
    counts = [min(matched, len(problem.x))]
    counts += [min(unmatched, len(items)) for items in (problem.unmatched_x, problem.unmatched_y)]
    sizes = len(problem.x), len(problem.unmatched_x), len(problem.unmatched_y)
    orders = [jax.random.permutation(k, n) for k, n in zip(jax.random.split(key, 3), sizes)]

    def draw(key: jax.Array, number: jax.Array) -> Batch:
        pairs, of_x, of_y = (
            order[(number * count + jnp.arange(count)) % max(len(order), 1)]
            for order, count in zip(orders, counts)
        )
        keys = jax.random.split(key, 4)
        return Batch(
            _one_row(keys[0], problem.x, pairs),
            _one_row(keys[1], problem.y, pairs),
            _one_row(keys[2], problem.unmatched_x, of_x),
            _one_row(keys[3], problem.unmatched_y, of_y),
        )

    return draw


def _one_row(key: jax.Array, items: jax.Array, chosen: jax.Array) -> jax.Array:
    if len(chosen) == 0:
        return items[:0, 0]
    return items[chosen, jax.random.randint(key, chosen.shape, 0, items.shape[1])]
