"""Matches are ranked as `search` ranks: where the aligner draws rows, by drawn ones."""

import jax
import numpy as np
import pytest
from match_data import pairs, sets

from gentle_clip_jax.aligners import METHODS, Problem
from gentle_clip_jax.aligners.aligner import with_readout
from gentle_clip_jax.aligners.readout import Sides
from gentle_clip_jax.matching import match
from gentle_clip_jax.matching.assignment import assign
from gentle_clip_jax.matching.calibration import expected_calibration_error
from gentle_clip_jax.matching.held_out import Rows, held_out
from gentle_clip_jax.matching.nearest import nearest

K = 100
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def problem():
    x, y = sets(500, noise=0.7, clusters=12)
    return Problem(x[:K], y[:K], x[K:], y[K:])


def drawn(problem, sides):
    return with_readout(METHODS["cca"].fit(problem, KEY), problem, sides)


@pytest.mark.slow
def test_candidates_are_the_nearest_of_drawn_rows(problem):
    x, y = sets(500, noise=0.7, clusters=12)
    aligner = drawn(problem, Sides(x=True, y=True))
    found = match(aligner, x, y, pairs=pairs(K), share=1)
    asks = np.asarray(aligner.embed_x(x[K:])), np.asarray(aligner.embed_y(y[K:]))
    ranked = np.asarray(aligner.draw_x(asks[0])), np.asarray(aligner.draw_y(asks[1]))
    for candidates, ask, rows, plain in (
        (found.of_x, asks[0], ranked[1], asks[1]),
        (found.of_y, asks[1], ranked[0], asks[0]),
    ):
        cosines = np.sort(ask @ rows.T, axis=1)[:, ::-1]
        np.testing.assert_allclose(candidates.cosine, cosines[:, :48], atol=1e-5)
        assert np.abs(np.sort(ask @ plain.T, axis=1)[:, ::-1] - cosines).max() > 0.05
    assert expected_calibration_error(found.probability, found.y == found.x) < 0.1


@pytest.mark.parametrize("side", ["x", "y"])
def test_refits_draw_what_the_aligner_draws(problem, side):
    aligner = drawn(problem, Sides(x=side == "x", y=side == "y"))
    held = held_out(aligner, problem, KEY)
    for fold in held.folds:
        for rows in fold:
            assert (np.abs(rows.ranked_x - rows.x).max() > 0.01) == (side == "x")
            assert (np.abs(rows.ranked_y - rows.y).max() > 0.01) == (side == "y")
    own = np.concatenate(
        [np.sum(fold.pairs.x * fold.pairs.ranked_y, axis=1) for fold in held.folds]
    )
    np.testing.assert_array_equal(held.to_y.partner, own)


@pytest.mark.parametrize(("k", "folds"), [(61, 10), (299, 10), (300, 5)])
def test_each_pair_is_held_out_once_and_few_in_more_folds(k, folds):
    x, y = sets(400, noise=0.7)
    aligner = METHODS["procrustes"].fit(Problem(x[:k], y[:k], x[k:], y[k:]), KEY)
    held = held_out(aligner, Problem(x[:k], y[:k], x[k:], y[k:]), KEY)
    assert len(held.folds) == folds
    assert sorted(held.pairs.tolist()) == [*range(k)]


def test_one_to_one_knows_the_cosines_of_both_ways():
    """Against a loop over all pairs of items."""
    rng = np.random.default_rng(0)
    rows = Rows(*(_unit(rng.normal(size=(n, 5))) for n in (20, 30, 20, 30)))
    near = nearest(rows.x, rows.ranked_y, 0.3), nearest(rows.y, rows.ranked_x, 0.5)
    found = assign(rows, *near, (0.3, 0.5))
    to_y, to_x = rows.x @ rows.ranked_y.T / 0.3, (rows.y @ rows.ranked_x.T / 0.5).T
    score = to_y - np.log(np.exp(to_y).sum(1, keepdims=True))
    score += to_x - np.log(np.exp(to_x).sum(0, keepdims=True))
    for _ in range(20):
        x, y = np.unravel_index(np.argmax(score), score.shape)
        assert found[x] == y
        score[x], score[:, y] = -np.inf, -np.inf


def _unit(rows):
    return np.float32(rows / np.linalg.norm(rows, axis=1, keepdims=True))
