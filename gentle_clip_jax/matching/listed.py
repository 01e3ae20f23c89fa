"""The longest list of matches of which at most a chosen share is expected to be wrong.

Each held-out pair shows how high a wrong match may score: with its partner in the gallery, and
without it, as for the items that have none. A match is as surprising as few of these outcomes are
wrong with a score as high; a list is chosen by these p-values.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

_LEVEL = 0.95  # of the upper bound


class Outcomes(NamedTuple):
    """Scores of the n matches, and those of k held-out pairs, p(y | x) before it is scaled.

    score: [n], NaN where there is no match.
    held_out: [h] scores of matched held-out items, h at most k; right: [h] outcomes from 0 to 1.
    absent: [k] scores of all held-out items where the partner is not in the gallery.
    """

    score: np.ndarray
    held_out: np.ndarray
    right: np.ndarray
    absent: np.ndarray


class Listed(NamedTuple):
    """A list of matches.

    rows: [m] numbers of the matches in the list, surest first.
    expected: share of them that is expected to be wrong; upper: bound of this share, with 95 %.
    least: the smallest such share of any list of these matches, with its number of matches.
    """

    rows: np.ndarray
    expected: float
    upper: float
    least: tuple[float, int]


def listed(outcomes: Outcomes, share: float, fdr: float) -> Listed:
    """Choose the longest list of which at most a share `fdr` is expected to be wrong.

    The p-value of a match is (1 + wrong held-out outcomes with its score or more) / (k + 1), where
    an outcome counts `share` with its partner in the gallery and 1 - `share` without; the list is
    that of Benjamini and Hochberg. If held-out pairs and items to match are exchangeable, the mean
    share of wrong matches over many such lists is at most `fdr`. The upper bound is a quantile of
    the beta-binomial distribution of the wrong matches among n items, given the held-out ones.

    Args:
      outcomes: of matches and held-out pairs.
      share: share of the items of x that have a partner, above 0 to 1.
      fdr: false discovery rate, above 0 and below 1.

    Source: Jin and Candès 2023, Selection by Prediction with Conformal p-values, (4) and Algorithm
    1; the weights for absent partners and the bound are ours.

    >>> scores = np.linspace(0, 1, 100)
    >>> one = listed(Outcomes(scores, scores, scores > 0.4, scores * 0.4), 1.0, 0.1)
    >>> len(one.rows), round(one.expected, 2)
    (65, 0.09)
    """
    score, count = outcomes.score, len(outcomes.absent)
    order = np.argsort(-np.nan_to_num(score, nan=-1), kind="stable")[: np.sum(~np.isnan(score))]
    wrong = share * _weight_above(outcomes.held_out, 1 - outcomes.right, score[order])
    wrong += (1 - share) * _weight_above(outcomes.absent, np.ones(count), score[order])
    sizes = np.searchsorted(-score[order], -score[order], side="right")  # ties are in one list
    expected = len(score) * (1 + wrong) / (count + 1) / sizes
    if not len(order):
        return Listed(order, 0.0, 0.0, (1.0, 0))
    best = int(np.argmin(expected))
    fitting = np.flatnonzero(expected <= fdr)
    least = min(1.0, float(expected[best])), int(sizes[best])
    if not len(fitting):
        return Listed(order[:0], 0.0, 0.0, least)
    last = int(fitting[-1])
    of_wrong = stats.betabinom(len(score), wrong[last] + 1, max(count - wrong[last], 1e-9))
    upper = min(1.0, float(of_wrong.ppf(_LEVEL)) / sizes[last])
    return Listed(order[: sizes[last]], float(expected[last]), max(upper, fdr), least)


def _weight_above(scores: np.ndarray, weights: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Return the sum [m] of the weights of scores of at least each of `least`."""
    order = np.argsort(scores)
    totals = np.concatenate([[0.0], np.cumsum(weights[order][::-1])])
    return totals[len(scores) - np.searchsorted(scores[order], least, side="left")]
