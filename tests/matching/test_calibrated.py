"""Scaling of the probabilities of choices: first choices of held-out items are counted too."""

import jax
import numpy as np
import pytest
from match_data import sets

from gentle_clip_jax.aligners import METHODS, Problem
from gentle_clip_jax.aligners.refits import held_out_pairs
from gentle_clip_jax.matching import calibration
from gentle_clip_jax.matching.calibrated import Calibration, calibrate, choices_of
from gentle_clip_jax.matching.groups import group

K = 61
KEY = jax.random.key(0)


def test_first_choices_are_counted():
    x, y = sets(400, noise=0.7)
    problem = Problem(x[:K], y[:K], x[K:], y[K:])
    held = held_out_pairs(METHODS["procrustes"].fit(problem), problem, KEY)
    known = calibrate(held, np.zeros(K, int), np.zeros(len(y) - K, int))

    at = calibration.grid(held.to_y)
    best = calibration.likeliest(at.partner)
    events = calibration.candidates(held.to_y, at, best)
    plain = calibration.platt(*events)
    assert known.first_y.platt.slope == plain.slope
    # A first choice is right whose partner is nearer than all others.
    right = np.sum(held.to_y.partner > held.to_y.cosine[:, 0])
    said = plain(events.probability[:, 0]).sum()
    assert abs(right - said) > 0.3
    # The fit to all pairs has a ninth more of them than the fits of ten folds.
    moved = np.log((right + 2) / (said + 2)) + 0.6 * np.log(10 / 9)
    assert known.first_y.platt.offset == pytest.approx(plain.offset + moved, abs=1e-9)
    # So few might as well have been others.
    assert np.ptp(np.quantile(known.first_y.factors, [0.025, 0.975])) > 0.6


def test_without_evidence_probabilities_stay_as_they_are():
    nothing = calibration.Events(np.ones((0, 3)), np.ones((0, 3)))
    for found in (
        choices_of(nothing, None),
        Calibration.of_few(30).first_y,
        Calibration.of_few(30).first_x,
    ):
        assert found.platt == calibration.Platt(1.0, 0.0)
        np.testing.assert_array_equal(found.factors, [1])


def test_items_far_apart_have_other_groups_each_with_an_item_of_its_own():
    rng = np.random.default_rng(0)
    place = rng.permutation(np.arange(3).repeat(30))
    y = np.float32((np.eye(3) * 9)[place] + 0.1 * rng.normal(size=(90, 3)))
    of_item, central = group(y, KEY)
    assert all(len({*place[of_item == number].tolist()}) == 1 for number in range(len(central)))
    np.testing.assert_array_equal(of_item[central], np.arange(len(central)))
