"""Verdict of held-out pairs on the difference of two methods."""

import math
from typing import Any

import numpy as np

from gentle_clip_jax.evaluation.intervals import mean_interval

EXPECTED, CLAIMED = 0.95, 0.99  # confidence levels of a figure and of a claim
_ALIKE = 0.01  # a negligible difference
MOST_PAIRS = 5000  # maximum number of pairs to advise
_SIGNIFICANT = 2.58  # standard errors above chance: one-sided 0.5 %, as the best of some is judged
_FEW, _MANY = 30, 100  # pairs from which on nothing above chance is a warning, and a reason to stop


def gain(ours: np.ndarray, theirs: np.ndarray, *, fitted: int) -> dict[str, Any]:
    """Compare the recall [n] of two methods, pair by pair.

    Returns:
      value, low, high: the mean difference and its 99 % interval, fractions of 1. verdict: "helped"
      or "hurt" if 0 is outside, "alike" if the difference is negligible, else "too early".
      pairs_needed: for "too early", estimated number of pairs that would settle this difference.
    """
    difference = mean_interval(ours - theirs, fitted=fitted, level=CLAIMED, bounds=(-1.0, 1.0))
    verdict, needed = "too early", None
    if difference["low"] > 0 or difference["high"] < 0:
        verdict = "helped" if difference["low"] > 0 else "hurt"
    else:
        half = (difference["high"] - difference["low"]) / 2
        needed = len(ours) * (half / max(abs(difference["value"]), 1e-6)) ** 2
        needed = max(_rounded(needed), len(ours) + 1)
        if abs(difference["value"]) < _ALIKE and half < 10 * _ALIKE:
            verdict, needed = "alike", None
        elif needed > MOST_PAIRS:
            needed = None
    return {**difference, "verdict": verdict, "pairs_needed": needed}


def above_chance(log_rank: np.ndarray, *, among: int) -> str:
    """Return whether the ranks of held-out partners are better than by chance.

    By chance a rank is uniform from 1 to `among`. The two directions and the splits of one pair are
    averaged, so that the standard error of independent ranks is an upper bound.

    Args:
      log_rank: [n] logarithm of the rank of the partner of each pair, averaged.
      among: number of items that are ranked.

    Returns:
      "yes"; or else "too early" with fewer than 30 pairs, "not yet" with fewer than 100, or "no".
    """
    logs = np.log(np.arange(1, among + 1))
    error = logs.std() / math.sqrt(len(log_rank))
    if logs.mean() - log_rank.mean() > _SIGNIFICANT * error:
        return "yes"
    return "too early" if len(log_rank) < _FEW else "not yet" if len(log_rank) < _MANY else "no"


def _rounded(number: float) -> int:
    """Round up to two digits."""
    if number < 10:
        return math.ceil(number)
    unit = 10 ** (int(math.log10(number)) - 1)
    return math.ceil(number / unit) * unit
