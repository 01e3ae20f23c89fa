"""What a batch becomes: second views drawn apart, a teacher without dropout; and refined heads."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.aligners.closed_form import Maps, Smoothed
from gentle_clip_jax.aligners.closed_form.neighbours import smooth
from gentle_clip_jax.aligners.heads import sides
from gentle_clip_jax.aligners.heads.batches import Batch
from gentle_clip_jax.aligners.heads.refined import Refined
from gentle_clip_jax.aligners.problem import Features

RNG = np.random.default_rng(0)


def normal(*shape: int) -> jnp.ndarray:
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


@pytest.fixture(scope="module")
def started():
    features = Features(normal(6, 1, 4), normal(6, 1, 5), normal(8, 1, 4), normal(9, 1, 5))
    return sides.start(jax.random.key(0), features, None, dim=8, dropout=0.5)


@pytest.mark.parametrize("view_dropout", [0.0, 0.5])
def test_second_views_are_drawn_apart_from_the_first(started, view_dropout):
    head, heads = started
    batch = Batch(normal(6, 4), normal(6, 5), normal(3, 4), normal(2, 5))
    embed = functools.partial(sides.embed_batch, head, teacher=heads, view_dropout=view_dropout)
    e = jax.jit(embed)(heads, batch, jax.random.key(1))
    assert [len(rows) for rows in e[:6]] == [6, 6, 3, 2, 9, 8]
    for rows, view in ((e.every_x, e.view_x), (e.every_y, e.view_y)):
        assert np.abs(np.asarray(rows - view)).max(axis=1).min() > 1e-3


def test_a_teacher_is_not_what_it_teaches(started):
    head, start = started
    now = start.holding(jax.tree.map(lambda leaf: leaf + 1, start.params()))
    batch = Batch(normal(6, 4), normal(6, 5), normal(3, 4), normal(2, 5))
    embed = functools.partial(sides.embed_batch, head, teacher=start, view_dropout=0.0)
    e = jax.jit(embed)(now, batch, jax.random.key(1))
    for found, side, rows in (
        (e.teacher_x, start.x, batch.unmatched_x),
        (e.teacher_y, start.y, batch.unmatched_y),
    ):
        np.testing.assert_allclose(found, sides.embed(head, side, rows), rtol=1e-4, atol=1e-6)


def test_random_heads_take_components_at_their_own_sizes():
    """Principal components that hardly vary are noise: made as large as the first, all there is."""
    sizes = np.array([3, 1, 0.1, 0], np.float32)
    features = Features(
        normal(9, 2, 4) * sizes[None, None] + 7, normal(9, 1, 5), normal(0, 2, 4), normal(0, 1, 5)
    )
    _, heads = sides.start(jax.random.key(0), features, None, dim=8, dropout=0.0)
    rows = np.asarray(features.x, np.float64).reshape(-1, 4)
    centered = rows - rows.mean(axis=0)
    seen = (rows - np.asarray(heads.x.center)) * np.asarray(heads.x.scale)
    np.testing.assert_allclose(np.square(seen).mean(), 1, rtol=1e-4)
    np.testing.assert_allclose(seen / seen.std(), centered / centered.std(), rtol=1e-4, atol=1e-5)


def test_a_refined_head_sees_queries_smoothed_as_it_was_trained():
    class Trained:
        def embed_x(self, x):
            return x

        def embed_y(self, y):
            return 2 * y

    bank, x = normal(30, 4), normal(7, 4)
    start = Smoothed(Maps(*(jnp.zeros(1),) * 4), bank, 0.7)
    refined = Refined(start, Trained())
    np.testing.assert_array_equal(refined.embed_x(x), smooth(x, bank, weight=0.7))
    np.testing.assert_array_equal(refined.embed_y(x), 2 * x)
