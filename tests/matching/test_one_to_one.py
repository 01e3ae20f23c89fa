"""One to one: which matches are made, and how many of them are expected to be right."""

import numpy as np
from match_data import pairs, sets

from gentle_clip_jax.aligners import METHODS, Problem
from gentle_clip_jax.matching import match_arrays
from gentle_clip_jax.matching.assignment import Edges, assign

K = 100


def one_to_one(x, y, share, **settings):
    aligner = METHODS["cca"].fit(Problem(x[:K], y[:K], x[K:], y[K:]))
    found = match_arrays(aligner, x, y, pairs=pairs(K), share=share, one_to_one=True, **settings)
    return found, int(np.sum(found.x == found.y))


def test_the_best_edge_is_matched_first_then_the_best_of_the_rest():
    rng = np.random.default_rng(0)
    x, y = rng.integers(40, size=300), rng.integers(30, size=300)
    score = rng.integers(9, size=300).astype(float)  # many tie: the first of them goes first
    expected = np.full(40, -1)
    for i in np.argsort(-score, kind="stable"):
        if expected[x[i]] < 0 and y[i] not in expected:
            expected[x[i]] = y[i]
    np.testing.assert_array_equal(assign(Edges(x, y, score), 40, 30), expected)


def test_a_partner_that_ties_with_another_is_right_half_of_the_time():
    x, y = sets(800, noise=0.1)
    rng = np.random.default_rng(0)
    twins = x + 0.1 * rng.normal(size=x.shape).astype(np.float32)
    order = [*range(K), *(K + rng.permutation(2 * len(x) - K))]
    x, y = np.concatenate([x, twins])[order], np.concatenate([y, y])[order]
    found, right = one_to_one(x, y, 1.0)
    assert right < 0.7 * len(found.x)
    assert found.expected.low <= right <= found.expected.high


def test_items_with_a_partner_are_matched_more_often_than_those_without():
    x, y = sets(700, noise=0.2)
    found, right = one_to_one(x, y[:400], 0.5)
    assert right > 0.4 * len(found.x)
    # Were they not, only half of the 300 matches would be right: 150.
    assert abs(found.expected.value - right) < 0.1 * right
    assert np.nanmax(found.probability) <= 1


def test_without_their_partner_held_out_items_get_worse_matches_or_none():
    x, y = sets(500, noise=0.2)
    found, _ = one_to_one(x, y, 1.0, with_outcomes=True)
    present, absent = (np.nan_to_num(of) for of in (found.outcomes.held_out, found.outcomes.absent))
    assert len(present) == len(absent) == K
    assert np.mean(absent) < np.mean(present) / 2
