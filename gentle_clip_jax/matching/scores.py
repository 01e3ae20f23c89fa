"""Scores of another program, read from a table of candidates, and known pairs beside them."""

import itertools
import math
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.aligners.refits import LEAST_PAIRS
from gentle_clip_jax.features.origins import DECISION, ORIGIN, Origins, is_pair, read_origins
from gentle_clip_jax.storage import reading
from gentle_clip_jax.storage.columns import decimal_point, read_columns


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
    columns = _columns(table, ("x", "y", "score"))
    _check_filled(columns, "x", "y")
    score = _numbers(columns)
    (x_ids, of_x), (y_ids, of_y) = (_numbered(columns.ids[side]) for side in range(2))
    cells = of_x * len(y_ids) + of_y
    order = np.argsort(cells, kind="stable")
    if (twice := np.flatnonzero(np.diff(cells[order]) == 0)).size:
        row = order[twice[0]]
        x, y = str(x_ids[of_x[row]]), str(y_ids[of_y[row]])
        raise ValueError(f"{columns.place} has two rows of {x!r} and {y!r}: leave one out.")
    sizes = np.bincount(of_x)
    start = np.append(0, np.cumsum(sizes))
    for low, high in itertools.pairwise(start):
        rows = order[low:high]
        order[low:high] = rows[np.argsort(-score[rows], kind="stable")]
    of_y, score = of_y[order], score[order]
    means = np.add.reduceat(score, start[:-1]) / sizes
    scale = math.sqrt(np.mean((score - np.repeat(means, sizes)) ** 2)) or float(np.std(score))
    if not scale:
        raise ValueError(
            f"{columns.place}: all scores are equal, so that they choose no candidate."
        )
    return Scores(x_ids, y_ids, start, of_y, score / scale, score)


class KnownPairs(NamedTuple):
    """Pairs beside scores.

    partner: [n] of each item of x: -1 if none is known, -2 if it has no row.
    dropped: number of pairs of an x without scores, which are left out.
    origins: of the pairs, as far as they are known.
    """

    partner: np.ndarray
    dropped: int
    origins: Origins


def read_known(table: Any, scores: Scores) -> KnownPairs:
    """Read known pairs beside scores.

    As in `read_pairs`, lines without a y are left out, and matches that a person rejected or has
    not decided on.

    Raises:
      ValueError: an item of x is in two pairs, or fewer than 60 pairs are of items of the table, or
        the table has none of their partners.
    """
    columns = _columns(table, ("x", "y"), (DECISION,))
    _check_filled(columns, "x")
    place, words = columns.place, _texts(columns.values) or itertools.repeat("")
    lines = [(x, y) for x, y, word in zip(*columns.ids, words) if y and is_pair(word)]
    x, y = ([line[side] for line in lines] for side in range(2))
    numbers = {id_: number for number, id_ in enumerate(scores.x.tolist())}
    partners = {id_: number for number, id_ in enumerate(scores.y.tolist())}
    if len({*x}) < len(x):
        twice = next(id_ for id_ in x if x.count(id_) > 1)
        raise ValueError(f"{place}: {twice!r} of x is in two pairs: leave one of them out.")
    known = np.full(len(scores.x), -1)
    for a, b in lines:
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
    return KnownPairs(known, len(lines) - count, _origins(table, x, y))


def _origins(table: Any, x: list[str], y: list[str]) -> Origins:
    """Return the origins of pairs of items, which `read_known` has read from a table."""
    if isinstance(table, str | os.PathLike):
        path = pathlib.Path(table)
        if _is_parquet(path):
            table, _ = _parquet(path, ("x", "y", ORIGIN, DECISION))
        else:
            table = f"{path}:x,y"  # names its columns
    return read_origins(table, x, y)


class _Columns(NamedTuple):
    """Columns of a table: its name in messages, ids as texts, values, and the delimiter."""

    place: str
    ids: tuple[list[str], list[str]]
    values: list[Any]
    delimiter: str | None


def _columns(table: Any, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> _Columns:
    """Return the columns x and y, without outer spaces, and a third one if it is named.

    Args:
      names: of the columns. optional: those that the table may lack.
    """
    wanted = (*names, *optional)
    place, delimiter = "The table", None
    if isinstance(table, str | os.PathLike):
        place, path = str(table), pathlib.Path(table)
        columns, delimiter = (_parquet if _is_parquet(path) else read_columns)(path, wanted)
    else:
        heading = [*(table if isinstance(table, Mapping) else getattr(table, "columns", ()))]
        columns = {name: _list(table[name]) for name in wanted if name in heading}
    if missing := [name for name in names if name not in columns]:
        raise ValueError(
            f"{place} has no rows with a column {missing[0]!r}: give the columns "
            f"{', '.join(names)}."
        )
    if not columns["x"]:
        raise ValueError(f"{place} has no rows.")
    ids = _texts(columns["x"]), _texts(columns["y"])
    values = columns.get(wanted[2], [])
    return _Columns(place, ids, values, delimiter)


def _check_filled(columns: _Columns, *names: str) -> None:
    for column, name in zip(columns.ids, names):
        if "" in column:
            row = column.index("") + 1
            raise ValueError(f"{columns.place}, row {row} has no {name}: fill it in.")


def _is_parquet(path: pathlib.Path) -> bool:
    return path.suffix.lower() == ".parquet" and path.exists()


def _parquet(path: pathlib.Path, names: tuple[str, ...]) -> tuple[dict[str, list[Any]], None]:
    from pyarrow import parquet

    try:
        reading.check_regular(path)
        metadata = parquet.read_metadata(path)
        groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
        reading.check_size(sum(group.total_byte_size for group in groups))
        columns = [name for name in names if name in metadata.schema.to_arrow_schema().names]
        table = parquet.read_table(path, columns=columns)
        return {name: table[name].to_numpy().tolist() for name in columns}, None
    except Exception as error:  # of any kind where a footer is broken
        raise ValueError(f"{path} is not a valid parquet file ({error}): copy it again.") from error


def _list(column: Any) -> list[Any]:
    return column.tolist() if hasattr(column, "tolist") else [*column]


def _texts(column: list[Any]) -> list[str]:
    """Return ids as texts without outer spaces, "" for none."""
    if {*map(type, column)} != {str}:
        column = ["" if value is None or value != value else str(value) for value in column]
    stripped = {text: text.strip() for text in {*column}}
    is_stripped = all(text == other for text, other in stripped.items())
    return column if is_stripped else [*map(stripped.__getitem__, column)]


def _numbered(ids: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct ids, sorted, and the number of each."""
    distinct = sorted({*ids})
    numbers = {id_: number for number, id_ in enumerate(distinct)}
    return np.array(distinct), np.fromiter(map(numbers.__getitem__, ids), int, len(ids))


def _numbers(columns: _Columns) -> np.ndarray:
    """Return scores as numbers, with decimal commas where a table has semicolons and commas."""
    point = decimal_point(columns.delimiter, columns.values[:1])
    values = columns.values if point is str else [point(str(one)) for one in columns.values]
    try:
        found = np.fromiter(map(float, values), float, len(values))
        is_good = np.isfinite(found)
        if "_" in "".join(value for value in values if isinstance(value, str)):
            is_good = np.array([_is_number(value) for value in values])
    except (TypeError, ValueError):
        is_good = np.array([_is_number(value) for value in values])
    if not is_good.all():
        row = int(np.argmin(is_good))
        raise ValueError(
            f"{columns.place}, row {row + 1}: score {columns.values[row]!r} is not a finite number."
        )
    return found


def _is_number(value: Any) -> bool:
    try:
        # Python's numbers may have _, and ids do.
        return math.isfinite(float(value)) and "_" not in str(value)
    except (TypeError, ValueError):
        return False
