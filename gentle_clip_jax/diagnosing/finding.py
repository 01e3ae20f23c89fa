"""One figure of a diagnosis: what was measured, against what, and what it means."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

_BINS = 30
_MAX_POINTS = 400
_SAME = 1e-12  # values that differ by no more are one


class Finding(NamedTuple):
    """A figure as it is shown, the numbers behind it, and its pictures' data; ready for JSON.

    level: "good" or "bad" for what is hoped for, "warning" between them, "unknown" if unmeasured.
    """

    name: str
    title: str
    value: str
    chance: str
    sentence: str
    level: str
    numbers: dict[str, Any]
    pictures: Sequence[dict[str, Any]] = ()


def unknown(name: str, title: str, why: str) -> Finding:
    """The finding that nothing could be measured."""
    return Finding(name, title, "not measured", "", why, "unknown", {})


def number(value: float | np.floating) -> float | None:
    """Five digits, as JSON can hold them: None for what is not finite.

    >>> number(0.123456789), number(float("nan"))
    (0.12346, None)
    """
    return float(f"{value:.5g}") if np.isfinite(value) else None


def histogram(title: str, label: str, values: np.ndarray, marks: dict[str, float]) -> dict:
    """A picture of how often each value occurs, with some values marked by name."""
    every = np.array([*values, *marks.values()], float)
    low, high = every.min(), every.max()
    if high - low <= _SAME * max(1.0, abs(low), abs(high)):  # the bins would be of no width
        low, high = low - 0.5 * max(1.0, abs(low)), high + 0.5 * max(1.0, abs(high))
    counts, edges = np.histogram(every[: len(values)], bins=_BINS, range=(low, high))
    return {
        "kind": "histogram",
        "title": title,
        "label": label,
        "counts": counts.tolist(),
        "edges": [number(edge) for edge in edges],
        "marks": {name: number(value) for name, value in marks.items()},
    }


def bars(
    title: str,
    values: Mapping[str, float],
    chance: Mapping[str, float] | None = None,
    *,
    full: float | None = None,
) -> dict:
    """A picture of a few named values, each with its level of chance if known, up to `full`."""
    return {
        "kind": "bars",
        "title": title,
        "values": {name: number(value) for name, value in values.items()},
        "chance": {name: number(value) for name, value in (chance or {}).items()},
        "full": full,
    }


def scatter(title: str, x: np.ndarray, y: np.ndarray) -> dict:
    """A picture of some rows of x [n, d] and y [m, d] in the plane where both vary most."""
    x, y = x[:_MAX_POINTS], y[:_MAX_POINTS]
    both = np.concatenate([x, y]).astype(float)
    both -= both.mean(axis=0)
    plane = both @ np.linalg.svd(both, full_matrices=False)[2][:2].T
    plane = np.pad(plane, ((0, 0), (0, 2 - plane.shape[1]))).round(3).tolist()
    return {"kind": "scatter", "title": title, "x": plane[: len(x)], "y": plane[len(x) :]}
