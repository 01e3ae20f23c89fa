"""Prediction sets of candidates, beside a reference written from the definition."""

import numpy as np
import pytest

from gentle_clip_jax.matching.sets import has_none, least_pairs, least_scores


def prediction_sets(held_out, candidates, coverage, seed=0):
    """Return which candidates [n, c] are in the set of each item."""
    return candidates >= least_scores(held_out, len(candidates), coverage, seed=seed)[:, None]


def _reference(held_out, candidates, coverage, seed=0):
    """Smoothed p-values of one candidate after another."""
    chance = 1 - np.random.default_rng(seed).random((len(candidates), 1))[:, 0]
    sets = np.zeros(candidates.shape, bool)
    for (row, column), score in np.ndenumerate(candidates):
        below = sum(np.isnan(one) or one < score for one in held_out)
        equal = sum(one == score for one in held_out)
        p = (below + chance[row] * (1 + equal)) / (len(held_out) + 1)
        sets[row, column] = not np.isnan(score) and p > 1 - coverage + 1e-12
    return sets


def _coverage(pairs, coverage, draw, draws=4000):
    """Mean share of sets that hold the partner, of one new item a draw."""
    rng = np.random.default_rng(5)
    scores = [draw(rng, pairs + 1) for _ in range(draws)]
    held = [
        prediction_sets(one[1:], one[:1, None], coverage, seed=seed)[0, 0]
        for seed, one in enumerate(scores)
    ]
    return np.mean(held)


@pytest.mark.parametrize(
    ("pairs", "coverage"),
    [(2, 0.1), (9, 0.5), (9, 0.9), (40, 0.8), (40, 0.97), (99, 0.9), (99, 0.97)],
)
@pytest.mark.parametrize("digits", [1, 8])
def test_sets_agree_with_the_definition(pairs, coverage, digits):
    rng = np.random.default_rng(pairs)
    held_out, candidates = rng.random(pairs).round(digits), rng.random((30, 7)).round(digits)
    held_out[0] = candidates[2, 3] = np.nan
    sets = prediction_sets(held_out, candidates, coverage)
    np.testing.assert_array_equal(sets, _reference(held_out, candidates, coverage))


@pytest.mark.parametrize("pairs", [9, 13, 60])
@pytest.mark.parametrize(
    "draw",
    [lambda rng, n: rng.normal(size=n), lambda rng, n: rng.integers(3, size=n).astype(float)],
    ids=["continuous", "tied"],
)
def test_coverage_is_the_one_asked_for_on_average(pairs, draw):
    assert _coverage(pairs, 0.9, draw) == pytest.approx(0.9, abs=0.015)  # three standard errors


def test_the_boundary_is_the_conformal_quantile_where_it_falls_on_a_pair():
    rng = np.random.default_rng(1)
    held_out, candidates = rng.random(99), rng.random((50, 20))
    boundary = np.sort(held_out)[9]  # of 100 places, 90 are above it
    np.testing.assert_array_equal(prediction_sets(held_out, candidates, 0.9), candidates > boundary)


@pytest.mark.parametrize(("coverage", "least"), [(0.9, 9), (0.95, 19), (0.5, 1), (0.85, 6)])
def test_with_too_few_pairs_sets_hold_everything(coverage, least):
    assert least_pairs(coverage) == least
    candidates = np.array([[0.0, -1.0, np.nan]] * 200)
    few = prediction_sets(np.ones(least - 1), candidates, coverage)
    np.testing.assert_array_equal(few, ~np.isnan(candidates))
    enough = prediction_sets(np.ones(least), candidates, coverage)
    assert not enough[:, :2].all()


def test_sets_are_the_same_each_time_and_hold_the_likeliest_candidates():
    rng = np.random.default_rng(2)
    held_out, candidates = rng.random(64), rng.random((40, 10))
    sets = prediction_sets(held_out, candidates, 0.9)
    np.testing.assert_array_equal(sets, prediction_sets(held_out, candidates, 0.9))
    least_in = np.where(sets, candidates, np.inf).min(axis=1)
    most_out = np.where(sets, -np.inf, candidates).max(axis=1)
    assert (least_in > most_out).all()


def test_a_higher_coverage_only_adds_candidates():
    rng = np.random.default_rng(3)
    held_out, candidates = rng.random(64), rng.random((40, 10))
    small, large = (prediction_sets(held_out, candidates, share) for share in (0.7, 0.9))
    assert (large | ~small).all()
    assert (large & ~small).any()


@pytest.mark.parametrize("coverage", [0, 1, -0.1, 1.5, float("nan")])
def test_a_coverage_outside_0_and_1_is_an_error(coverage):
    with pytest.raises(ValueError, match="coverage must be above 0 and below 1"):
        prediction_sets(np.ones(20), np.ones((1, 1)), coverage)


def test_no_partner_is_in_the_sets_of_items_without_one_as_often_as_asked():
    rng, held = np.random.default_rng(4), []
    for _ in range(200):
        first = rng.normal(size=90)
        held.append(has_none(first[:60], first[60:], 0.8).mean())
    assert np.mean(held) == pytest.approx(0.8, abs=0.03)


def test_a_good_best_candidate_leaves_no_partner_out():
    first, absent = np.array([-2.0, 2.0]), np.linspace(-1, 1, 99)
    np.testing.assert_array_equal(has_none(first, absent, 0.9), [True, False])
    # An unknown best candidate could be better than any.
    assert has_none(first, np.full(99, np.nan), 0.9).all()
