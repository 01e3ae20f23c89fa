"""What an aligner makes of pairs that it has not seen: the ground of all probabilities."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from gentle_clip_jax.aligners import METHODS, Aligner, Problem
from gentle_clip_jax.aligners.aligner import with_readout
from gentle_clip_jax.progress import track

ROUGH = 300  # pairs; what fewer of them say is rough
# Four fifths of so few find much less than all of them do, and too little would be expected.
_FOLDS, _ROUGH_FOLDS = 5, 10
MOST_PAIRS = 1000  # more are not held out: they would say little more
_MOST_OTHERS = 16384  # wrong answers that are looked at; so many stand for the rest
_MOST_FITTED = 4096  # unmatched items of a refit


class Embedder(Protocol):
    """Raw features [n, d] of either modality to unit rows [n, k]: an aligner, or trained towers."""

    def embed_x(self, x: Any, /) -> jax.Array: ...

    def embed_y(self, y: Any, /) -> jax.Array: ...


class Rows(NamedTuple):
    """Unit rows x [n, k] and y [m, k] of items as they ask, and as they are ranked for the other's.

    The two are one where the aligner draws nothing.
    """

    x: np.ndarray
    y: np.ndarray
    ranked_x: np.ndarray
    ranked_y: np.ndarray

    def then(self, more: "Rows") -> "Rows":
        """These and more items."""
        return Rows(*(np.concatenate(both) for both in zip(self, more)))


class Cosines(NamedTuple):
    """Of k held-out items.

    others: [k, v] cosines with unmatched items of the other modality, all or a part of them.
    partner: [k] cosine with the item's own partner.
    weight: how many items each of the others stands for.
    """

    others: np.ndarray
    partner: np.ndarray
    weight: float

    def of(self, items: slice) -> "Cosines":
        """Those of some of the items."""
        return Cosines(self.others[items], self.partner[items], self.weight)


class Fold(NamedTuple):
    """Rows of an aligner that has not seen some pairs: those of f pairs, and of unmatched items."""

    pairs: Rows
    others: Rows


class HeldOut(NamedTuple):
    """pairs [k]: which were held out; to_y: of their x with y; to_x: of their y with x.

    drawn_y: which unmatched items of y the others are.
    folds: what the cosines are of.
    unmatched: whether what was fitted has learnt from unmatched items too.
    """

    pairs: np.ndarray
    to_y: Cosines
    to_x: Cosines
    drawn_y: np.ndarray
    folds: list[Fold]
    unmatched: bool


def method_of(aligner: Embedder) -> str | None:
    """The method that can be fitted anew, or None for what has not learnt from pairs or cannot."""
    method = getattr(aligner, "about", {}).get("method")
    return method if method in METHODS else None


def means(items: np.ndarray) -> np.ndarray:
    """The mean [n, d] of the rows of each item [n, j, d]."""
    return items.mean(axis=1, dtype=np.float64).astype(items.dtype)


def held_out(aligner: Embedder, problem: Problem, key: jax.Array) -> HeldOut:
    """Each pair is held out once from a fit of the aligner's own method to the others.

    A held-out pair's items are among the unmatched ones that its aligner is fitted to, as those of
    the items to match are. An aligner whose method is not in `METHODS` is taken as it is: the pairs
    must be new to it.

    Args:
      problem: five pairs or more and the unmatched items, raw.
      key: of the folds, of what is drawn, and of the fits.

    Raises:
      ValueError: the method lacks what it needs.
    """
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())
    drawn_x, drawn_y = (
        np.sort(rng.permutation(len(items))[:_MOST_OTHERS])
        for items in (problem.unmatched_x, problem.unmatched_y)
    )
    parts, folds, method = [], [], method_of(aligner)
    for pairs, fitted in _fits(aligner, problem, rng, key):
        own = embedded(fitted, problem.x[pairs], problem.y[pairs])
        others = embedded(fitted, problem.unmatched_x, problem.unmatched_y)
        to_y = own.x @ others.ranked_y[drawn_y].T, np.sum(own.x * own.ranked_y, axis=1)
        to_x = own.y @ others.ranked_x[drawn_x].T, np.sum(own.y * own.ranked_x, axis=1)
        parts.append((pairs, *to_y, *to_x))
        folds.append(Fold(own, others))
    pairs, to_y, partner_y, to_x, partner_x = (np.concatenate(part) for part in zip(*parts))
    return HeldOut(
        pairs,
        Cosines(to_y, partner_y, len(problem.unmatched_y) / len(drawn_y)),
        Cosines(to_x, partner_x, len(problem.unmatched_x) / len(drawn_x)),
        drawn_y,
        folds,
        method is not None and METHODS[method].unmatched,
    )


def embedded(aligner: Embedder, x: np.ndarray, y: np.ndarray) -> Rows:
    """Rows of items [n, j, dx] and [m, k, dy]: those of the mean of an item's rows."""
    of_x, of_y = np.asarray(aligner.embed_x(means(x))), np.asarray(aligner.embed_y(means(y)))
    if not isinstance(aligner, Aligner):
        return Rows(of_x, of_y, of_x, of_y)
    return Rows(of_x, of_y, np.asarray(aligner.draw_x(of_x)), np.asarray(aligner.draw_y(of_y)))


def _fits(
    aligner: Embedder, problem: Problem, rng: np.random.Generator, key: jax.Array
) -> Iterator[tuple[np.ndarray, Embedder]]:
    """Pairs [f] and an aligner that has not seen them."""
    n, method = len(problem.x), method_of(aligner)
    order = rng.permutation(n)
    if method is None:
        yield order[:MOST_PAIRS], aligner
        return
    folds = _FOLDS if n >= ROUGH else min(_ROUGH_FOLDS, n)
    size, seen = -(-n // folds), np.zeros(n, bool)
    for fold in track(range(folds), "holding pairs out"):
        # Where their number does not divide n, folds overlap: of one size, they compile once.
        rows = np.roll(order, -(fold * n // folds))
        new = rows[:size][~seen[rows[:size]]]
        seen[new] = True
        part = _without(problem, rows[:size], rows[size:], rng)
        fitted = METHODS[method].fit(part, key)
        if isinstance(aligner, Aligner):
            fitted = with_readout(fitted, part, aligner.drawn)
        yield new[: -(-MOST_PAIRS // folds)], fitted


def _without(
    problem: Problem, held: np.ndarray, rest: np.ndarray, rng: np.random.Generator
) -> Problem:
    """The problem in which nobody knows that the held pairs are pairs."""
    unmatched = []
    for of_pairs, items in ((problem.x, problem.unmatched_x), (problem.y, problem.unmatched_y)):
        some = items[rng.permutation(len(items))[: _MOST_FITTED - len(held)]]
        rows = np.concatenate([of_pairs[held], some])
        unmatched.append(rows[rng.permutation(len(rows))])
    return Problem(problem.x[rest], problem.y[rest], *unmatched, classes=problem.classes)
