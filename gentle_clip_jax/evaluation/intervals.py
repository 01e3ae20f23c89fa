"""Confidence intervals: bootstrap percentiles, means over held-out pairs, and shares."""

import math
import statistics
from collections.abc import Callable
from typing import TypedDict

import numpy as np

# From counts of each item in a resample, [..., num_items], to the metrics [...] of each resample.
Statistic = Callable[[np.ndarray], dict[str, np.ndarray]]

_COUNTS_PER_PASS = 2**22  # 32 MiB of counts


class Interval(TypedDict):
    """A figure and the ends of its interval."""

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
    """Resample the items with replacement and take the interval from the metrics' percentiles.

    All metrics see the same resamples, so that a mean of metrics gets an interval of its own.
    `statistic` takes counts [..., num_items] of each item in a resample, and returns
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


def mean_interval(
    values: np.ndarray, *, fitted: int, level: float, bounds: tuple[float, float]
) -> Interval:
    """Return the mean of a figure of held-out pairs, with an interval for new pairs.

    mean of values and bounds +- t(level) std / sqrt(fitted + 2), cut at the bounds.

    Few pairs, held out in turns, look more alike than new ones would: every fit shares most of its
    pairs with every other. The interval is therefore wider than a bootstrap over pairs. It counts
    the pairs of a fit, not all held-out pairs (after Nadeau and Bengio 2003, Machine
    Learning 52, section 3), and adds a pair at either end of what is possible, as Agresti and Min
    2005 do for proportions, without which a handful of equal values would seem certain.

    Args:
      values: [n], of each pair the mean over the splits that it was held out in.
      fitted: number of pairs of each fit.
      level: of confidence, e.g. 0.95.
      bounds: the least and the most that a value can be.

    >>> mean_interval(np.zeros(10), fitted=8, level=0.95, bounds=(0, 1))["high"] > 0.2
    True
    """
    from scipy.special import stdtrit  # slow to load

    padded = np.concatenate([values, bounds])
    half = stdtrit(len(padded) - 1, (1 + level) / 2) * padded.std(ddof=1) / math.sqrt(fitted + 2)
    low, high = np.clip([padded.mean() - half, padded.mean() + half], *bounds)
    return Interval(value=float(values.mean()), low=float(low), high=float(high))


def in_log_odds(share: float, shift: float) -> float:
    """Return a share whose log odds are moved by `shift`; 0 and 1 stay.

    >>> round(in_log_odds(0.5, 1.0), 2), in_log_odds(0.0, 1.0)
    (0.73, 0.0)
    """
    factor = math.exp(shift)
    return share * factor / (1 - share + share * factor)


def move_interval(figure: Interval, *, shift: float, spread: float, level: float) -> Interval:
    """Move the log odds of a share and of its interval, and widen it by an independent error.

    Args:
      figure: a share with its interval of `level`.
      shift: of the log odds.
      spread: standard deviation of the error, in log odds.
      level: of confidence.

    >>> round(move_interval(wilson(5, 10), shift=0, spread=0.2, level=0.95)["high"], 2)
    0.77
    """
    error = statistics.NormalDist().inv_cdf((1 + level) / 2) * spread
    value = min(max(figure["value"], 1e-6), 1 - 1e-6)

    def end(share: float, sign: int) -> float:
        if share in (0, 1):
            return share
        distance = math.log(share / (1 - share)) - math.log(value / (1 - value))
        return in_log_odds(value, shift + sign * math.hypot(distance, error))

    low, high = end(figure["low"], -1), end(figure["high"], 1)
    return Interval(value=in_log_odds(figure["value"], shift), low=low, high=high)


def wilson(hits: float, of: int) -> Interval:
    """Return a share with its 95 % interval. Source: Wilson 1927, J. Am. Stat. Assoc. 22.

    >>> round(wilson(5, 10)["low"], 2), round(wilson(5, 10)["high"], 2)
    (0.24, 0.76)
    """
    z, share = 1.96, hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return Interval(value=share, low=max(0.0, middle - half), high=min(1.0, middle + half))


def standard_errors(differences: np.ndarray) -> float:
    """Return the mean of differences [n] in standard errors; 0 if all are equal."""
    error = np.std(differences, ddof=1) / np.sqrt(len(differences))
    return float(np.mean(differences) / error) if error > 0 else 0.0
