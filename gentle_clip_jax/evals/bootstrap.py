"""Percentile bootstrap intervals for several metrics of the same items at once."""

from collections.abc import Callable
from typing import TypedDict

import numpy as np

# How often each item was drawn, [..., num_items], to the metrics [...] of each drawing.
Statistic = Callable[[np.ndarray], dict[str, np.ndarray]]

_COUNTS_PER_PASS = 2**22  # 32 MiB of counts


class Interval(TypedDict):
    """A metric on all items and the ends of its interval."""

    value: float
    low: float
    high: float


def bootstrap_intervals(
    statistic: Statistic,
    num_items: int,
    *,
    num_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Draws the items anew, with replacement, and reads the interval off the metrics' percentiles.

    All metrics see the same drawings, so that a mean of metrics gets an interval of its own.
    `statistic` takes counts [..., num_items], how often each item was drawn, and returns
    {"name": metric [...]}. Source: Efron and Tibshirani, An Introduction to the Bootstrap, ch. 13.

    Raises ValueError if there is no item.

    >>> score = np.array([0.0, 1.0, 1.0, 0.0])
    >>> bootstrap_intervals(lambda counts: {"mean": counts @ score / counts.sum(-1)}, 4)
    {'mean': {'value': 0.5, 'low': 0.0, 'high': 1.0}}
    """
    if num_items < 1:
        raise ValueError("A bootstrap interval needs at least one item; there is none.")
    rng = np.random.default_rng(seed)
    odds = np.full(num_items, 1 / num_items)
    per_pass = max(1, _COUNTS_PER_PASS // num_items)
    passes = [
        statistic(rng.multinomial(num_items, odds, size=min(per_pass, num_resamples - start)))
        for start in range(0, num_resamples, per_pass)
    ]
    tail = (1 - confidence) / 2
    intervals = {}
    for name, value in statistic(np.ones(num_items, int)).items():
        low, high = np.quantile(np.concatenate([p[name] for p in passes]), [tail, 1 - tail])
        intervals[name] = Interval(value=float(value), low=float(low), high=float(high))
    return intervals
