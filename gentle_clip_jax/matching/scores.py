"""Scores of another program, read from a table of candidates, and known pairs beside them."""

import math
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.aligners.refits import LEAST_PAIRS
from gentle_clip_jax.storage.tables import read_table


class Scores(NamedTuple):
    """Candidates of n items of x in r rows, grouped by item, best first.

    x: [n] ids; y: [m] ids. start: [n + 1] first row of each item; candidate: [r] numbers of y.
    score: [r] in units of the standard deviation within an item.
    raw: [r] scores as they are in the table.
    """

    x: np.ndarray
    y: np.ndarray
    start: np.ndarray
    candidate: np.ndarray
    score: np.ndarray
    raw: np.ndarray

    def log_totals(self, items: np.ndarray, temperature: float) -> np.ndarray:
        """Return log sums over the rows of items of exp(s / T)."""
        sizes = np.diff(self.start)[items]
        ends = np.cumsum(sizes)
        rows = np.arange(ends[-1]) + np.repeat(self.start[items] - (ends - sizes), sizes)
        best = self.score[self.start[items]]
        below = (self.score[rows] - np.repeat(best, sizes)) / temperature
        return best / temperature + np.log(np.add.reduceat(np.exp(below), ends - sizes))


def read_scores(table: Any) -> Scores:
    """Read the columns x, y and score of a file, a dict of columns or a data frame.

    Raises:
      ValueError: a column is missing, a score is not a finite number, a pair of x and y has two
        rows, or all scores of each item are equal.
    """
    place, (x, y, texts) = _columns(table, ("x", "y", "score"))
    score = np.array([_number(text, place, row) for row, text in enumerate(texts)])
    (x_ids, of_x), (y_ids, of_y) = _numbered(x), _numbered(y)
    cells, counts = np.unique(of_x * len(y_ids) + of_y, return_counts=True)
    if (counts > 1).any():
        a, b = divmod(int(cells[np.argmax(counts > 1)]), len(y_ids))
        raise ValueError(f"{place} has two rows of {x_ids[a]!r} and {y_ids[b]!r}: leave one out.")
    order = np.lexsort((of_y, -score, of_x))
    of_x, of_y, score = of_x[order], of_y[order], score[order]
    start = np.searchsorted(of_x, np.arange(len(x_ids) + 1))
    sizes = np.diff(start)
    means = np.add.reduceat(score, start[:-1]) / sizes
    scale = math.sqrt(np.mean((score - np.repeat(means, sizes)) ** 2)) or float(np.std(score))
    if not scale:
        raise ValueError(f"{place}: all scores are equal, so that they choose no candidate.")
    return Scores(x_ids, y_ids, start, of_y, score / scale, score)


def read_known(table: Any, scores: Scores) -> np.ndarray:
    """Return the known partner [n] of each item of x: -1 if none is known, -2 if it has no row.

    Raises:
      ValueError: an item of x is in two pairs, or fewer than 60 pairs are of items of the table, or
        the table has none of their partners.
    """
    place, (x, y) = _columns(table, ("x", "y"))
    numbers = {id_: number for number, id_ in enumerate(scores.x.tolist())}
    partners = {id_: number for number, id_ in enumerate(scores.y.tolist())}
    if len({*x}) < len(x):
        twice = next(id_ for id_ in x if x.count(id_) > 1)
        raise ValueError(f"{place}: {twice!r} of x is in two pairs: leave one of them out.")
    known = np.full(len(scores.x), -1)
    for a, b in zip(x, y):
        if a in numbers:
            known[numbers[a]] = partners.get(b, -2)
    count = int(np.sum(known != -1))
    if count < LEAST_PAIRS:
        raise ValueError(
            f"{place} has {count} pairs of items of x with scores, which is too few: give "
            f"{LEAST_PAIRS} or more."
        )
    if not (known >= 0).any():
        raise ValueError(f"{place}: no y is in the table of scores: give the same ids in both.")
    return known


def _numbered(ids: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct ids, sorted, and the number of each."""
    distinct = sorted({*ids})
    numbers = {id_: number for number, id_ in enumerate(distinct)}
    return np.array(distinct), np.array([numbers[id_] for id_ in ids])


def _columns(table: Any, names: tuple[str, ...]) -> tuple[str, list[list[Any]]]:
    """Return a name for messages, and the columns; ids are texts without outer spaces."""
    if isinstance(table, str | os.PathLike):
        place, columns = str(table), {}
        for _, row in read_table(pathlib.Path(table)).records():
            columns = columns or {name: [] for name in names if name in row}
            for name, column in columns.items():
                column.append(row[name])
    else:
        place = "The table"
        heading = [*(table if isinstance(table, Mapping) else getattr(table, "columns", ()))]
        columns = {name: [*table[name]] for name in names if name in heading}
    if missing := [name for name in names if name not in columns]:
        raise ValueError(
            f"{place} has no rows with a column {missing[0]!r}: give the columns "
            f"{', '.join(names)}."
        )
    if not columns["x"]:
        raise ValueError(f"{place} has no rows.")
    ids = [[str(value).strip() for value in columns[name]] for name in names[:2]]
    for column, name in zip(ids, names):
        if "" in column:
            raise ValueError(f"{place}, row {column.index('') + 1} has no {name}: fill it in.")
    return place, [*ids, *(columns[name] for name in names[2:])]


def _number(value: Any, place: str, row: int) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{place}, row {row + 1}: score {value!r} is not a finite number.")
    return number
