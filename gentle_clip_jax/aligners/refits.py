"""Refits of an aligner on folds of its pairs: the evidence for calibrated matches."""

import functools
from collections.abc import Sequence
from typing import Any, Protocol

import jax
import numpy as np

from gentle_clip_jax.aligners.aligner import Aligner
from gentle_clip_jax.aligners.closed_form.arrays import Array, to_map
from gentle_clip_jax.aligners.closed_form.gallery_smoothing import SmoothedGallery
from gentle_clip_jax.aligners.fit import refit, standardized_for
from gentle_clip_jax.aligners.methods import METHODS
from gentle_clip_jax.aligners.problem import Features, Problem
from gentle_clip_jax.evaluation.held_out_pairs import Folds, HeldOutPairs, Rows, hold_out_pairs
from gentle_clip_jax.evaluation.splits import folds
from gentle_clip_jax.storage.progress import track

LEAST_PAIRS = 60  # minimum for calibration
ROUGH = 300  # pairs; estimates from fewer are rough
# Four fifths of so few rank much worse than all of them do: the estimate would be too low.
_FOLDS, _ROUGH_FOLDS = 5, 10
MOST_PAIRS = 1000  # maximum to hold out: more hardly improve calibration
_MOST_FITTED = 4096  # unmatched items of a refit


class Embedder(Protocol):
    """Maps of raw features [n, d] to unit rows [n, k]: an aligner, or trained towers."""

    def embed_x(self, x: Any, /) -> jax.Array: ...

    def embed_y(self, y: Any, /) -> jax.Array: ...


def held_out_pairs(aligner: Embedder, problem: Problem, key: jax.Array) -> HeldOutPairs:
    """Refit the aligner without each fold of pairs, and rank the partners of the held-out items.

    The items of held-out pairs are among the unmatched ones that a refit sees, as the items to
    match are. An aligner whose method is not in `METHODS` is not refitted: the pairs must be new to
    it.

    Args:
      aligner: fitted to the problem, or trained on other data.
      problem: the pairs and the unmatched items, raw.
      key: of the folds and of samples.

    Raises:
      ValueError: the method lacks what it needs.
    """
    method = method_of(aligner)
    return hold_out_pairs(
        refits_without(aligner, problem, key),
        uses_unmatched=method is not None and METHODS[method].unmatched,
    )


def method_of(aligner: Embedder) -> str | None:
    """Return the method that can be refitted, or None."""
    method = getattr(aligner, "metadata", {}).get("method")
    return method if method in METHODS else None


def embedded(aligner: Embedder, x: Array, y: Array) -> Rows:
    """Embed rows [n, dx] and [m, dy], and smooth those that are ranked."""
    of_x, of_y = ranked = np.asarray(aligner.embed_x(x)), np.asarray(aligner.embed_y(y))
    if isinstance(aligner, Aligner | SmoothedGallery):
        ranked = aligner.smooth_gallery_x(of_x), aligner.smooth_gallery_y(of_y)
    return Rows(of_x, of_y, *map(np.asarray, ranked))


def means(items: np.ndarray) -> np.ndarray:
    """Return the mean [n, d] of the rows of each item [n, j, d]."""
    return items.mean(axis=1, dtype=np.float64).astype(items.dtype)


def refits_without(aligner: Embedder, problem: Problem, key: jax.Array) -> Folds:
    """Yield the pairs of each fold, and the function that refits without them and embeds.

    Args and errors: as `held_out_pairs`, of which these are the folds.
    """
    n, rng = len(problem.x), np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())
    order = rng.permutation(n)
    if method_of(aligner) is None or not isinstance(aligner, Aligner):
        items = problem.x, problem.y, problem.unmatched_x, problem.unmatched_y
        yield order[:MOST_PAIRS], functools.partial(_embedded_pairs, aligner, [*map(means, items)])
        return
    features, classes = standardized_for(aligner.metadata["method"], problem)
    features = Features(*map(np.asarray, features))
    rows = [to_map(items.mean(axis=1)) for items in features]
    count = _FOLDS if n >= ROUGH else min(_ROUGH_FOLDS, n)
    seen = np.zeros(n, bool)
    for held_out, rest in track(list(folds(order, count)), "holding pairs out"):
        # Folds of one size overlap by a pair where their number does not divide n.
        new = held_out[~seen[held_out]]
        seen[new] = True
        refitted = refit(aligner, _without(features, held_out, rest, rng), classes)
        yield new[: -(-MOST_PAIRS // count)], functools.partial(_embedded_pairs, refitted, rows)


def _embedded_pairs(
    aligner: Embedder, rows: Sequence[Array], pairs: np.ndarray
) -> tuple[Rows, Rows]:
    """Embed some of the pairs, and all unmatched items, of the rows of `Features`."""
    x, y, unmatched_x, unmatched_y = rows
    return embedded(aligner, x[pairs], y[pairs]), embedded(aligner, unmatched_x, unmatched_y)


def _without(
    features: Features, held_out: np.ndarray, rest: np.ndarray, rng: np.random.Generator
) -> Features:
    """Return the features of which the held-out pairs are unmatched items."""
    unmatched = []
    for of_pairs, items in zip(features[:2], features[2:]):
        some = items[rng.permutation(len(items))[: _MOST_FITTED - len(held_out)]]
        rows = np.concatenate([of_pairs[held_out], some])
        unmatched.append(rows[rng.permutation(len(rows))])
    return Features(features.x[rest], features.y[rest], *unmatched)
