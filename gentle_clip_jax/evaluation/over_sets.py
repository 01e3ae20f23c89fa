"""Means of metrics over several sets."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gentle_clip_jax.evaluation.intervals import Interval


def means(sets: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each metric over the sets that have it.

    >>> means({"a": {"recall": 0.2}, "b": {"recall": 0.4, "accuracy": 1.0}})
    {'recall': 0.30000000000000004, 'accuracy': 1.0}
    """
    return {name: float(np.mean(one)) for name, one in _by_metric(sets).items()}


def mean_intervals(sets: Mapping[str, Mapping[str, Interval]]) -> dict[str, Interval]:
    """Return the mean of each metric over its sets, with the interval for independent sets.

    >>> one = Interval(value=0.5, low=0.4, high=0.6)
    >>> mean_intervals({"a": {"recall": one}, "b": {"recall": one}})["recall"]["high"] < 0.58
    True
    """
    intervals = {}
    for name, figures in _by_metric(sets).items():
        value = float(np.mean([one["value"] for one in figures]))
        # Half-widths add up as standard deviations do.
        low, high = (
            float(np.linalg.norm([one[side] - one["value"] for one in figures])) / len(figures)
            for side in ("low", "high")
        )
        intervals[name] = Interval(value=value, low=value - low, high=value + high)
    return intervals


def by_set(sets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Merge the figures of all sets, each under the name of its set and its own.

    >>> by_set({"a": {"recall": 0.2}, "b": {"recall": 0.4}})
    {'a/recall': 0.2, 'b/recall': 0.4}
    """
    return {f"{name}/{metric}": one for name in sets for metric, one in sets[name].items()}


def _by_metric(sets: Mapping[str, Mapping]) -> dict[str, list]:
    names = dict.fromkeys(metric for metrics in sets.values() for metric in metrics)
    return {name: [one[name] for one in sets.values() if name in one] for name in names}
