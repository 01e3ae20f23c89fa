"""The closed forms of NumPy's arrays, and of weighted pairs, are those of JAX's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.aligners.closed_form import plan
from gentle_clip_jax.aligners.closed_form.arrays import to_map, unit_rows
from gentle_clip_jax.aligners.closed_form.cca import cca
from gentle_clip_jax.aligners.closed_form.gallery_smoothing import SmoothedGallery
from gentle_clip_jax.aligners.closed_form.maps import Maps, Smoothed
from gentle_clip_jax.aligners.closed_form.plan import transported_covariance
from gentle_clip_jax.aligners.closed_form.transported import transported_cca
from gentle_clip_jax.aligners.problem import Features

PAIRS, UNMATCHED = 30, 200
TOLERANCES = {np.float32: 2e-4, np.float64: 1e-9}


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


def features(dtype, rows: int = 2) -> Features:
    """Two modalities of one latent space; an item has so many rows."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(PAIRS + UNMATCHED, 1, 5))
    sides = []
    for width in (24, 16):
        noise = 0.5 * rng.normal(size=(len(truth), rows, width))
        sides.append((truth @ rng.normal(size=(5, width)) + noise).astype(dtype))
    x, y = sides
    return Features(x[:PAIRS], y[:PAIRS], x[PAIRS:], y[PAIRS:])


def cosines(maps: Maps, of: Features) -> np.ndarray:
    x, y = maps.embed_x(of.unmatched_x[:, 0]), maps.embed_y(of.unmatched_y[:, 0])
    return np.asarray(x) @ np.asarray(y).T


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_numpy_brings_what_jax_does(dtype, x64):
    weights = np.linspace(0.3, 1, PAIRS).astype(dtype)
    found = []
    for xp in (np, jnp):
        of = Features(*(xp.asarray(part) for part in features(dtype)))
        start = cca(of.x.mean(1), of.y.mean(1), xp.asarray(weights), shrinkage=3.0)
        maps = transported_cca(of, start, weights=xp.asarray(weights), within=0.5, rounds=3)
        assert {array.dtype for array in maps} == {np.dtype(dtype)}
        assert all(isinstance(array, np.ndarray) == (xp is np) for array in maps)
        found.append((cosines(start, of), cosines(maps, of)))
    for of_numpy, of_jax in zip(*found):
        np.testing.assert_allclose(of_numpy, of_jax, atol=TOLERANCES[dtype])


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_a_plan_of_numpy_is_that_of_jax(dtype, held, monkeypatch, x64):
    if not held:
        monkeypatch.setattr(plan, "_HELD", 0)
    of = features(dtype)
    rows = of.unmatched_x[:, 0], of.unmatched_y[:150, 0]
    arguments = *(unit_rows(z[:, :10]) for z in rows), *rows
    settings = {"epsilon": 0.05, "iterations": 10}
    found = transported_covariance(*arguments, **settings)
    expected = transported_covariance(*(jnp.asarray(one) for one in arguments), **settings)
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found, expected, atol=TOLERANCES[dtype])


def test_a_pair_of_weight_two_counts_as_two_pairs():
    of = features(np.float64, rows=1)
    twice = np.concatenate([np.arange(PAIRS), np.arange(5)])
    weights = np.ones(PAIRS)
    weights[:5] = 2
    by_number = of._replace(x=of.x[twice], y=of.y[twice])
    found = []
    for given, weight in ((of, weights), (by_number, None)):
        start = cca(given.x[:, 0], given.y[:, 0], weight, shrinkage=3.0)
        found.append(transported_cca(given, start, weights=weight, rounds=2))
    np.testing.assert_allclose(cosines(found[0], of), cosines(found[1], of), atol=1e-9)


def test_a_row_of_zeros_stays_one():
    rows = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(unit_rows(rows), [[0.6, 0.8], [0, 0]])


def test_smoothing_of_numpy_is_that_of_jax():
    rng = np.random.default_rng(0)
    maps = Maps(*(rng.normal(size=size).astype(np.float32) for size in (9, (9, 5), 7, (7, 5))))
    bank, others = (rng.normal(size=(400, width)).astype(np.float32) for width in (9, 7))
    smoothed = SmoothedGallery(Smoothed(maps, bank, 0.4), None, maps.embed_y(others))
    rows = rng.normal(size=(1100, 9)).astype(np.float32)  # more than a block
    found = []
    for xp in (np, jnp):
        of, x = jax.tree.map(xp.asarray, (smoothed, rows))
        embedded = of.embed_x(x)
        found.append((embedded, of.smooth_gallery_x(embedded)))
        assert all(isinstance(array, np.ndarray) == (xp is np) for array in found[-1])
    for of_numpy, of_jax in zip(*found):
        np.testing.assert_allclose(of_numpy, of_jax, atol=1e-5)


def test_many_rows_are_mapped_by_jax():
    few, many = np.zeros((4096, 1), np.float32), np.zeros((4097, 1), np.float32)
    assert to_map(few) is few
    assert isinstance(to_map(many), jax.Array)
    assert isinstance(to_map([[1.0]]), jax.Array)
