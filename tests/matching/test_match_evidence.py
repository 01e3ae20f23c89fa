"""Evidence for matches: refits smooth as the aligner does, and kept evidence gives the same."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from match_data import pairs, sets

from gentle_clip_jax.aligners import METHODS, Problem, load, refits
from gentle_clip_jax.aligners.aligner import with_gallery_smoothing
from gentle_clip_jax.aligners.gallery import Galleries
from gentle_clip_jax.aligners.refits import held_out_pairs
from gentle_clip_jax.evaluation.held_out_pairs import TEMPERATURES, Rows
from gentle_clip_jax.evaluation.nearest import nearest
from gentle_clip_jax.matching import match_arrays
from gentle_clip_jax.matching.assignment import assign, edges
from gentle_clip_jax.matching.calibration import expected_calibration_error

K = 100
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def problem():
    x, y = sets(500, noise=0.7, clusters=12)
    return Problem(x[:K], y[:K], x[K:], y[K:])


def smoothed(problem, galleries):
    return with_gallery_smoothing(METHODS["cca"].fit(problem), problem, galleries)


@pytest.mark.slow
def test_candidates_are_the_nearest_of_smoothed_rows(problem):
    x, y = sets(500, noise=0.7, clusters=12)
    aligner = smoothed(problem, Galleries(x=True, y=True))
    found = match_arrays(aligner, x, y, pairs=pairs(K), share=1)
    queries = np.asarray(aligner.embed_x(x[K:])), np.asarray(aligner.embed_y(y[K:]))
    ranked = aligner.smooth_gallery_x(queries[0]), aligner.smooth_gallery_y(queries[1])
    for candidates, query, rows, plain in (
        (found.of_x, queries[0], ranked[1], queries[1]),
        (found.of_y, queries[1], ranked[0], queries[0]),
    ):
        cosines = np.sort(query @ np.asarray(rows).T, axis=1)[:, ::-1]
        np.testing.assert_allclose(candidates.cosine, cosines[:, :48], atol=1e-5)
        assert np.abs(np.sort(query @ plain.T, axis=1)[:, ::-1] - cosines).max() > 0.05
    assert expected_calibration_error(found.probability, found.y == found.x) < 0.1


@pytest.mark.parametrize("modality", ["x", "y"])
def test_refits_smooth_the_galleries_that_the_aligner_smooths(problem, modality, monkeypatch):
    aligner, rows = smoothed(problem, Galleries(x=modality == "x", y=modality == "y")), []
    real = refits.embedded
    monkeypatch.setattr(refits, "embedded", lambda *args: rows.append(real(*args)) or rows[-1])
    held = held_out_pairs(aligner, problem, KEY)
    assert len(rows) == 2 * 10
    for some in rows:
        assert (np.abs(some.ranked_x - some.x).max() > 0.01) == (modality == "x")
        assert (np.abs(some.ranked_y - some.y).max() > 0.01) == (modality == "y")
    own = np.concatenate([np.sum(fold.x * fold.ranked_y, axis=1) for fold in rows[::2]])
    np.testing.assert_array_equal(held.to_y.partner, own)
    others = rows[1]
    of_first = np.sort(rows[0].x @ others.ranked_y.T, axis=1)[:, ::-1]
    first = held.fold == 0
    np.testing.assert_allclose(held.to_y.cosine[first], of_first[:, :48], atol=1e-6)
    totals = np.log(np.exp(np.float64(of_first[:, :, None]) / TEMPERATURES).sum(axis=1))
    np.testing.assert_allclose(held.to_y.log_total[first], totals, rtol=1e-4)


@pytest.mark.parametrize(("k", "folds"), [(61, 10), (299, 10), (300, 5)])
def test_each_pair_is_held_out_once_and_few_in_more_folds(k, folds):
    x, y = sets(400, noise=0.7)
    aligner = METHODS["procrustes"].fit(Problem(x[:k], y[:k], x[k:], y[k:]))
    held = held_out_pairs(aligner, Problem(x[:k], y[:k], x[k:], y[k:]), KEY)
    assert len(np.unique(held.fold)) == folds
    assert sorted(held.pairs.tolist()) == [*range(k)]


@pytest.mark.parametrize("one_to_one", [False, True])
def test_kept_evidence_gives_the_matches_of_refits(problem, one_to_one, monkeypatch, tmp_path):
    x, y = sets(500, noise=0.7, clusters=12)
    aligner = smoothed(problem, Galleries(x=True, y=False))
    refitted = match_arrays(aligner, x, y, pairs=pairs(K), share=1, one_to_one=one_to_one)
    held = held_out_pairs(aligner, problem, KEY).numbered(*[np.arange(K, 500)] * 2)
    dataclasses.replace(aligner, held_out=held).save(tmp_path)
    held = load(tmp_path).held_out
    if not one_to_one:  # which needs all embeddings of each refit
        monkeypatch.setattr(refits, "refit", None)  # not called
    kept = match_arrays(
        aligner, x, y, pairs=pairs(K), share=1, one_to_one=one_to_one, held_out=held
    )
    np.testing.assert_array_equal(kept.y, refitted.y)
    np.testing.assert_array_equal(kept.probability, refitted.probability)
    assert kept.expected == refitted.expected
    json.dumps(kept.metadata)


def test_items_are_sampled_in_the_order_given_and_not_in_that_of_rows(problem, monkeypatch):
    """200 of the 400 unmatched items of each side are in a refit: the same whatever their rows."""
    monkeypatch.setattr(refits, "_MOST_FITTED", 200)
    (x, y), order = sets(500, noise=0.7, clusters=12), np.random.default_rng(1).permutation(500)
    aligner, place = METHODS["cca"].fit(problem), np.argsort(order)
    found = match_arrays(aligner, x, y, pairs=pairs(K), share=1)
    moved = np.stack([place[:K]] * 2, axis=1)
    again = match_arrays(aligner, x[order], y[order], pairs=moved, share=1, orders=(place, place))
    rows = np.argsort(order[again.x])
    np.testing.assert_array_equal(order[again.y[rows]], found.y)
    np.testing.assert_allclose(again.probability[rows], found.probability, atol=1e-5)
    np.testing.assert_array_equal(again.group[rows], found.group)


def test_one_to_one_uses_the_cosines_of_both_directions():
    """Against a loop over all pairs of items."""
    rng = np.random.default_rng(0)
    rows = Rows(*(_unit(rng.normal(size=(n, 5))) for n in (20, 30, 20, 30)))
    near = nearest(rows.x, rows.ranked_y, 0.3), nearest(rows.y, rows.ranked_x, 0.5)
    found = assign(edges(rows, *near, (0.3, 0.5)), 20, 30)
    to_y, to_x = rows.x @ rows.ranked_y.T / 0.3, (rows.y @ rows.ranked_x.T / 0.5).T
    score = to_y - np.log(np.exp(to_y).sum(1, keepdims=True))
    score += to_x - np.log(np.exp(to_x).sum(0, keepdims=True))
    for _ in range(20):
        x, y = np.unravel_index(np.argmax(score), score.shape)
        assert found[x] == y
        score[x], score[:, y] = -np.inf, -np.inf


def _unit(rows):
    return np.float32(rows / np.linalg.norm(rows, axis=1, keepdims=True))
