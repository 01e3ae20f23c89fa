"""Gentle transport joined with relative representations, against float64 NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.aligners.closed_form.cca import cca
from gentle_clip_jax.aligners.closed_form.joined import Joined, mutual, with_relative
from gentle_clip_jax.aligners.closed_form.relative import relative as fit_relative
from gentle_clip_jax.aligners.problem import Features


def sides(pairs=20, others=30, dim=6):
    """Both sides are the same items, turned; the last others of y belong to nothing."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(pairs + others, dim))
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    y = x @ turn
    y[-others // 3 :] = rng.normal(size=y[-others // 3 :].shape)
    return [part.astype(np.float32) for part in (x[:pairs], y[:pairs], x[pairs:], y[pairs:])]


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def relative(rows, anchors):
    cosines = unit(rows - anchors.mean(axis=0)) @ unit(anchors - anchors.mean(axis=0)).T
    return unit(np.sign(cosines) * np.abs(cosines) ** 8)


def joined(maps, anchors, rows, name):
    linear = np.asarray(getattr(maps, name)(jnp.asarray(rows)), np.float64)
    return np.concatenate([linear, relative(rows.astype(np.float64), anchors)], axis=1) / np.sqrt(2)


def test_anchors_are_pairs_and_mutual_neighbours():
    x, y, more_x, more_y = sides()
    features = Features(*(jnp.asarray(part)[:, None] for part in (x, y, more_x, more_y)))
    maps = cca(jnp.asarray(x), jnp.asarray(y), shrinkage=0.1)
    first_x = joined(maps, x.astype(np.float64), more_x, "embed_x")
    first_y = joined(maps, y.astype(np.float64), more_y, "embed_y")
    cosines = first_x @ first_y.T
    found = [(i, j) for i, j in enumerate(cosines.argmax(1)) if cosines[:, j].argmax() == i]
    assert 10 < len(found) < len(more_x)
    of_x, of_y = np.array(found).T
    anchors_x = np.concatenate([x, more_x[of_x]]).astype(np.float64)
    anchors_y = np.concatenate([y, more_y[of_y]]).astype(np.float64)
    aligner = with_relative(features, maps)
    for name, rows, anchors in (("embed_x", more_x, anchors_x), ("embed_y", more_y, anchors_y)):
        np.testing.assert_allclose(
            getattr(aligner, name)(jnp.asarray(rows)),
            joined(maps, anchors, rows, name),
            atol=2e-5,
        )


def test_without_unmatched_items_the_anchors_are_the_pairs():
    x, y, *_ = (jnp.asarray(part) for part in sides())
    maps = cca(x, y, shrinkage=0.1)
    none = x[:0, None], y[:0, None]
    found = with_relative(Features(x[:, None], y[:, None], *none), maps)
    expected = Joined((maps, fit_relative(x, y)))
    np.testing.assert_array_equal(found.embed_x(x), expected.embed_x(x))


@pytest.mark.parametrize("shape", [(5, 8), (8, 5)])
def test_mutual_neighbours_are_nearest_both_ways(shape):
    rng = np.random.default_rng(1)
    x, y = (unit(rng.normal(size=(n, 3))).astype(np.float32) for n in shape)
    products = x @ y.T
    found = mutual(jnp.asarray(x), jnp.asarray(y)).tolist()
    assert found == [
        [i, j] for i, j in enumerate(products.argmax(axis=1)) if products[:, j].argmax() == i
    ]
    assert found
