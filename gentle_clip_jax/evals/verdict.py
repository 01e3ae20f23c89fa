"""What held-out pairs allow to say: one rule, for every claim that a method is better than another.

Few pairs, held out in turns, look more alike than new ones would: every fit shares most of its
pairs with every other. The rule is therefore stricter than a bootstrap over pairs. It counts as
many pairs as a fit had, not as were held out in all (after Nadeau and Bengio 2003, Machine Learning
52, section 3); it adds a pair at either end of what is possible, as Agresti and Min 2005 do for
proportions, without which a handful of equal values would seem certain; and a claim needs 99 %.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

EXPECTED, CLAIMED = 0.95, 0.99
_ALIKE = 0.01  # a difference that nobody would notice
_MOST_PAIRS = 5000  # beyond, more pairs are no advice


class Interval(NamedTuple):
    """A mean over pairs, and between what it may lie for new ones; fractions of 1."""

    value: float
    low: float
    high: float


def interval(
    values: np.ndarray, *, fitted: int, level: float, bounds: tuple[float, float]
) -> Interval:
    """The mean of a figure of held-out pairs, with an interval for new pairs.

    mean of values and bounds +- t(level) std / sqrt(fitted + 2), cut at the bounds.

    Args:
      values: [n], of each pair the mean over the splits that it was held out in.
      fitted: how many pairs each fit had.
      level: of confidence, e.g. 0.95.
      bounds: the least and the most that a value can be.

    >>> interval(np.zeros(10), fitted=8, level=0.95, bounds=(0, 1)).high > 0.2
    True
    """
    padded = np.concatenate([values, bounds])
    half = stdtrit(len(padded) - 1, (1 + level) / 2) * padded.std(ddof=1) / math.sqrt(fitted + 2)
    low, high = np.clip([padded.mean() - half, padded.mean() + half], *bounds)
    return Interval(float(values.mean()), float(low), float(high))


def gain(ours: np.ndarray, theirs: np.ndarray, *, fitted: int) -> dict[str, Any]:
    """How far recall [n] by one method is above that by another, pair by pair, and whether that can
    be told.

    Returns:
      value, low, high: the mean difference and its 99 % interval, fractions of 1. verdict: "helped"
      or "hurt" if 0 is outside, "alike" if more pairs would hardly tell, else "too early".
      pairs_needed: if it is too early, about how many would tell, were the difference what it is.
    """
    found = interval(ours - theirs, fitted=fitted, level=CLAIMED, bounds=(-1.0, 1.0))
    verdict, needed = "too early", None
    if found.low > 0 or found.high < 0:
        verdict = "helped" if found.low > 0 else "hurt"
    else:
        half = (found.high - found.low) / 2
        needed = len(ours) * (half / max(abs(found.value), 1e-6)) ** 2
        needed = max(_rounded(needed), len(ours) + 1)
        if abs(found.value) < _ALIKE and half < 10 * _ALIKE:
            verdict, needed = "alike", None
        elif needed > _MOST_PAIRS:
            needed = None
    return {**found._asdict(), "verdict": verdict, "pairs_needed": needed}


def _rounded(number: float) -> int:
    """Two digits of it, upwards."""
    if number < 10:
        return math.ceil(number)
    unit = 10 ** (int(math.log10(number)) - 1)
    return math.ceil(number / unit) * unit
