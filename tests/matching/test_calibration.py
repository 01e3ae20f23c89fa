"""Calibration by held-out pairs: candidates that tie, groups, pair bias, Platt scaling."""

import itertools

import numpy as np
import pytest
from match_data import pairs
from scipy import special

from gentle_clip_jax.aligners import METHODS, Problem
from gentle_clip_jax.evaluation import held_out_pairs
from gentle_clip_jax.matching import calibration, match_arrays


def searches(others, partner):
    """Searches whose cosines with all unmatched items [k, v] and with the partner [k] are given."""
    k, v = others.shape
    basis = np.eye(v + k)  # items as directions: a query is made of its cosines
    queries = np.concatenate([others, np.diag(partner)], axis=1)
    return held_out_pairs._direction(queries, basis[v:], basis[:v])


def test_equal_captions_share_what_is_right():
    """Their cosines are equal but for rounding, on either side of the partner's."""
    same = 0.8 + 1e-7 * np.linspace(-2, 2, 9)[None]
    of = searches(np.concatenate([[[0.9, 0.1]], same], axis=1), np.array([0.8]))
    found = calibration.candidates(of, calibration.grid(of), 30)
    np.testing.assert_allclose(found.right[0], [0, *[0.1] * 10, 0])
    assert (np.diff(found.probability[0]) <= 0).all()
    assert of.ranks == pytest.approx(1 + 1 + 4.5)


def test_probabilities_are_those_of_a_softmax_over_all_items():
    rng = np.random.default_rng(0)
    others, partner = rng.uniform(-1, 1, (50, 200)), rng.uniform(0, 1, 50)
    of, place = searches(others, partner), 25
    at = calibration.grid(of)
    every = np.concatenate([others, partner[:, None]], axis=1) / calibration.TEMPERATURES[place]
    softmax = np.exp(every) / np.exp(every).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(at.partner[place]), softmax[:, -1], rtol=1e-5)
    found = calibration.candidates(of, at, place)
    nearest_first = np.sort(softmax, axis=1)[:, ::-1][:, :48]
    np.testing.assert_allclose(found.probability, nearest_first, rtol=1e-5)
    assert (found.right.sum(axis=1) == (of.ranks <= 48)).all()


def test_groups_count_the_nearest_exactly_and_the_rest_by_frequency():
    rng = np.random.default_rng(0)
    others, partner = rng.uniform(-1, 1, (30, 200)), rng.uniform(0, 1, 30)
    group, own = rng.integers(3, size=200), rng.integers(3, size=30)
    at = calibration.grid(searches(others, partner), group, own)
    np.testing.assert_allclose(at.groups.sum(axis=2), 1)
    place = 12  # at so low a temperature all that counts is near
    every = np.exp(
        np.concatenate([others, partner[:, None]], axis=1) / calibration.TEMPERATURES[place]
    )
    exact = [np.bincount([*group, mine], row, minlength=3) for row, mine in zip(every, own)]
    exact = np.array(exact) / every.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(at.groups[place], exact, atol=0.01)
    flat = at.groups[-1]  # at so high a one groups are as frequent as they are
    assert np.abs(flat - np.bincount(group) / 200).max() < 0.05


def test_a_surplus_is_counted_among_as_many_of_both():
    """Against every choice of as many unmatched items as there are peers."""
    rng = np.random.default_rng(0)
    partner = rng.normal(size=6) / 10
    peers = np.where(np.eye(6, dtype=bool), partner, rng.normal(size=(6, 6)) / 10)
    others = rng.normal(size=(6, 7)) / 10
    peers[0, 1] = others[1, 2] = partner[0]  # captions that read the same
    partner[:2] = partner[0] + 3e-7, partner[0]
    peers[np.eye(6, dtype=bool)] = partner
    below = partner[:, None] - 1e-6
    rest = peers[~np.eye(6, dtype=bool)].reshape(6, 5)
    chosen = [list(some) for some in itertools.combinations(range(7), 5)]
    first = np.mean([(others[:, some] < below).all(axis=1) for some in chosen], axis=0)
    expected = first - (rest < below).all(axis=1)
    rivals = held_out_pairs._rivals(peers).sum(axis=1)
    found = held_out_pairs._surplus(rivals, np.full(6, 5), searches(others, partner), 7)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    chosen = [list(some) for some in itertools.combinations(range(5), 2)]
    expected = (others[:, :2] < below).all(axis=1) - np.mean(
        [(rest[:, some] < below).all(axis=1) for some in chosen], axis=0
    )
    found = held_out_pairs._surplus(rivals, np.full(6, 5), searches(others[:, :2], partner), 2)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_platt_scaling_finds_what_bent_the_probabilities():
    rng = np.random.default_rng(0)
    probability = rng.uniform(0.01, 0.6, (2000, 20))
    bent = calibration.Platt(0.7, -0.8, float(np.mean(special.logit(probability))))
    right = rng.random(probability.shape) < bent(probability)
    found = calibration.platt(probability, right)
    assert found == pytest.approx(bent, abs=0.05)
    few = calibration.platt(probability[:1, :3], right[:1, :3])
    assert few[:2] == pytest.approx((1, 0), abs=0.1)


def test_a_less_similar_candidate_is_never_likelier():
    probability = np.linspace(0.1, 0.9, 40)
    assert calibration.platt(probability, probability < 0.5).slope == 0


def test_the_temperature_is_the_likeliest_of_all_pairs_together():
    likely_but_for_one, likely = [0, 0, -90], [-1, -1, -1]
    assert calibration.likeliest(np.array([likely_but_for_one, likely, likely])) == 1


@pytest.mark.parametrize(("pairs", "threshold"), [(8, 0), (9, 1), (18, 1), (19, 2)])
def test_prediction_sets_miss_a_tenth_of_the_pairs_and_a_new_one(pairs, threshold):
    groups = np.stack([np.arange(pairs, 0, -1), np.full(pairs, 99)], axis=1)
    found = calibration.conformal_threshold(groups, np.zeros(pairs, int))
    assert found == threshold


@pytest.mark.parametrize("rate", [0.02, 0.2])
def test_the_truth_is_among_what_is_as_likely(rate):
    """Also where two of a hundred are right, and sometimes none."""
    rng, held = np.random.default_rng(0), 0
    said = special.expit(rng.normal(special.logit(rate), 0.5, (200, 100)))
    shift = rng.normal(0, 1, (200, 1))
    truth = special.expit(special.logit(said) + shift)
    for probability, means in zip(said, truth):
        right = rng.random(100) < means
        found = calibration.platt(probability, right, offset=1.0)
        others = calibration.as_likely(found, probability, offset=1.0)
        low, high = np.quantile([np.mean(one(probability)) for one in others], [0.025, 0.975])
        held += low <= means.mean() <= high
    assert 0.9 < held / 200 < 0.99


def test_as_many_are_expected_as_are_right_where_captions_repeat():
    rng = np.random.default_rng(1)
    captions = rng.normal(size=(60, 6)).repeat(10, axis=0)[rng.permutation(600)]
    x = np.float32(captions @ rng.normal(size=(6, 9)) + 0.3 * rng.normal(size=(600, 9)))
    y = np.float32(captions @ rng.normal(size=(6, 8)))
    aligner = METHODS["cca"].fit(Problem(x[:150], y[:150], x[150:], y[150:]))
    found = match_arrays(aligner, x, y, pairs=pairs(150), share=1)
    among = [np.isclose(y[150:], row).all(axis=1).sum() for row in y[found.y]]
    reads_the_same = np.isclose(y[found.x], y[found.y]).all(axis=1)
    assert found.expected.value == pytest.approx(np.sum(reads_the_same / among), rel=0.3)
