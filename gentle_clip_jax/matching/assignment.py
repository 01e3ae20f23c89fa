"""One-to-one matching: no item is in two matches."""

from typing import NamedTuple

import numpy as np

from gentle_clip_jax.evaluation.held_out_pairs import TEMPERATURES, HeldOutPairs, Rows
from gentle_clip_jax.evaluation.nearest import Nearest, paired


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
    the largest sum, which takes minutes where this takes seconds.

    Args:
      possible: see `edges`.
      n, m: number of items of x and of y.
    """
    match_of, free = np.full(n, -1), np.ones(m, bool)
    for i in np.argsort(-possible.score, kind="stable"):
        x, y = possible.x[i], possible.y[i]
        if match_of[x] < 0 and free[y]:
            match_of[x], free[y] = y, False
    return match_of


def assigned_held_out(
    evidence: HeldOutPairs,
    possible: Edges,
    of_x: Nearest,
    of_y: Nearest,
    best: tuple[int, int],
    *,
    partners_present: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Match the held-out pairs of each fold one to one among all unmatched items.

    Args:
      evidence: numbered by the rows of unmatched items.
      possible: of the unmatched items.
      of_x, of_y: the nearest of the unmatched items.
      best: indices of the temperatures from x to y, and from y to x.
      partners_present: whether held-out y are in the gallery.

    Returns:
      p(y | x) [k] of the matches of held-out x, NaN for one without a match, and whether each is
      right.
    """
    n, m, k = len(of_x.index), len(of_y.index), len(evidence.fold)
    temperatures = TEMPERATURES[best[0]], TEMPERATURES[best[1]]
    probability, right = np.full(k, np.nan), np.zeros(k, bool)
    for fold in np.unique(evidence.fold):
        rows = np.flatnonzero(evidence.fold == fold)
        x, y = n + np.arange(len(rows)), m + np.arange(len(rows))
        to_y, to_x = ([part[rows] for part in one] for one in (evidence.to_y, evidence.to_x))
        candidate_y, cosine_y, back_y, partner_y, *_, totals_y = to_y
        candidate_x, cosine_x, back_x, partner_x, *_, totals_x = to_x
        if not partners_present:
            partner_y = np.full_like(partner_y, -np.inf)
        log_x = np.logaddexp(totals_y[:, best[0]], partner_y / temperatures[0])
        log_y = np.logaddexp(totals_x[:, best[1]], partner_x / temperatures[1])
        own = partner_y / temperatures[0] - log_x + partner_x / temperatures[1] - log_y
        of_held_x = cosine_y / temperatures[0] - log_x[:, None] + back_y / temperatures[1]
        of_held_x -= of_y.log_total[candidate_y]
        of_held_y = cosine_x / temperatures[1] - log_y[:, None] + back_x / temperatures[0]
        of_held_y -= of_x.log_total[candidate_x]
        count_y, count_x = candidate_y.shape[1], candidate_x.shape[1]
        every = (
            possible.then(Edges(x, y, own))
            .then(Edges(np.repeat(x, count_y), candidate_y.ravel(), of_held_x.ravel()))
            .then(Edges(candidate_x.ravel(), np.repeat(y, count_x), of_held_y.ravel()))
        )
        if not partners_present:
            every = Edges(*(part[every.y < m] for part in every))
        partners = assign(every, n + len(rows), m + len(rows))[n:]
        is_right = partners == y
        place = np.argmax(candidate_y == partners[:, None], axis=1)
        cosine = np.where(is_right, partner_y, cosine_y[np.arange(len(rows)), place])
        matched = is_right | (candidate_y == partners[:, None]).any(axis=1)
        probability[rows] = np.where(matched, np.exp(cosine / temperatures[0] - log_x), np.nan)
        right[rows] = is_right
    return probability, right
