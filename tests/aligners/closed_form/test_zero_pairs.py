import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.aligners.closed_form import (
    align_without_pairs,
    matched_clusters,
    named_classes,
)
from gentle_clip_jax.aligners.closed_form.cca import Maps


def two_views(n, *, seed):
    """Views x [n, 12] and y [n, 9] of points around 12 centres, a row an item."""
    world = np.random.default_rng(0)
    centres, to_x, to_y = (world.normal(size=s) for s in ((12, 6), (6, 12), (6, 9)))
    rng = np.random.default_rng(seed)
    label = rng.integers(12, size=n)
    latent = centres[label] + 0.2 * rng.normal(size=(n, 6))
    x, y = (jnp.float32(latent @ to) for to in (to_x, to_y))
    return x, y, jnp.float32(centres @ to_x), jnp.float32(centres @ to_y)


def found(aligned):
    x, y, _, _ = two_views(200, seed=4)
    cosines = aligned.embed_x(x) @ aligned.embed_y(y).T
    return float(jnp.mean(jnp.argmax(cosines, axis=1) == jnp.arange(200)))


def random_maps(seed):
    rng = np.random.default_rng(seed)
    map_x, map_y = (jnp.float32(rng.normal(size=(d, 9))) for d in (12, 9))
    return Maps(jnp.zeros(12), map_x, jnp.zeros(9), map_y)


@pytest.mark.slow
def test_names_of_classes_and_rounds_of_transport_find_pairs_that_nobody_gave():
    x, _, classifier, names = two_views(500, seed=1)
    y = two_views(500, seed=2)[1]
    named = named_classes(x, y, classifier, names)
    for rows in (named.embed_x(x), named.embed_y(y)):
        np.testing.assert_allclose(jnp.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    maps, scores = align_without_pairs(x[:, None], y[:, None], [random_maps(0), named])
    assert scores[1] > scores[0]
    assert found(maps) > found(named) > 0.02
    assert found(maps) > 0.2


def test_half_of_a_name_is_the_texts_that_are_nearest_to_it():
    rng = np.random.default_rng(0)
    x, y = (jnp.float32(rng.normal(size=(60, d)) + 3) for d in (7, 5))
    classifier, names = (jnp.float32(rng.normal(size=(4, d))) for d in (7, 5))
    found = named_classes(x, y, classifier, names).names
    both = [np.asarray(rows, np.float64) for rows in (names, y)]
    centred = [rows - rows.mean(axis=0) for rows in both]
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in centred]
    cosines, means = unit[0] @ unit[1].T, []
    for row in cosines:
        nearest = np.argsort(-row)[:20]
        shares = np.exp(row[nearest] / 0.05)
        means.append(shares / shares.sum() @ centred[1][nearest])
    same_size = centred[0] * np.linalg.norm(means) / np.linalg.norm(centred[0])
    np.testing.assert_allclose(found, (np.array(means) + same_size) / 2, atol=1e-5)
    alike = named_classes(x, y, classifier, jnp.ones((4, 5)))
    assert jnp.isfinite(alike.embed_x(x)).all()


@pytest.mark.slow
def test_clusters_of_one_set_are_matched_with_those_of_its_turned_copy():
    rng = np.random.default_rng(3)
    x = np.repeat(rng.normal(size=(4, 5)) * [6, 4, 3, 2, 1], 40, axis=0)
    x = x + 0.01 * rng.normal(size=x.shape)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    x, y = jnp.float32(x), jnp.float32(x @ turn)
    hits = []
    for seed in range(10):
        maps = matched_clusters(x, y, jax.random.key(seed), clusters=4)
        cosines = maps.embed_x(x) @ maps.embed_y(y).T
        hits.append(float(jnp.mean(jnp.argmax(cosines, axis=1) // 40 == jnp.arange(160) // 40)))
    assert max(hits) > 0.9


def test_without_ott_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ott.geometry.geometry", None)
    x = jnp.float32(np.random.default_rng(0).normal(size=(20, 3)))
    with pytest.raises(ValueError, match="transport"):
        matched_clusters(x, x, jax.random.key(0), clusters=3)
