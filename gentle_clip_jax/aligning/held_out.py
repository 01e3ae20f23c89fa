"""How well pairs find each other that a fit has not seen, split after split."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.aligners import METHODS, Problem
from gentle_clip_jax.aligners.closed_form import gentle
from gentle_clip_jax.aligners.closed_form.shrinkage import (
    OF_FEW_PAIRS,
    chosen_shrinkage,
    shrunk_cca,
    shrunk_ridge,
)
from gentle_clip_jax.aligners.cross_validation import Embeds
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.aligners.standardize import standardized

TOP = (1, 5, 10)
_FOLDS = 5
_FEW = 100  # pairs below which the splits are repeated more often
_WRONG_ANSWERS = 1000
_FITTED_TO = 1000  # unmatched items of each modality that a trial fit takes
_DIMENSIONS = 256  # principal components that a trial fit takes; all would take minutes a split
_TIE = 1e-6  # cosines in float32 are rounded by about 1e-7
_ALONE = {"cca": shrunk_cca, "ridge": shrunk_ridge}


class HeldOut(NamedTuple):
    """What was found.

    recall: by method [n, 2, 3]: of each pair, from x to y and back, the share of the splits it was
      held out in where its partner was first, among the first five, among the first ten.
    fitted: how many pairs each fit had. among: how many items a partner was among.
    splits: how many fits of each method there were.
    """

    recall: dict[str, np.ndarray]
    fitted: int
    among: int
    splits: int


def held_out(problem: Problem, method: str, *, transport: bool = True, seed: int = 0) -> HeldOut:
    """Holds pairs out again and again, and finds each among the held-out and unmatched items.

    Four fifths of the pairs are fitted, in 20 splits below 100 pairs and 10 from there on. A third
    of the unmatched items, 1,000 at most, are wrong answers and not fitted to; up to 1,000 others
    are. CCA, ridge regression and gentle transport are tried on the first 256 principal components,
    which stand for all features, and gentle transport in three rounds; other methods as they are.

    Args:
      problem: of three pairs or more.
      method: of `METHODS`; CCA and ridge regression are tried too, as what pairs alone can do.
      transport: whether gentle transport has a plan.
      seed: of the splits.
    """
    _, _, features, _ = standardized(problem)
    fitted_to, wrong = _parts(features)
    features = _reduced(features, fitted_to)
    x, y = jnp.mean(features.x, axis=1), jnp.mean(features.y, axis=1)
    wrong_x, wrong_y = (
        jnp.mean(items[wrong], axis=1) for items in (features.unmatched_x, features.unmatched_y)
    )
    fits: dict[str, Callable[[np.ndarray], Embeds]] = {}
    for name, fit in _ALONE.items():
        shrinkage = chosen_shrinkage(fit, x, y)
        fits[name] = lambda rest, f=fit, s=shrinkage: f(x[rest], y[rest], s)
    if method == "gentle_transport":
        fits[method] = _gentle_fit(features, fitted_to, transport=transport)
    whole = _Raw(problem, method, fitted_to, wrong) if method not in fits else None
    counts, fitted, among = np.zeros(len(x)), 0, 0
    hits = {name: np.zeros((len(x), 2, len(TOP))) for name in {**fits, method: None}}
    all_splits = list(splits(len(x), seed))
    for held, rest in all_splits:
        counts[held] += 1
        fitted, rows = len(rest), held
        if len(held) + min(len(wrong_x), len(wrong_y)) < 10:
            rows = np.concatenate([held, rest])  # among fewer a partner could hardly be missed
        among = len(rows) + min(len(wrong_x), len(wrong_y))
        gallery = jnp.concatenate([x[rows], wrong_x]), jnp.concatenate([y[rows], wrong_y])
        for name, fit in fits.items():
            hits[name][held] += _hits(fit(rest), *gallery, len(held))
        if whole is not None:
            hits[method][held] += whole.hits(held, rest, rows)
    recall = {name: found / counts[:, None, None] for name, found in hits.items()}
    return HeldOut(recall, fitted, among, len(all_splits))


def splits(n: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Held-out pairs and the rest, all of one shape, so that fits compile once."""
    folds = min(_FOLDS, n)
    repeats = 1 if n <= _FOLDS else 4 if n < _FEW else 2
    size, rng = -(-n // folds), np.random.default_rng(seed)
    for _ in range(repeats):
        order = rng.permutation(n)
        for fold in range(folds):
            rows = np.roll(order, -(fold * n // folds))
            yield rows[:size], rows[size:]


class _Raw(NamedTuple):
    """A method that is fitted to raw features, as `align` fits it."""

    problem: Problem
    method: str
    fitted_to: slice
    wrong: slice

    def hits(self, held: np.ndarray, rest: np.ndarray, rows: np.ndarray) -> np.ndarray:
        problem, wrong = self.problem, self.wrong
        unmatched = problem.unmatched_x, problem.unmatched_y
        known = problem.x[rest], problem.y[rest], *(items[self.fitted_to] for items in unmatched)
        aligner = METHODS[self.method].fit(Problem(*known), jax.random.key(0))
        x, y = (
            np.concatenate([items[rows].mean(axis=1), others[wrong].mean(axis=1)])
            for items, others in zip((problem.x, problem.y), unmatched)
        )
        return _hits(aligner, jnp.asarray(x), jnp.asarray(y), len(held))


def _parts(features: Features) -> tuple[slice, slice]:
    """Unmatched items that are fitted to, and wrong answers."""
    least = min(len(features.unmatched_x), len(features.unmatched_y))
    split = min(_FITTED_TO, least - least // 3)
    return slice(0, split), slice(split, split + _WRONG_ANSWERS)


def _reduced(features: Features, fitted_to: slice) -> Features:
    """The features in their first principal components, where they have more."""

    def reduce(items: jax.Array, unmatched: jax.Array) -> tuple[jax.Array, jax.Array]:
        width = items.shape[2]
        if width <= _DIMENSIONS:
            return items, unmatched
        rows = [np.asarray(some).reshape(-1, width) for some in (items, unmatched[fitted_to])]
        rows = np.concatenate(rows)
        _, axes = np.linalg.eigh(rows.T @ rows)
        basis = jnp.asarray(axes[:, ::-1][:, :_DIMENSIONS])
        return items @ basis, unmatched @ basis

    x, unmatched_x = reduce(features.x, features.unmatched_x)
    y, unmatched_y = reduce(features.y, features.unmatched_y)
    return Features(x, y, unmatched_x, unmatched_y)


def _gentle_fit(
    features: Features, fitted_to: slice, *, transport: bool
) -> Callable[[np.ndarray], Embeds]:
    """Gentle transport with what all pairs chose: the shrinkage and the weight of neighbours."""
    some = features._replace(
        unmatched_x=features.unmatched_x[fitted_to], unmatched_y=features.unmatched_y[fitted_to]
    )
    prepared = gentle.prepare(some)
    few = OF_FEW_PAIRS if len(features.x) < gentle.LEAST_TRIED else None
    smoothed = prepared.features

    def fit(rest: np.ndarray) -> Embeds:
        part = smoothed._replace(x=smoothed.x[rest], y=smoothed.y[rest])
        means = jnp.mean(part.x, axis=1), jnp.mean(part.y, axis=1)
        maps = shrunk_cca(*means, prepared.shrinkage)
        if transport:
            rounds = gentle.TRIAL_ROUNDS
            maps = gentle.planned(part, maps, None, shrinkage=few, rounds=rounds)
        return gentle.Smoothed(maps, prepared.bank, prepared.weight)

    return fit


def _hits(maps: Embeds, x: jax.Array, y: jax.Array, held: int) -> np.ndarray:
    """[held, 2, 3] whether the partner of a held-out item, the first rows, is near, both ways."""
    rows_x, rows_y = np.asarray(maps.embed_x(x)), np.asarray(maps.embed_y(y))
    ranks = []
    for queries, gallery in ((rows_x[:held], rows_y), (rows_y[:held], rows_x)):
        scores = queries @ gallery.T
        # What is not a number counts against the partner.
        near = ~(scores < np.diagonal(scores)[:, None] - _TIE)
        ranks.append(near.sum(axis=1))
    return np.stack(ranks, axis=1)[:, :, None] <= np.asarray(TOP)
