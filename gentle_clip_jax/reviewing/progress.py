"""Progress of a review: recall of held-out pairs, estimates from random screens, forecasts."""

import pathlib
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.aligners.sentences import chance_warning
from gentle_clip_jax.evaluation import verdict
from gentle_clip_jax.evaluation.cross_validation import rank_of_partner
from gentle_clip_jax.evaluation.intervals import wilson
from gentle_clip_jax.evaluation.splits import FOLDS, canonical_order, folds
from gentle_clip_jax.reviewing.first_pairs import FirstPairs
from gentle_clip_jax.reviewing.log import KINDS, Answer
from gentle_clip_jax.reviewing.queue import GRID, kind_of_screen
from gentle_clip_jax.reviewing.schedule import Embed
from gentle_clip_jax.reviewing.session import Session
from gentle_clip_jax.storage.reading import parse_json
from gentle_clip_jax.storage.writing import write_json

AT = 10
_MOST = 200
_LEAST = 10  # pairs; of fewer nothing is held out
SECONDS = 5  # that a person is assumed to need for a screen
_WIDTH, _HEIGHT = 640, 256


class Point(NamedTuple):
    """Recall at 10 on held-out pairs with a 95 % interval, at a number of pairs."""

    pairs: int
    recall: float
    low: float
    high: float


def held_out_recall(
    embed: Embed, of_x: np.ndarray, of_y: np.ndarray, weight: np.ndarray, known: int
) -> Point | None:
    """Return the share of held-out y with their partner among the ten nearest of all x.

    Only pairs that were known before the review are held out, 200 at most: pairs confirmed in the
    review are easier than others, and answers to "closest of ten" are no pairs. None if there are
    too few.

    Args:
      embed: the fit.
      of_x, of_y: [p] numbers of the pairs, the known ones first; they decide the folds.
      weight: [p] of the pairs in a fit, 1 for those that are confirmed.
      known: number of pairs that were known before the review.
    """
    if known < _LEAST:
        return None
    keys = [f"{x} {y}" for x, y in zip(of_x[:known], of_y[:known])]
    tested, hit = canonical_order(keys)[:_MOST], np.zeros(known, bool)
    for held, _ in folds(tested, FOLDS):
        # A pair that shares an item with a held-out one would give its partner away.
        shared = np.isin(of_x, of_x[held]) | np.isin(of_y, of_y[held])
        rest = np.flatnonzero(~shared | (weight != 1))
        if len(rest) < 2:
            return None
        x, y = embed(of_x[rest], of_y[rest], weight[rest])
        cosines = y[of_y[held]] @ x.T
        hit[held] = rank_of_partner(cosines, cosines[np.arange(len(held)), of_x[held]]) <= AT
    share = wilson(int(hit.sum()), len(tested))
    return Point(int(np.sum(weight == 1)), share["value"], share["low"], share["high"])


class Progress:
    """Curve of recall against the number of pairs, stored in a file between reviews.

    Raises:
      ValueError: the file is damaged.
    """

    def __init__(self, embed: Embed, path: pathlib.Path):
        self._embed, self._path, self._lock = embed, path, threading.Lock()
        try:
            rows = parse_json(path) if path.exists() else []
            points = [Point(**row) for row in rows]
            if not all(0 < p.pairs < 2**31 and 0 <= min(p[1:]) <= max(p[1:]) <= 1 for p in points):
                raise ValueError("it has figures that are no shares")
            self._points = {point.pairs: point for point in points}
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path} is damaged: delete it.") from error

    def measure(self, of_x: np.ndarray, of_y: np.ndarray, weight: np.ndarray, known: int) -> None:
        """Add a point; `Session` calls this after each refit."""
        point = held_out_recall(self._embed, of_x, of_y, weight, known)
        if point is not None:
            with self._lock:
                self._points[point.pairs] = point
                write_json(self._path, [one._asdict() for one in self.points()])

    def points(self) -> list[Point]:
        """Return the points, sorted by number of pairs."""
        return [point for _, point in sorted(self._points.items())]


def counts(session: Session | FirstPairs) -> dict[str, int]:
    """Return the numbers of answers by kind, of all pairs, and of items left to ask about."""
    kinds = [answer.kind for answer in session.answers()]
    left = int(session.waiting()[0].sum())
    found: dict[str, int] = {kind: kinds.count(kind) for kind in KINDS}
    return {**found, "pairs": len(session.standing.known) + found["match"], "left": left}


def at_random(answers: Sequence[Answer], free: int) -> dict[str, Any] | None:
    """Return estimates for all items from random screens, in per cent; None without such.

    The partner on a random screen was in no fit before, so that these are held-out figures.

    Args:
      answers: of the review, in any order.
      free: number of x without a partner before the first answer.

    Returns:
      screens: their number. in_grid, first: share of partners among the candidates, and of those
      that came first, with 95 % intervals. warning: a sentence if the partners rank no better than
      by chance, else None.
    """
    sampled = [a for a in answers if a.sampling == "random" and a.kind != "unsure"]
    if not sampled:
        return None
    found, first = sum(a.rank is not None for a in sampled), sum(a.rank == 1 for a in sampled)
    names = {"in_grid": wilson(found, len(sampled)), "first": wilson(first, len(sampled))}
    shares = {
        name: [round(100 * share[key]) for key in ("value", "low", "high")]
        for name, share in names.items()
    }
    return {"screens": len(sampled), **shares, "warning": _warning(sampled, answers, free)}


def _warning(sampled: list[Answer], answers: Sequence[Answer], free: int) -> str | None:
    """Return the warning of `align` if the partners of random screens rank as by chance."""
    confirmed = np.sort([a.number for a in answers if a.kind == "match"])
    before = np.searchsorted(confirmed, [a.number for a in sampled])
    among = round(np.exp(np.log(np.maximum(free - before, 1)).mean()))
    if among <= GRID or len(sampled) < _LEAST:
        return None
    logs = np.log(np.arange(1, among + 1))
    # A partner that was not shown has the mean of the ranks after the grid.
    logs = [logs[GRID:].mean() if a.rank is None else np.log(a.rank) for a in sampled]
    above = verdict.above_chance(np.array(logs), among=among)
    measured = f"partners of random items rank no better than by chance ({len(sampled):,} screens)"
    return chance_warning(above, measured)


def estimate(session: Session | FirstPairs) -> dict[str, Any] | None:
    """Return what the random screens of a session estimate; see `at_random`."""
    taken = {x for x, _ in session.standing.known}
    return at_random(session.answers(), len(session.x.items) - len(taken))


def forecast(answers: Sequence[Answer], points: Sequence[Point]) -> dict[str, Any] | None:
    """Forecast the pairs of the next 50 grids; None while fewer than ten are answered.

    Of the latest 40 screens by chance, and of all at random, as many should hold the partner as
    did: "value", "low" and "high" count confirmed pairs, by 95 % intervals of both shares. "recall"
    is the last point of the curve, and that point raised by the slope of the curve against the
    logarithm of pairs, in per cent; None if it does not rise, or spans less than 20 pairs.
    """
    grids = [a for a in answers if kind_of_screen(a.sampling) == "grid"]
    grids.sort(key=lambda a: a.number)
    if len(grids) < _LEAST:
        return None
    sums = np.zeros(3)
    for sampling, ahead in (("chance", 40), ("random", 10)):
        latest = [a.kind == "match" for a in grids if a.sampling == sampling][-40:]
        found, of = sum(latest), len(latest)
        sums += ahead * np.array([*wilson(found, of).values()] if of else [0.5, 0.0, 1.0])
    value, low, high = sums.round().astype(int).tolist()
    return {"value": value, "low": low, "high": high, "recall": _line(points, value)}


def _line(points: Sequence[Point], more: int) -> tuple[int, int] | None:
    pairs, recall = (np.array([point[i] for point in points], float) for i in (0, 1))
    if len(points) < 3 or pairs.max() - pairs.min() < 20:
        return None
    slope, _ = np.polyfit(np.log(pairs), recall, 1)
    last = recall[pairs.argmax()]
    ends = np.array([last, last + slope * np.log(1 + more / pairs.max())])
    before, after = (100 * ends.clip(0, 1)).round().astype(int).tolist()
    return (before, after) if after > before else None


def drawing(points: Sequence[Point], session: Session | FirstPairs) -> dict[str, Any]:
    """Return the places of points, interval, ticks and labels in an SVG of 640 by 256.

    A tick has a number of pairs, and the minutes that the answers up to then take a person.
    """
    left, right, top, bottom = 70, _WIDTH - 16, 14, _HEIGHT - 30
    is_pair = [answer.kind == "match" for answer in session.answers()[::-1]]
    reached = len(session.standing.known) + np.cumsum([0, *is_pair])
    pairs = [point.pairs for point in points]
    few, many = min(pairs), max(max(pairs), min(pairs) + 10)
    most = max(0.1, np.ceil(max(point.high for point in points) * 10) / 10)

    def across(value: float) -> float:
        return round(left + (right - left) * (value - few) / (many - few), 1)

    def down(value: float) -> float:
        return round(bottom - (bottom - top) * value / most, 1)

    upper = [(across(p.pairs), down(p.high)) for p in points]
    lower = [(across(p.pairs), down(p.low)) for p in reversed(points)]
    dots = [{"x": across(p.pairs), "y": down(p.recall), "point": p} for p in points]
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "frame": (left, right, top, bottom),
        "band": " ".join(f"{x},{y}" for x, y in [*upper, *lower]),
        "line": " ".join(f"{dot['x']},{dot['y']}" for dot in dots),
        "dots": dots,
        "whiskers": [(dot["x"], down(dot["point"].low), down(dot["point"].high)) for dot in dots],
        "levels": [(down(share), round(100 * share)) for share in (0, most / 2, most)],
        "counts": [
            (across(count), count, round(np.searchsorted(reached, count) * SECONDS / 60))
            for count in sorted({few, (few + many) // 2, many})
            if count <= reached[-1]
        ],
    }


def figures(session: Session | FirstPairs, points: Sequence[Point]) -> dict[str, Any]:
    """Return all that the page of progress shows."""
    return {
        "curve": drawing(points, session) if points else None,
        "points": points,
        "seconds": SECONDS,
        "counts": counts(session),
        "random": estimate(session),
        "forecast": forecast(session.answers(), points),
        "enough": len(session.standing.known) >= _LEAST,
    }
