"""One figure of a diagnosis: a measurement, its reference, and its meaning."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.pages.plane import principal_plane

_BINS = 30
_MAX_POINTS = 400
_SAME = 1e-12  # values closer than this are equal


class Finding(NamedTuple):
    """A figure with its text, its numbers and the data of its pictures, as JSON data.

    level: "good", "warning" or "bad" for the use of the data; "unknown" if unmeasured.
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
    """Return the finding of a failed measurement."""
    return Finding(name, title, "not measured", "", why, "unknown", {})


def number(value: float | np.floating) -> float | None:
    """Round to five digits for JSON; None if not finite.

    >>> number(0.123456789), number(float("nan"))
    (0.12346, None)
    """
    return float(f"{value:.5g}") if np.isfinite(value) else None


def histogram(title: str, label: str, values: np.ndarray, marks: dict[str, float]) -> dict:
    """Return a histogram of values, with some values marked by name."""
    every = np.array([*values, *marks.values()], float)
    low, high = every.min(), every.max()
    if high - low <= _SAME * max(1.0, abs(low), abs(high)):  # avoids bins of zero width
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
    """Return a bar chart of named values up to `full`, each with its optional chance level."""
    return {
        "kind": "bars",
        "title": title,
        "values": {name: number(value) for name, value in values.items()},
        "chance": {name: number(value) for name, value in (chance or {}).items()},
        "full": full,
    }


def scatter(title: str, x: np.ndarray, y: np.ndarray) -> dict:
    """Return a scatter plot of rows of x [n, d] and y [m, d] on their principal components."""
    x, y = x[:_MAX_POINTS], y[:_MAX_POINTS]
    x, y, _ = principal_plane(x, y)
    return {"kind": "scatter", "title": title, "x": x.round(3).tolist(), "y": y.round(3).tolist()}
