"""One-to-one matching: no item is in two matches."""

from typing import NamedTuple

import numpy as np

from gentle_clip_jax.evaluation.held_out_pairs import Folds, Rows
from gentle_clip_jax.evaluation.nearest import TIE, Nearest, log_total, nearest, paired


class Edges(NamedTuple):
    """Possible matches: row numbers of x [e] and y [e], and log p(y | x) p(x | y) [e] of each."""

    x: np.ndarray
    y: np.ndarray
    score: np.ndarray

    def then(self, more: "Edges") -> "Edges":
        """Return these and more."""
        return Edges(*(np.concatenate(both) for both in zip(self, more)))


def edges(rows: Rows, of_x: Nearest, of_y: Nearest, temperatures: tuple[float, float]) -> Edges:
    """Return the possible matches: each item with its 48 nearest of the other modality.

    Args:
      rows: of all items.
      of_x: the nearest y of each x; of_y: the nearest x of each y.
      temperatures: that from x to y, and that from y to x.
    """
    (n, of_each_x), (m, of_each_y) = of_x.index.shape, of_y.index.shape
    by_x = np.repeat(np.arange(n), of_each_x), of_x.index.ravel()
    by_y = np.repeat(np.arange(m), of_each_y), of_y.index.ravel()
    x, y = np.concatenate([by_x[0], by_y[1]]), np.concatenate([by_x[1], by_y[0]])
    to_y = [of_x.cosine.ravel(), paired(rows.x, rows.ranked_y, by_y[::-1])]
    to_x = [paired(rows.y, rows.ranked_x, by_x[::-1]), of_y.cosine.ravel()]
    score = np.concatenate(to_y) / temperatures[0] - of_x.log_total[x]
    score += np.concatenate(to_x) / temperatures[1] - of_y.log_total[y]
    return Edges(x, y, score)


def assign(possible: Edges, n: int, m: int) -> np.ndarray:
    """Return the item of y [n] for each item of x, -1 for none; no item of y comes twice.

    The pair with the largest p(y | x) p(x | y) is matched first, then the largest of the remaining
    ones, and so on. On synthetic sets of 1,300 items this was as often right as the assignment of
    the largest sum, which takes minutes where this takes a fraction of a second.

    Args:
      possible: see `edges`.
      n, m: number of items of x and of y.
    """
    order = np.argsort(-possible.score, kind="stable")
    x, y = possible.x[order], possible.y[order]
    match_of, is_taken = np.full(n, -1), np.zeros(m, bool)
    while len(x):
        # What is first for both of its items is matched, whatever else is.
        number = np.arange(len(x))
        is_next = (_first(x, n)[x] == number) & (_first(y, m)[y] == number)
        match_of[x[is_next]], is_taken[y[is_next]] = y[is_next], True
        is_left = (match_of[x] < 0) & ~is_taken[y]
        x, y = x[is_left], y[is_left]
    return match_of


def _first(item: np.ndarray, count: int) -> np.ndarray:
    """Return the place of the first edge of each of `count` items, from the item of each edge."""
    place = np.full(count, len(item))
    place[item[::-1]] = np.arange(len(item))[::-1]  # of equal numbers, the last one stays
    return place


class AssignedPairs(NamedTuple):
    """One-to-one matches of the x of k held-out pairs.

    probability: [k] p(y | x) of the match, NaN for none.
    right: [k] outcome of the match: 0, or 1 in so many that tie with the partner.
    absent: [k] p(y | x) of the match if y lacks the held-out partners, NaN for none, and if it was
      not asked for.
    """

    probability: np.ndarray
    right: np.ndarray
    absent: np.ndarray


def assign_held_out(
    folds: Folds, pairs: np.ndarray, temperatures: tuple[float, float], *, absent: bool
) -> AssignedPairs:
    """Match the held-out pairs of each fold one to one, together with all unmatched items.

    All embeddings of a fold are by its own fit: those of two fits are not on one scale.

    Args:
      folds: see `held_out_pairs.Folds`.
      pairs: [k] numbers of the pairs to return.
      temperatures: that from x to y, and that from y to x.
      absent: whether to match without the held-out partners too.
    """
    numbers, parts = [], []
    for fold, fit in folds:
        numbers.append(fold)
        parts.append(_assigned_fold(*fit(fold), temperatures, absent))
    held_out = np.concatenate(numbers)
    place = np.searchsorted(held_out, pairs, sorter=(order := np.argsort(held_out)))
    return AssignedPairs(*(np.concatenate(part)[order[place]] for part in zip(*parts)))


def _assigned_fold(
    own: Rows, others: Rows, temperatures: tuple[float, float], absent: bool
) -> AssignedPairs:
    """Match the held-out items of a fold among the unmatched ones."""
    every = Rows(*(np.concatenate(both) for both in zip(others, own)))
    (n, m), row = map(len, others[:2]), np.arange(len(own.x))
    y = assigned(every, temperatures)[n:]
    cosines = own.x @ every.ranked_y.T
    partner = cosines[row, m + row]
    # As if each were the only one held out: the others of its fold are not in the sum.
    total = log_total(cosines[:, :m], temperatures[0])
    present = np.logaddexp(total, partner / temperatures[0])
    ties = np.abs(cosines - partner[:, None]) <= TIE
    without = np.full(len(y), np.nan)
    if absent:
        rows = every._replace(y=others.y, ranked_y=others.ranked_y)
        other = assigned(rows, temperatures)[n:]
        without = _probability(cosines[row, other] / temperatures[0] - total, other)
    return AssignedPairs(
        _probability(cosines[row, y] / temperatures[0] - present, y),
        (ties[row, y] & (y >= 0)) / np.maximum(1, ties.sum(axis=1)),
        without,
    )


def assigned(rows: Rows, temperatures: tuple[float, float]) -> np.ndarray:
    """Return the one-to-one match [n] of each row of x among those of y, -1 for none."""
    of_x = nearest(rows.x, rows.ranked_y, temperatures[0])
    of_y = nearest(rows.y, rows.ranked_x, temperatures[1])
    return assign(edges(rows, of_x, of_y, temperatures), len(rows.x), len(rows.y))


def _probability(log: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.where(y < 0, np.nan, np.exp(np.minimum(log, 0)))
