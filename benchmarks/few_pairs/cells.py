"""Cells of the benchmark: recall by method and seed, the best pairs-only method, and gains."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from published import groups
from scipy import stats

PAIRS_ONLY = ("cca", "ridge", "procrustes", "pls", "relative")
DEFAULT, TRANSPORT = "auto", "gentle_transport"
_LEAST_SEEDS = 3

Cell = dict[str, dict[int, float]]  # by method and seed


def by_cell(rows: Iterable[dict[str, Any]], metric: str = "recall") -> dict[tuple[str, int], Cell]:
    """Return the cells, by field and pairs, in which the default was measured with three seeds."""
    cells = {}
    measured = [row for row in rows if row[metric] is not None and row["pairs"]]
    for cell, some in groups(measured, "field", "pairs").items():
        by_method = {
            name: {row["seed"]: row[metric] for row in of}
            for (name,), of in groups(some, "method").items()
        }
        if len(by_method.get(DEFAULT, {})) >= _LEAST_SEEDS and "cca" in by_method:
            cells[cell] = by_method
    return cells


def best_pairs_only(cell: Cell) -> str:
    """Return the pairs-only method with the highest mean over the seeds of the default."""
    seeds = cell[DEFAULT].keys()
    complete = [name for name in PAIRS_ONLY if name in cell and cell[name].keys() >= seeds]
    return max(complete, key=lambda name: statistics.mean(values_of(cell, name)))


def values_of(cell: Cell, method: str) -> list[float]:
    """Return the values of a method with the seeds of the default, as far as it has them."""
    values = cell.get(method, {})
    return [values[seed] for seed in sorted(cell[DEFAULT]) if seed in values]


def gains(cell: Cell) -> list[float]:
    """Return the gain of the default over the best pairs-only method, for each seed."""
    best = values_of(cell, best_pairs_only(cell))
    return [ours - theirs for ours, theirs in zip(values_of(cell, DEFAULT), best)]


def clear(cells: Mapping[tuple[str, int], Cell], sign: int) -> list[tuple[str, int]]:
    """Return the cells where the default is clearly above (sign 1) or below (-1) pairs alone."""
    found = {cell: gains(of) for cell, of in cells.items()}
    return [cell for cell, gain in found.items() if is_clear(gain) and sum(gain) * sign > 0]


def half_width(values: Sequence[float]) -> float:
    """Return half the 95 % interval of the mean, by Student's t; of one value infinity.

    >>> round(half_width([0.0, 1.0, 2.0]), 2)
    2.48
    """
    if len(values) < 2:
        return math.inf
    quantile = float(stats.t.ppf(0.975, len(values) - 1))
    return quantile * statistics.stdev(values) / math.sqrt(len(values))


def is_clear(values: Sequence[float]) -> bool:
    """Return whether the 95 % interval of the mean does not include 0."""
    return abs(statistics.mean(values)) > half_width(values)
