"""Orthogonal Procrustes and ridge regression against their definitions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.aligners.closed_form.procrustes import procrustes
from gentle_clip_jax.aligners.closed_form.relative import relative
from gentle_clip_jax.aligners.closed_form.ridge import ridge


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def rotation(d: int) -> np.ndarray:
    return np.linalg.qr(normal(9, d, d))[0]


@pytest.mark.parametrize("n", [9, 50])
def test_procrustes_recovers_a_rotation(n):
    x, turn = normal(0, n, 8) + 3, rotation(8)
    with jax.enable_x64(True):
        maps = procrustes(jnp.asarray(x), jnp.asarray(x @ turn - 1), dim=8)
        assert maps.map_x.dtype == jnp.float64
        np.testing.assert_allclose(maps.map_x @ maps.map_y.T, turn, atol=1e-9)
    maps = procrustes(jnp.float32(x), jnp.float32(x @ turn - 1), dim=8)
    assert maps.map_x.dtype == jnp.float32
    np.testing.assert_allclose(maps.map_x @ maps.map_y.T, turn, atol=1e-4)


@pytest.mark.parametrize("size", [(40, 9, 5, 2), (6, 30, 8, 128), (4, 3, 70, 128)])
def test_procrustes_keeps_the_greatest_covariances(size):
    n, dx, dy, dim = size
    x, y = normal(1, n, dx), normal(2, n, dy)
    singular = np.linalg.svd((x - x.mean(0)).T @ (y - y.mean(0)))[1]
    k = min(dim, n - 1, dx, dy)
    with jax.enable_x64(True):
        maps = procrustes(jnp.asarray(x), jnp.asarray(y), dim=dim)
        u, v = (x - x.mean(0)) @ np.asarray(maps.map_x), (y - y.mean(0)) @ np.asarray(maps.map_y)
        np.testing.assert_allclose((u.T @ v)[:k, :k], np.diag(singular[:k]), atol=1e-9)
        for directions in (np.asarray(maps.map_x), np.asarray(maps.map_y)):
            assert directions.shape[1] == min(dim, n, dx, dy)
            np.testing.assert_allclose(directions[:, k:], 0)
            gram = directions[:, :k].T @ directions[:, :k]
            np.testing.assert_allclose(gram, np.eye(k), atol=1e-12)


@pytest.mark.parametrize("size", [(40, 9, 5), (7, 20, 3)])
@pytest.mark.parametrize("shrinkage", [0.01, 2.0])
def test_ridge_solves_the_normal_equations(size, shrinkage):
    n, dx, dy = size
    x, y = normal(3, n, dx) * 7 + 1, normal(4, n, dy) - 2
    deviations = x - x.mean(0)
    within = deviations.T @ deviations / n
    within += shrinkage * np.trace(within) / dx * np.eye(dx)
    expected = np.linalg.solve(within, deviations.T @ (y - y.mean(0)) / n)
    with jax.enable_x64(True):
        maps = ridge(jnp.asarray(x), jnp.asarray(y), shrinkage=shrinkage)
        np.testing.assert_allclose(maps.map_x, expected, atol=1e-12)
        np.testing.assert_array_equal(maps.map_y, np.eye(dy))
        np.testing.assert_allclose(maps.mean_y, y.mean(0))
    maps = ridge(jnp.float32(x), jnp.float32(y), shrinkage=shrinkage)
    assert maps.map_x.dtype == maps.map_y.dtype == jnp.float32
    np.testing.assert_allclose(maps.map_x, expected, atol=1e-5)


FITS = {
    "procrustes": functools.partial(procrustes, dim=4),
    "ridge": functools.partial(ridge, shrinkage=0.5),
    "relative": relative,
}


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_rotation_scale_and_origin_of_the_features_do_not_matter(fit):
    x, y = normal(5, 12, 8), normal(6, 12, 5)
    u, v = 30 * x @ rotation(8) + 2, 0.1 * y @ rotation(5) - 4
    with jax.enable_x64(True):
        x, y, u, v = (jnp.asarray(z) for z in (x, y, u, v))
        plain, moved = fit(x, y), fit(u, v)
        expected = plain.embed_x(x) @ plain.embed_y(y).T
        np.testing.assert_allclose(moved.embed_x(u) @ moved.embed_y(v).T, expected, atol=1e-9)


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_constant_features_and_duplicates_stay_finite(fit):
    x, y = jnp.float32(normal(7, 12, 8)), jnp.float32(normal(8, 12, 5))
    x = x.at[:, 3].set(5).at[6:].set(x[:6])
    y = y.at[:, 0].set(-1).at[6:].set(y[:6])
    for pairs in ((x, y), (jnp.ones_like(x), y), (x, jnp.ones_like(y))):
        aligner = fit(*pairs)
        embedded = aligner.embed_x(x[::-1]), aligner.embed_y(y)
        assert all(bool(jnp.isfinite(rows).all()) for rows in embedded)


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_vmap_fits_one_by_one(fit):
    x, y = jnp.float32(normal(10, 3, 12, 8)), jnp.float32(normal(11, 3, 12, 5))
    embedded = jax.vmap(lambda x, y: fit(x, y).embed_x(x) @ fit(x, y).embed_y(y).T)(x, y)
    for k in range(3):
        aligner = fit(x[k], y[k])
        one = aligner.embed_x(x[k]) @ aligner.embed_y(y[k]).T
        np.testing.assert_allclose(embedded[k], one, atol=1e-5)


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_what_is_no_pairs_is_refused(fit):
    x, y = jnp.float32(normal(12, 5, 8)), jnp.float32(normal(13, 5, 5))
    with pytest.raises(ValueError, match="At least 2 pairs are needed to learn from, not 1"):
        fit(x[:1], y[:1])
    with pytest.raises(ValueError, match=r"their shapes are \(5, 8\) and \(4, 5\)"):
        fit(x, y[:4])
