"""Matches of made-up sets: probabilities mean what they say, and are missing where they cannot."""

import numpy as np
import pytest
from match_data import pairs, sets

from gentle_clip_jax.aligners import METHODS, Problem
from gentle_clip_jax.matching import match_arrays
from gentle_clip_jax.matching.calibration import expected_calibration_error
from gentle_clip_jax.matching.probabilities import expected_right

K = 100


def fitted(x, y, k=K):
    problem = Problem(x[:k], y[:k], x[k:], y[k:])
    return METHODS["procrustes"].fit(problem)


@pytest.fixture(scope="module")
def easy():
    made = sets(500, noise=0.7, clusters=12)
    return made, fitted(*made)


@pytest.fixture(scope="module")
def matched(easy):
    made, aligner = easy
    return match_arrays(aligner, *made, pairs=pairs(K), share=1)


def test_items_are_calibrated(matched):
    right = matched.y == matched.x
    assert 20 < right.sum() < 380
    assert expected_calibration_error(matched.probability, right) < 0.1
    assert matched.expected.low <= matched.expected.value <= matched.expected.high
    assert matched.expected.value == pytest.approx(right.sum(), rel=0.3)


def test_groups_are_calibrated_and_their_sets_hold_the_right_one(matched):
    own = matched.groups.of_item[matched.x]
    right = matched.group == own
    assert right.mean() > 0.4
    assert expected_calibration_error(matched.group_probability, right) < 0.1
    coverage = matched.group_sets[np.arange(len(own)), own].mean()
    assert 0.82 < coverage <= 1
    assert matched.group_sets.any(axis=1).all()
    assert np.median(matched.group_sets.sum(axis=1)) < 15


def test_known_pairs_are_not_matched_again(matched):
    assert matched.x.tolist() == [*range(K, 500)]
    assert matched.y.min() >= K
    assert matched.runner_up.min() >= K
    assert (matched.runner_up != matched.y).all()
    assert (matched.runner_up_probability <= matched.probability + 1e-6).all()
    assert matched.of_x.candidate.shape == matched.of_y.candidate.shape == (400, 48)
    assert (np.diff(matched.of_x.cosine, axis=1) <= 0).all()
    assert matched.of_x.probability.sum(axis=1).max() <= 1 + 1e-5
    np.testing.assert_array_equal(matched.of_x.candidate[:, 0], matched.y)


def test_mutual_is_both_ways(matched):
    back = dict(zip(matched.of_y.item, matched.of_y.candidate[:, 0]))
    np.testing.assert_array_equal(
        matched.mutual, [back[y] == x for x, y in zip(matched.x, matched.y)]
    )
    assert 0 < matched.mutual.mean() < 1


def test_one_to_one(easy):
    made, aligner = easy
    found = match_arrays(aligner, *made, pairs=pairs(K), share=1, one_to_one=True)
    given = found.y[found.y >= 0]
    assert len(np.unique(given)) == len(given) > 200
    assert np.isnan(found.probability[found.y < 0]).all()
    right = found.y == found.x
    assert found.expected.value == pytest.approx(right.sum(), rel=0.35)
    assert np.isnan(found.runner_up_probability).all()
    assert "right matches" in found.summary


def test_the_share_scales_items_and_leaves_groups(easy, matched):
    made, aligner = easy
    half = match_arrays(aligner, *made, pairs=pairs(K), share=0.5)
    np.testing.assert_allclose(half.probability, matched.probability / 2)
    np.testing.assert_array_equal(half.group_probability, matched.group_probability)
    among = half._replace(calibration=half.calibration._replace(among=0.5))
    assert "for about 100 the partner is among the 48 nearest" in among.summary


def test_samples_of_the_scaling_multiply_what_is_expected():
    assert expected_right(np.full(9, 0.5), np.full(4, 2.0)) == (4.5, 9, 9)


def test_without_the_share_no_item_has_a_probability(easy):
    made, aligner = easy
    found = match_arrays(aligner, *made, pairs=pairs(K))
    assert np.isnan(found.probability).all()
    assert np.isnan(found.of_x.probability).all()
    assert not np.isnan(found.group_probability).any()
    assert found.expected is None
    assert "give share" in found.summary


@pytest.mark.parametrize("k", [12, 59])
def test_below_60_pairs_there_are_no_probabilities(k):
    made = sets(160, noise=0.7)
    aligner = fitted(*made, k=k)
    found = match_arrays(aligner, *made, pairs=pairs(k), share=1, one_to_one=k == 12)
    shown = (
        found.probability,
        found.runner_up_probability,
        found.group_probability,
        found.of_x.probability,
        found.of_y.probability,
    )
    assert all(np.isnan(probability).all() for probability in shown)
    assert found.expected is None
    assert found.summary.startswith(f"{k} pairs are too few")
    assert "share and accept have no effect" in found.summary
    assert f"Confirm {60 - k} more pairs" in found.summary


@pytest.mark.parametrize("seed", [0, 1])
def test_shuffled_pairs_give_no_probability_above_a_fifth(seed):
    made = sets(500, noise=0.7, seed=seed)
    order = np.random.default_rng(seed).permutation(K)
    y = np.concatenate([made.y[order], made.y[K:]])
    for one_to_one in (False, True):
        found = match_arrays(
            fitted(made.x, y), made.x, y, pairs=pairs(K), share=1, one_to_one=one_to_one
        )
        assert np.nanmax(found.probability) < 0.2
        assert np.nanmax(found.of_y.probability) < 0.2
        assert found.group_probability.max() < 0.2


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pairs_of_another_kind_are_told(seed):
    """Those of some clusters, where what is to be matched is of the others."""
    x, y = sets(800, noise=0.7, clusters=24, seed=seed)
    order = np.argsort(y[:, 0], kind="stable")
    for picked in (order, np.random.default_rng(seed).permutation(800)):
        made = x[picked], y[picked]
        found = match_arrays(fitted(*made), *made, pairs=pairs(K), share=1)
        assert ("The pairs differ from the items to match" in found.summary) == (picked is order)


def test_half_without_a_partner(easy):
    made, _ = easy
    kept = np.r_[: 100 + 200]
    aligner = fitted(made.x, made.y[kept])
    found = match_arrays(aligner, made.x, made.y[kept], pairs=pairs(K), share=0.5)
    right = found.y == found.x
    assert found.probability.max() <= 0.5
    assert expected_calibration_error(found.probability, right) < 0.1


def test_an_aligner_of_no_method_is_taken_as_it_is(easy):
    made, aligner = easy

    class Towers:
        embed_x, embed_y = aligner.embed_x, aligner.embed_y

    found = match_arrays(Towers(), *made, pairs=pairs(K), share=1)
    assert found.calibration.pairs == K
    assert np.isfinite(found.probability).all()


def test_several_rows_an_item(easy, matched):
    made, aligner = easy
    y = np.stack([made.y - 1, made.y + 1], axis=1)
    found = match_arrays(aligner, made.x, y, pairs=pairs(K), share=1)
    assert np.mean(found.y == matched.y) > 0.98


def test_a_single_candidate():
    made = sets(70, noise=0.5)
    aligner = fitted(made.x, made.y, k=69)
    found = match_arrays(aligner, *made, pairs=pairs(69), share=1)
    assert found.y.tolist() == [69]
    assert found.runner_up.tolist() == [-1]
    assert 0.99 < found.probability[0] <= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"share": 0}, "share is 0"),
        ({"share": 1.5}, "share is 1.5"),
        ({"share": float("nan")}, "share is nan"),
        ({"share": "half"}, "share is 'half': give what part of x has a partner, above 0 to 1"),
        ({"pairs": pairs(2)}, "2 pairs are too few to hold any out"),
        ({"pairs": np.ones((3, 2))}, "pairs must be integers"),
        ({"pairs": np.array([[0, 0], [0, 1], [1, 2]])}, "of x is in two pairs"),
        ({"pairs": np.array([[0, 0], [1, 1], [2, 900]])}, "y has 500 items"),
        ({"pairs": pairs(500)}, "All items of x are in pairs"),
    ],
)
def test_errors_are_one_sentence(easy, change, message):
    made, aligner = easy
    with pytest.raises(ValueError, match=message):
        match_arrays(aligner, *made, **({"pairs": pairs(K), "share": 1} | change))
