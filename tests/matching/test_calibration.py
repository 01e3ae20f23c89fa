"""What held-out pairs say: candidates that tie, what stands for many, Platt scaling."""

import itertools

import jax
import numpy as np
import pytest
from match_data import pairs
from scipy import special

from gentle_clip_jax.aligners import METHODS, Problem
from gentle_clip_jax.matching import calibration, match
from gentle_clip_jax.matching.held_out import Cosines


def events(cosines, count=48):
    return calibration.candidates(cosines, calibration.grid(cosines), 30, count)


def test_captions_that_read_the_same_share_what_is_right():
    """Their cosines are equal but for rounding, on either side of the partner's."""
    same = 0.8 + 1e-7 * np.linspace(-2, 2, 9, dtype=np.float32)[None]
    cosines = Cosines(np.concatenate([[[0.9, 0.1]], same], axis=1), np.array([0.8]), 1.0)
    found = events(cosines)
    np.testing.assert_allclose(found.right[0], [0, *[0.1] * 10, 0])
    assert (np.diff(found.probability[0]) <= 0).all()
    assert calibration.ranks(cosines) == pytest.approx(1 + 1 + 4.5)


def test_others_that_stand_for_many_count_as_many_and_the_partner_once():
    rng = np.random.default_rng(0)
    cosines = Cosines(rng.uniform(-1, 1, (50, 200)), rng.uniform(0, 1, 50), 4.0)
    found = events(cosines)
    assert found.probability.shape == (50, 48)
    np.testing.assert_array_equal(found.weight, np.where(found.right, 1.0, 4.0))
    assert 0 < found.right.sum() < 50


def test_a_surplus_is_counted_among_as_many_of_both():
    """Against every choice of as many of the others as there are peers."""
    rng = np.random.default_rng(0)
    partner = rng.normal(size=6)
    peers = Cosines(rng.normal(size=(6, 3)), partner, 1.0)
    others = Cosines(rng.normal(size=(6, 7)), partner, 2.0)
    peers.others[0, 1] = others.others[1, 2] = partner[0]  # captions that read the same
    partner[:2] = partner[0] + 3e-7, partner[0]
    chosen = [list(some) for some in itertools.combinations(range(7), 3)]
    below = partner[:, None] - 1e-6
    first = np.mean([(others.others[:, some] < below).all(axis=1) for some in chosen], axis=0)
    expected = first - (peers.others < below).all(axis=1)
    np.testing.assert_allclose(calibration.surplus(peers, others), expected, atol=1e-12)
    fewer = others._replace(others=others.others[:, :2])
    expected = 1.0 * (fewer.others < below).all(axis=1) - (peers.others[:, :2] < below).all(axis=1)
    np.testing.assert_allclose(calibration.surplus(peers, fewer), expected, atol=1e-12)


def test_platt_scaling_finds_what_bent_the_probabilities():
    rng = np.random.default_rng(0)
    probability = rng.uniform(0.01, 0.6, (2000, 20))
    bent = calibration.Platt(0.7, -0.8, float(np.mean(special.logit(probability))))
    right = rng.random(probability.shape) < bent(probability)
    found = calibration.platt(probability, right)
    assert found == pytest.approx(bent, abs=0.05)
    heavy = calibration.platt(probability, right, np.where(right, 3.0, 1.0))
    assert heavy.offset > found.offset + 0.8
    few = calibration.platt(probability[:1, :3], right[:1, :3])
    assert few[:2] == pytest.approx((1, 0), abs=0.1)


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
    aligner = METHODS["cca"].fit(Problem(x[:150], y[:150], x[150:], y[150:]), jax.random.key(0))
    found = match(aligner, x, y, pairs=pairs(150), share=1)
    among = [np.isclose(y[150:], row).all(axis=1).sum() for row in y[found.y]]
    reads_the_same = np.isclose(y[found.x], y[found.y]).all(axis=1)
    assert found.expected.value == pytest.approx(np.sum(reads_the_same / among), rel=0.3)
