"""Embeddings of a batch, and the objective computed from them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.losses.objectives import Embedded, Objective, Terms


class Rows(NamedTuple):
    """Embeddings of a batch, the first `num_matched` rows of x and y being pairs.

    x, y: [n, d] and [m, d]; with second views, which come last, [2n, d] and [2m, d].
    teacher: the unmatched rows embedded with the initial parameters, if the objective needs them.
    """

    x: jax.Array
    y: jax.Array
    num_matched: int
    has_views: bool
    teacher: tuple[jax.Array, jax.Array] | None = None


def embedded(rows: Rows) -> Embedded:
    """Return the rows split into the fields that objectives take."""
    b = rows.num_matched
    (x, view_x), (y, view_y) = (
        jnp.split(z, 2) if rows.has_views else (z, None) for z in (rows.x, rows.y)
    )
    teacher_x, teacher_y = rows.teacher or (None, None)
    return Embedded(x[:b], y[:b], x[b:], y[b:], view_x, view_y, teacher_x, teacher_y)


def loss(
    rows: Rows,
    temperature: jax.Array,
    objective: Objective,
    settings: Mapping[str, Any],
    model: TwoTowers,
) -> tuple[jax.Array, Terms]:
    """Return the objective of the rows: the `Task.loss` of tasks without a term of their own."""
    return objective(embedded(rows), temperature=temperature)
