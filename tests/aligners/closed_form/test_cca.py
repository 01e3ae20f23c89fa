"""Canonical correlations against the textbook's, and what must not change them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.aligners.closed_form.cca import cca
from gentle_clip_jax.aligners.closed_form.maps import Maps


def correlated(n: int, dx: int = 7, dy: int = 5, dtype=np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Pairs that share three directions, under a mean and with some noise."""
    rng = np.random.default_rng(n)
    shared = rng.normal(size=(n, 3))
    x, y = (shared @ rng.normal(size=(3, d)) + rng.normal(size=(n, d)) + 2 for d in (dx, dy))
    return x.astype(dtype), y.astype(dtype)


def cosines(maps: Maps, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cosines [n, n] in the space of the maps: they know no sign and no rotation."""
    return np.asarray(maps.embed_x(jnp.asarray(x)) @ maps.embed_y(jnp.asarray(y)).T)


def textbook_cosines(x, y, shrinkage, dim, power):
    """By the eigenvectors a of Sx^-1 Cxy Sy^-1 Cyx, whose eigenvalues are squared correlations."""
    x, y = x - x.mean(0), y - y.mean(0)
    within_x, within_y, cross = x.T @ x / len(x), y.T @ y / len(x), x.T @ y / len(x)
    within_x += shrinkage * np.trace(within_x) / len(within_x) * np.eye(len(within_x))
    within_y += shrinkage * np.trace(within_y) / len(within_y) * np.eye(len(within_y))
    to_y = np.linalg.solve(within_y, cross.T)
    squares, a = np.linalg.eig(np.linalg.solve(within_x, cross) @ to_y)
    first = np.argsort(-squares.real)[:dim]
    a, correlations = a.real[:, first], np.sqrt(squares.real[first])
    a /= np.sqrt(np.sum(a * (within_x @ a), axis=0))
    b = to_y @ a / correlations
    u, v = x @ (a * correlations**power), y @ (b * correlations**power)
    return (u / np.linalg.norm(u, axis=1)[:, None]) @ (v / np.linalg.norm(v, axis=1)[:, None]).T


@pytest.mark.parametrize("size", [(60, 7, 5), (8, 20, 9), (12, 30, 4)])
@pytest.mark.parametrize(("shrinkage", "power"), [(0.1, 0.5), (3.0, 0.0)])
def test_maps_are_the_textbooks(size, shrinkage, power):
    x, y = correlated(*size)
    expected = textbook_cosines(x, y, shrinkage, 4, power)
    with jax.enable_x64(True):
        maps = cca(jnp.asarray(x), jnp.asarray(y), shrinkage=shrinkage, dim=4, power=power)
        assert maps.map_x.dtype == maps.mean_y.dtype == jnp.float64
        np.testing.assert_allclose(cosines(maps, x, y), expected, atol=1e-9)
    x, y = np.float32(x), np.float32(y)
    maps = cca(jnp.asarray(x), jnp.asarray(y), shrinkage=shrinkage, dim=4, power=power)
    assert maps.map_x.dtype == maps.mean_y.dtype == jnp.float32
    np.testing.assert_allclose(cosines(maps, x, y), expected, atol=1e-3)


def test_known_correlations_are_found():
    known, n, rng = np.array([0.9, 0.6, 0.3]), 20_000, np.random.default_rng(0)
    x, noise = rng.normal(size=(2, n, 3))
    y = known * x + np.sqrt(1 - known**2) * noise
    x, y = x @ rng.normal(size=(3, 3)) + 5, y @ rng.normal(size=(3, 3)) - 5
    maps = cca(jnp.float32(x), jnp.float32(y), shrinkage=1e-6)
    u, v = x @ np.asarray(maps.map_x), y @ np.asarray(maps.map_y)
    found = [np.corrcoef(u[:, k], v[:, k])[0, 1] for k in range(3)]
    np.testing.assert_allclose(found, known, atol=0.02)


@pytest.mark.parametrize("n", [6, 60])
def test_rotation_scale_and_origin_of_the_features_do_not_matter(n):
    x, y = correlated(n)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(7, 7)))[0]
    with jax.enable_x64(True):
        fit = functools.partial(cca, shrinkage=0.5)
        plain = cosines(fit(jnp.asarray(x), jnp.asarray(y)), x, y)
        u, v = 100 * x @ turn - 3, 0.01 * y + 7
        np.testing.assert_allclose(cosines(fit(jnp.asarray(u), jnp.asarray(v)), u, v), plain)


def test_few_pairs_are_fitted_as_many():
    """Pairs given five times have the covariances of pairs given once, but n >= d."""
    x, y = correlated(6)
    with jax.enable_x64(True):
        few = cca(jnp.asarray(x), jnp.asarray(y), shrinkage=0.5)
        many = cca(*(jnp.tile(z, (5, 1)) for z in (x, y)), shrinkage=0.5)
        np.testing.assert_allclose(cosines(few, x, y), cosines(many, x, y), atol=1e-9)


def test_constant_features_and_duplicates_stay_finite():
    x, y = correlated(12, dtype=np.float32)
    x[:, 2] = 4
    y[:, 0] = 0
    x[6:], y[6:] = x[:6], y[:6]
    maps = cca(jnp.asarray(x), jnp.asarray(y), shrinkage=1.0)
    found = cosines(maps, x, y)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(np.asarray(maps.map_x)[2], 0, atol=1e-6)
    assert (np.argmax(found, axis=1) % 6 == np.arange(12) % 6).mean() > 0.5


def test_vmap_fits_one_by_one():
    x, y = (jnp.asarray(z) for z in correlated(20, dtype=np.float32))
    batch = jax.vmap(lambda r: cca(x, y, shrinkage=r))(jnp.array([0.1, 1.0]))
    for k, shrinkage in enumerate((0.1, 1.0)):
        found = cosines(jax.tree.map(lambda z, k=k: z[k], batch), x, y)
        np.testing.assert_allclose(found, cosines(cca(x, y, shrinkage=shrinkage), x, y), atol=1e-5)
