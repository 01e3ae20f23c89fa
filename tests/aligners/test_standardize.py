"""Units of features: whatever they are, aligners see the same; and what is constant counts not."""

import jax
import numpy as np
import pytest

from gentle_clip_jax.aligners import METHODS, Problem, align
from gentle_clip_jax.aligners.standardize import standardized
from gentle_clip_jax.aligners.standardizer import Standardizer

RNG = np.random.default_rng(0)


def views(n, *, seed):
    """Linear views [n, 12] and [n, 3, 9] of points around eight centres."""
    world, rng = np.random.default_rng(1), np.random.default_rng(seed)
    centres, to_x, to_y = (world.normal(size=s) for s in ((8, 6), (6, 12), (6, 9)))
    latent = centres[rng.integers(8, size=n)] + 0.3 * rng.normal(size=(n, 6))
    y = (latent @ to_y)[:, None] + 0.2 * rng.normal(size=(n, 3, 9))
    return np.float32(latent @ to_x), np.float32(y)


def problem(n=20, unmatched=60, change=lambda x, y: (x, y)):
    (x, y), (unmatched_x, _), (_, unmatched_y) = (
        change(*views(size, seed=seed)) for seed, size in enumerate((n, unmatched, unmatched))
    )
    return Problem(x, y, unmatched_x, unmatched_y)


def in_other_units(x, y):
    """Log-normal scales and offsets of many deviations."""
    rng = np.random.default_rng(5)
    scale_x, scale_y = rng.lognormal(sigma=2, size=12), rng.lognormal(sigma=2, size=9)
    return scale_x * (x + 50 * rng.normal(size=12)), scale_y * (y + 50 * rng.normal(size=9))


def test_mean_and_deviation_are_those_of_all_rows():
    given = problem()
    of_x, of_y, features, _ = standardized(given)
    for standardizer, name in ((of_x, "x"), (of_y, "y")):
        both = [getattr(given, name), getattr(given, f"unmatched_{name}")]
        rows = np.concatenate([items.reshape(-1, items.shape[2]) for items in both])
        np.testing.assert_allclose(standardizer.mean, rows.mean(0), atol=1e-5)
        np.testing.assert_allclose(standardizer.deviation, rows.std(0), rtol=1e-5)
        both = [getattr(features, name), getattr(features, f"unmatched_{name}")]
        rows = np.concatenate([np.asarray(z).reshape(-1, z.shape[2]) for z in both])
        np.testing.assert_allclose(rows.std(0), 1, rtol=1e-5)


@pytest.mark.parametrize("width", [12, 1300], ids=["features", "components"])
def test_blocks_of_rows_are_standardised_as_all_at_once(width, monkeypatch):
    groups = [100 + RNG.normal(size=(n, 2, width)).astype(np.float32) for n in (3, 41)]
    whole = Standardizer.of(*groups).in_components(*groups)
    monkeypatch.setattr("gentle_clip_jax.aligners.standardizer._BLOCK", 7)
    blocks = Standardizer.of(*groups)._replace(basis=whole.basis)
    rows = np.concatenate(groups).reshape(-1, width)
    np.testing.assert_allclose(blocks.mean, rows.mean(0, dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(blocks.deviation, rows.std(0, dtype=np.float64), rtol=1e-9)
    np.testing.assert_allclose(blocks.rows(groups[1]), whole.rows(groups[1]), atol=1e-4)
    assert blocks.rows(groups[1][:0]).shape == (0, 2, whole.rows(rows).shape[1])


@pytest.mark.parametrize(
    "name",
    ["cca", "procrustes", "ridge", "relative", "gentle_transport", "transported_cca"],
)
def test_units_and_offsets_change_nothing(name):
    x, y = views(30, seed=9)
    plain = METHODS[name].fit(problem())
    other = METHODS[name].fit(problem(change=in_other_units))
    other_x, other_y = in_other_units(x, y[:, 0])
    expected = plain.embed_x(x) @ plain.embed_y(y[:, 0]).T
    np.testing.assert_allclose(
        other.embed_x(other_x) @ other.embed_y(other_y).T, expected, atol=5e-4
    )


def test_a_feature_that_is_constant_but_for_rounding_counts_for_nothing():
    rows = RNG.normal(size=(50, 4)).astype(np.float32)
    rows[:, 1] = 7.0
    rows[:, 2] *= 1e-7
    rows[:, 3] = np.float32(1e6) + np.float32(0.06) * RNG.integers(0, 2, 50)
    standardizer = Standardizer.of(rows)
    assert list(np.isfinite(standardizer.deviation)) == [True, False, False, False]
    found = standardizer.rows(rows + np.float32([0, 5, 5, 5]))
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:, 1:], 0)
    np.testing.assert_array_equal(standardizer.finite_deviation[1:], 1)
    assert not standardizer.directions(rows)[:, 1:].any()


def test_the_guard_knows_no_units():
    rows = RNG.normal(size=(50, 3)).astype(np.float32)
    for scale in (1e-30, 1e30):
        found = Standardizer.of(rows * np.float32(scale)).rows(rows * np.float32(scale))
        np.testing.assert_allclose(found, Standardizer.of(rows).rows(rows), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-300, 1e-162, 1e154, 1e300])
def test_features_near_the_ends_of_float64_count_as_others_do(scale):
    rows = 2 + RNG.normal(size=(50, 3))
    rows[:, 2] = 7
    found, plain = Standardizer.of(rows * scale), Standardizer.of(rows)
    assert np.isfinite(found.deviation).tolist() == [True, True, False]
    np.testing.assert_allclose(found.rows(rows * scale), plain.rows(rows), rtol=1e-5, atol=1e-6)
    jax.eval_shape(found.traced, jax.ShapeDtypeStruct((1, 3), np.float32))  # as loading does


def test_all_features_constant_is_no_division_by_zero():
    given = Problem(np.ones((5, 3)), RNG.normal(size=(5, 3)), np.ones((4, 3)))
    aligner = align(given, "cca")
    assert np.isfinite(aligner.embed_x(np.ones((2, 3)))).all()


def test_traced_rows_are_standardised_too():
    x, _ = views(30, seed=9)
    aligner = align(problem(), "cca")
    embedded = jax.jit(lambda aligner, x: aligner.embed_x(x))(aligner, x)
    np.testing.assert_allclose(embedded, aligner.embed_x(x), atol=1e-5)


def test_other_widths_and_numbers_that_are_not_finite_are_refused():
    aligner = align(problem(), "cca")
    with pytest.raises(ValueError, match=r"x must be \[n, 12\].* its shape is \(4, 9\)"):
        aligner.embed_x(np.ones((4, 9)))
    with pytest.raises(ValueError, match="y holds numbers that are not finite"):
        aligner.embed_y(np.full((1, 9), np.nan))


@pytest.mark.slow
def test_classes_are_in_units_of_raw_features():
    world = np.random.default_rng(1)
    centres, to_x, to_y = (world.normal(size=s) for s in ((8, 6), (6, 12), (6, 9)))
    classifier, names = np.float32(centres @ to_x), np.float32(centres @ to_y)
    rng = np.random.default_rng(5)
    scale_x = rng.lognormal(sigma=2, size=12)
    other_names = in_other_units(np.zeros((1, 12)), names)[1]
    plain = align(problem(6), "named_transport", classes=(classifier, names))
    other = align(
        problem(6, change=in_other_units),
        "named_transport",
        classes=(classifier / scale_x, other_names),
    )
    x, y = views(30, seed=9)
    other_x, other_y = in_other_units(x, y[:, 0])
    expected = plain.embed_x(x) @ plain.embed_y(y[:, 0]).T
    np.testing.assert_allclose(
        other.embed_x(other_x) @ other.embed_y(other_y).T, expected, atol=5e-4
    )
