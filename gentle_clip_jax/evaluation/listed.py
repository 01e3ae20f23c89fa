"""The longest list of matches of which at most a chosen share is wrong.

Held-out pairs show how often matches with high scores are wrong. A list is all matches above a
score, and it is chosen by tests that allow one wrong choice in a hundred: Learn then Test.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import special

LEVEL = 0.01  # chance of a list whose error is above the chosen one
_CONFIDENCE = 0.95  # of the upper bound
_DRAWS = 21  # odd, so that the median is one of them
# Tests start at the shortest list that passes with so many wrong outcomes, at this part of the
# level. Chosen on synthetic models: an equal division loses more where the surest are all right.
_STARTS = ((0, 0.9), (3, 0.1))


class Outcomes(NamedTuple):
    """Scores of the n matches and of k held-out pairs: p(y | x) before it is scaled.

    score: [n], NaN where there is no match.
    held_out: [k] scores of the matches of held-out items, NaN likewise; right: [k] outcomes from 0
      to 1.
    absent: [k] scores of their matches where the partner is not in the gallery, NaN likewise.
    """

    score: np.ndarray
    held_out: np.ndarray
    right: np.ndarray
    absent: np.ndarray


class Listed(NamedTuple):
    """A list of matches.

    rows: [m] numbers of the matches in the list, surest first.
    upper: bound of the share of them that is wrong, with 95 % confidence.
    needed: number of surest held-out matches that must all be right for the shortest list; wrong:
      how many of them are wrong; None if fewer held-out items have a match.
    """

    rows: np.ndarray
    upper: float
    needed: int
    wrong: int | None


def listed(outcomes: Outcomes, share: float, fdr: float) -> Listed:
    """Choose the longest list of which at most a share `fdr` is wrong.

    Each held-out pair is an outcome: with its partner in the gallery, with probability `share`; or
    without it, and then any match is wrong. Of the n outcomes above a score, the number of wrong
    ones is binomial. The hypothesis that the error above this score is more than `fdr` is rejected
    if the probability of so few wrong ones is at most the level, 1 %. Scores are tested in falling
    order until one is not rejected. The list is all matches above the last score that was rejected,
    so its error is at most `fdr` but for one case in a hundred. There are two starts, which divide
    the level (the fallback procedure).

    Below a share of 1, outcomes are drawn 21 times, at half the level, and the median length is
    taken: the chance that half of such draws are wrong is at most twice that of one. The upper
    bound is a quantile of the binomial distribution of m matches with an error of `fdr`.

    Args:
      outcomes: of matches and held-out pairs.
      share: share of the items of x that have a partner, above 0 to 1.
      fdr: greatest share of wrong matches, above 0 and below 1.

    Sources: Angelopoulos et al. 2021, Learn then Test, Section 2.3 and Algorithm 1; Wiens 2003, A
    fixed sequence Bonferroni procedure; Rüger 1978 for the median. The draws for absent partners
    and the bound are ours.

    >>> scores = np.linspace(0, 1, 100)
    >>> one = listed(Outcomes(scores, scores, scores > 0.4, scores * 0.4), 1.0, 0.1)
    >>> len(one.rows), one.upper, one.needed
    (60, 0.16666666666666666, 45)
    """
    score, rng = outcomes.score, np.random.default_rng(0)
    order = np.argsort(-np.nan_to_num(score, nan=-1), kind="stable")[: np.sum(~np.isnan(score))]
    is_fixed = share == 1 and bool(np.isin(outcomes.right, (0, 1)).all())
    draws, level = (1, LEVEL) if is_fixed else (_DRAWS, LEVEL / 2)
    (_, part), *_ = _STARTS
    needed = math.ceil(math.log(part * level) / math.log1p(-fdr))
    lengths, wrong_ones = [], []
    for _ in range(draws):
        scores, wrong = _drawn(outcomes, share, rng)
        least = _least_score(scores, wrong, fdr, level)
        lengths.append(np.sum(score > least))  # NaN is not
        wrong_ones.append(np.sum(wrong[:needed]) if len(wrong) >= needed else np.inf)
    length, wrong_of_needed = int(np.median(lengths)), np.median(wrong_ones)
    return Listed(
        order[:length],
        _upper(length, fdr),
        needed,
        None if np.isinf(wrong_of_needed) else int(wrong_of_needed),
    )


def _drawn(
    outcomes: Outcomes, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw which held-out partners are in the gallery: scores [h], falling, and which are wrong."""
    present, chance = rng.random((2, len(outcomes.right)))
    has_partner = present < share
    scores = np.where(has_partner, outcomes.held_out, outcomes.absent)
    is_wrong = ~(has_partner & (chance < outcomes.right))
    order = np.argsort(-scores, kind="stable")[: np.sum(~np.isnan(scores))]
    return scores[order], is_wrong[order]


def _least_score(scores: np.ndarray, is_wrong: np.ndarray, fdr: float, level: float) -> float:
    """Return the score above which all matches are in the list; infinite if none is.

    The n outcomes above the next lower score are a random sample of those above it, which the last
    one at a score itself is not.
    """
    if not len(scores):
        return math.inf
    counts, below = np.arange(1, len(scores) + 1), np.append(scores[1:], -math.inf)
    wrong = np.cumsum(is_wrong)
    p = special.bdtr(wrong, counts, fdr)
    starts = [
        (int(np.argmax(passes)), part * level)
        for allowed, part in _STARTS
        if (passes := special.bdtr(np.minimum(allowed, counts), counts, fdr) <= part * level).any()
    ]
    least, available = math.inf, 0.0
    for i in np.flatnonzero(scores > below):  # items with one score are in one list
        while starts and starts[0][0] <= i:
            available += starts.pop(0)[1]
        if available and p[i] <= available:
            least = float(below[i])
        else:
            available = 0.0
    return least


def _upper(length: int, fdr: float) -> float:
    """Return the bound of the share of wrong ones in a list: it fails where the list is a wrong
    choice, or where so many matches have more wrong ones by chance."""
    if not length:
        return 0.0
    at_most = special.bdtr(np.arange(length + 1), length, fdr)
    return max(fdr, float(np.argmax(at_most >= _CONFIDENCE + LEVEL)) / length)
