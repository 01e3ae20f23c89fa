"""The evidence of held-out pairs, against the same search written plainly in float64."""

import numpy as np
from scipy import special

from gentle_clip_jax.evaluation.held_out_pairs import TEMPERATURES, Rows, hold_out_pairs


def test_the_search_of_each_pair_equals_the_plain_one():
    rng = np.random.default_rng(0)
    own_x, own_y, others_x, others_y = (_unit(rng.normal(size=(n, 5))) for n in (4, 4, 9, 11))
    others_y[:2] = own_y[:2]  # two captions that read the same as the partners
    others_y[0] *= 1 - 2e-7  # but for rounding
    folds = [
        (fold, lambda fold: (_rows(own_x[fold], own_y[fold]), _rows(others_x, others_y)))
        for fold in (np.array([2, 0]), np.array([1, 3]))
    ]

    found = hold_out_pairs(folds, uses_unmatched=False)

    assert found.pairs.tolist() == [2, 0, 1, 3]
    assert found.fold.tolist() == [0, 0, 1, 1]
    assert found.galleries.tolist() == [9, 11]
    x, y = own_x[found.pairs], own_y[found.pairs]
    cosines, partner = x @ others_y.T, np.sum(x * y, axis=1)
    order = np.argsort(-cosines, axis=1)
    np.testing.assert_allclose(found.to_y.partner, partner, atol=1e-6)
    np.testing.assert_allclose(found.to_y.cosine, np.take_along_axis(cosines, order, 1), atol=1e-6)
    np.testing.assert_array_equal(found.to_y.candidate, order)
    np.testing.assert_allclose(
        found.to_y.log_total,
        special.logsumexp(cosines[:, None] / TEMPERATURES[:, None], axis=2),
        rtol=1e-4,
    )
    assert found.to_y.ties.tolist() == [0, 1, 1, 0]
    apart = np.abs(cosines - partner[:, None]) > 1e-6
    above = np.sum((cosines > partner[:, None]) & apart, axis=1)
    np.testing.assert_array_equal(found.to_y.above, above)
    np.testing.assert_allclose(found.to_y.ranks, 1 + above + np.array([0, 0.5, 0.5, 0]))


def test_pairs_that_are_easier_than_the_others_are_biased_whichever_are_taken():
    """Easy pairs alone are far from all unmatched items; the hard ones are as near as these are."""
    rng = np.random.default_rng(0)
    easy, hard, others = (rng.normal(size=(n, 12)) for n in (80, 80, 400))
    easy[:, 6:], hard[:, :6], others[:, :6] = 0, 0, 0
    own, others = np.concatenate([easy, hard]), _unit(others)
    own_x, own_y = _unit(own), _unit(own + rng.normal(size=own.shape) * (own != 0))
    order = rng.permutation(160)
    folds = [
        (fold, lambda fold: (_rows(own_x[fold], own_y[fold]), _rows(others, others)))
        for fold in np.split(order, 4)
    ]
    found = hold_out_pairs(folds, uses_unmatched=False)
    is_easy = found.pairs < 80
    assert found.taking(is_easy).pair_bias > 3
    assert abs(found.taking(~is_easy).pair_bias) < 3
    # Some of the pairs are taken as if only these had been held out.
    rows = rng.permutation(np.flatnonzero(~is_easy))
    pairs, fold = found.pairs[rows], found.fold[rows]
    alone = [
        (some, lambda some: (_rows(own_x[some], own_y[some]), _rows(others, others)))
        for some in (pairs[fold == number] for number in range(4))
    ]
    expected = hold_out_pairs(alone, uses_unmatched=False)
    np.testing.assert_allclose(found.taking(rows).pair_bias, expected.pair_bias, rtol=1e-9)
    again = found.taking(rows).taking(np.argsort(fold, kind="stable"))
    np.testing.assert_array_equal(again.rivals, expected.rivals)


def _rows(x: np.ndarray, y: np.ndarray) -> Rows:
    x, y = x.astype(np.float32), y.astype(np.float32)
    return Rows(x, y, x, y)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
