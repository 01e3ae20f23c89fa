"""Pairs of items of two sets, read from a file, a table, a list, an array or equal ids."""

import csv
import logging
import math
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gentle_clip_jax.data.ids import Ids
from gentle_clip_jax.storage.missing import MissingPath
from gentle_clip_jax.storage.tables import Altered, read_table

_log = logging.getLogger(__name__)

DECISION, _NO_PAIR = "decision", {"rejected", "undecided"}
SHEET = ["x", "y"]  # the heading of the sheet that `gentle-clip ask` writes

# A file; a list of id pairs; a table, that is a mapping or a data frame; an array [k, 2] of item
# numbers; None for equal ids.
Pairs = str | os.PathLike | Sequence[Sequence[str]] | Mapping[str, Any] | np.ndarray | Any | None
_Lines = list[tuple[int, tuple[str, str]]]  # number and pair
_Cells = list[tuple[int, list[str]]]  # number and cells


class RowNumbers(np.ndarray):
    """Row numbers used as ids of a file that has none; they match no ids of other files."""


def read_pairs(
    pairs: Pairs, x_ids: Iterable[str], y_ids: Iterable[str], *, several: bool = False
) -> np.ndarray:
    """Return the ids [k, 2] of k pairs: column 0 has ids of x, column 1 ids of y.

    Args:
      pairs: a table (.csv, .tsv, .xlsx, .jsonl, see `storage.tables`) with a pair per line, or one
        id per line if x and y share ids. FILE:NAME,NAME names its columns, that of x first; the
        columns x and y need no names. After such a heading items without a partner are left out.
        Another first line is a heading if it has no id. Ids: see `Ids.find`. Or a list of id
        pairs; a table, such as a pandas data frame or a dict of columns, with the columns x and y,
        or else its first two, where items without a partner are left out; an array [k, 2] of item
        numbers, counted over the distinct ids; or None: equal ids are pairs, in the order of x_ids.
      x_ids, y_ids: the ids of both sets; an id may occur more than once.
      several: whether an item may be in more than one pair.

    Raises:
      ValueError: there are no pairs, an id is unknown, or an item is in two pairs; or `pairs` is
        None and one set has no ids.
    """
    if pairs is None or (isinstance(pairs, str) and not pairs):
        return _equal_ids(x_ids, y_ids)
    sides = [Ids(name, ids) for name, ids in (("x", x_ids), ("y", y_ids))]
    if isinstance(pairs, str | os.PathLike):
        place, lines = f"{pairs}, line", _lines_of_file(str(pairs), sides)
        if not lines:
            raise ValueError(f"{pairs} has no pairs: write an id of x and an id of y on each line.")
    else:
        place, lines = "The pairs, row", _rows(pairs, [[*side.exact] for side in sides])
        if not lines:
            raise ValueError("There are no pairs: give an id of x and an id of y for each pair.")
    return _checked(place, lines, sides, several)


def _equal_ids(x_ids: Iterable[str], y_ids: Iterable[str]) -> np.ndarray:
    sets = (("x", x_ids), ("y", y_ids))
    if bare := [name for name, ids in sets if isinstance(ids, RowNumbers)]:
        raise ValueError(
            f"The rows of {' and '.join(bare)} have no ids, so their pairs are unknown: give "
            "--pairs=CSV, where the id of a row is its number, counted from 0; if row i of x "
            "belongs to row i of y, its lines are 0,0 and 1,1 and so on."
        )
    others = {*map(str, y_ids)}
    same = [id_ for id_ in dict.fromkeys(map(str, x_ids)) if id_ in others]
    if not same:
        raise ValueError("No id is in both sets: give a file of pairs, or the same ids to both.")
    return np.array([same, same]).T


def _rows(pairs: Any, items: list[list[str]]) -> _Lines:
    """Return the pairs of a table, list or array of row numbers, each with its row from 0."""
    if isinstance(pairs, Mapping) or hasattr(pairs, "columns"):
        columns = [*(pairs if isinstance(pairs, Mapping) else pairs.columns)]
        names = ["x", "y"] if {"x", "y"} <= {*columns} else columns[:2]
        if len(names) < 2:
            raise ValueError(f"A table of pairs needs two columns, x and y, but has {len(names)}.")
        cells = zip(*([*pairs[name]] for name in names))
        return [(n, (str(x), str(y))) for n, (x, y) in enumerate(cells) if not _is_empty(y)]
    if isinstance(pairs, np.ndarray) and np.issubdtype(pairs.dtype, np.integer):
        return _numbered(pairs, items)
    rows = [*pairs]
    for number, row in enumerate(rows):
        if isinstance(row, str) or len(row) != 2:
            raise ValueError(f"The pairs, row {number}: a pair must be two ids, not {row!r}.")
    return [(number, (str(x), str(y))) for number, (x, y) in enumerate(rows)]


def _numbered(pairs: np.ndarray, items: list[list[str]]) -> _Lines:
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ValueError(f"An array of pairs must be item numbers [k, 2], not {pairs.shape}.")
    for column, (name, ids) in enumerate(zip("xy", items)):
        bad = (pairs[:, column] < 0) | (pairs[:, column] >= len(ids))
        if bad.any():
            row = int(np.argmax(bad))
            raise ValueError(
                f"The pairs, row {row}: there is no item {pairs[row, column]} in {name}, which "
                f"has {len(ids)} items: give numbers from 0 to {len(ids) - 1}."
            )
    return [(row, (items[0][x], items[1][y])) for row, (x, y) in enumerate(pairs.tolist())]


def _is_empty(cell: Any) -> bool:
    """Return whether a cell of a table means "no partner": "", None or NaN."""
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))


def _checked(place: str, lines: _Lines, sides: Sequence[Ids], several: bool) -> np.ndarray:
    """Return the ids [k, 2]; raise ValueError if one is unknown, or an item is in two pairs."""
    word = place.rpartition(" ")[2]
    columns = []
    for number, (side, other) in enumerate((sides, sides[::-1])):
        first_line: dict[str, int] = {}
        for line, pair in lines:
            text = pair[number]
            try:
                id_ = side.find(text)
            except ValueError as error:
                raise ValueError(f"{place} {line}: in {side.name}, {error}.") from error
            if id_ is None:
                raise ValueError(
                    f"{place} {line}: there is no item {text!r} in {side.name}; "
                    f"{_hint(text, side, other)}"
                )
            if id_ in first_line and not several:
                raise ValueError(
                    f"{place} {line}: the item {id_!r} of {side.name} already has a partner "
                    f"({word} {first_line[id_]}): remove one of the two."
                )
            first_line[id_] = line
            columns.append(id_)
    return np.array(columns).reshape(2, -1).T


def _hint(text: str, side: Ids, other: Ids) -> str:
    if isinstance(text, Altered) and not other.is_known(text):
        return "a spreadsheet altered it: format the column as text and enter the id again."
    return side.hint(text, other, "swap the two columns")


def _lines_of_file(pairs: str, sides: Sequence[Ids]) -> _Lines:
    """Return the line number and the two cells of each pair in a table."""
    path, _, rows, columns = columns_of(pairs)
    if columns is None:
        width = max((len(cells) for _, cells in rows), default=0)
        if width > 2:
            names = [cell.strip() for cell in rows[0][1]]
            example = ",".join(names[:2]) if len(names) > 1 else "x,y"
            raise ValueError(
                f"{path} has {width} columns ({', '.join(names)}): a pair must be two ids, so name "
                f"their columns, x first, as in --pairs={path}:{example}."
            )
        if _has_heading(path, rows, sides):
            rows = rows[1:]
    lines = []
    for number, cells in rows:
        x, y = (cells[c] if c < len(cells) else "" for c in columns or (0, width - 1))
        if columns is not None and not y.strip():
            continue
        if not (x.strip() and y.strip()):
            raise ValueError(
                f"{path}, line {number}: a pair must be two ids with a comma, a semicolon or a tab "
                f"between them, not {(x or y).strip()!r} alone: add the other id, or delete the "
                "line."
            )
        lines.append((number, (x, y)))
    return lines


def filled_cells(pairs: str | os.PathLike) -> list[tuple[str, str]]:
    """Return the two cells of each line of a table of pairs that has both, but of a heading x,y.

    Raises:
      ValueError: the file is missing, cannot be read, or lacks a named column.
    """
    _, _, rows, columns = columns_of(str(pairs))
    both = ([cells[c] for c in columns or (0, -1) if c < len(cells)] for _, cells in rows)
    return [(cells[0], cells[-1]) for cells in both if len(cells) == 2 and all(cells)]


def is_pair(decision: str) -> bool:
    """Return whether a line with this decision, or "" for none, is a pair in a table of matches."""
    return decision.strip() not in _NO_PAIR


def columns_of(
    pairs: str,
) -> tuple[pathlib.Path, list[str], _Cells, tuple[int, int] | None]:
    """Return the path, the first row, the rows, and the columns that it or FILE:X,Y names, if any.

    The heading is no longer among the rows then, nor are matches that a person rejected or has not
    decided on. Columns without any text are left out.
    """
    path, names = pathlib.Path(pairs), None
    if not path.is_file():
        file, colon, tail = pairs.rpartition(":")
        if colon and pathlib.Path(file).is_file():
            path = pathlib.Path(file)
            names = [name.strip() for name in next(csv.reader([tail]), [])]
        else:
            raise MissingPath(pairs, "file of pairs")
    if names is not None and len(names) != 2:
        raise ValueError(f"{pairs}: name two columns, that of x first, as in {path}:x,y.")
    table = read_table(path)
    rows = [
        (n, ["" if c is None else c if isinstance(c, str) else str(c) for c in cells])
        for n, cells in table.rows
    ]
    width = max((k for _, cells in rows for k, c in enumerate(cells, 1) if c.strip()), default=0)
    rows = [(number, cells[:width]) for number, cells in rows]
    heading = [cell.strip() for cell in rows[0][1]] if rows else []
    if names is None:
        is_sheet = heading[:2] == SHEET or (rows and rows[0][0] == 0 and {*SHEET} <= {*heading})
        if not is_sheet:
            return path, heading, rows, None
        names = SHEET
    if missing := [name for name in names if heading.count(name) != 1]:
        raise ValueError(
            f"{path} has {heading.count(missing[0]) or 'no'} column {missing[0]!r}: it has "
            f"{', '.join(map(repr, heading)) or 'none'}."
        )
    if DECISION in heading:  # of the page of matches; lines that a review adds have none
        at = heading.index(DECISION)
        rows = [row for row in rows if is_pair("".join(row[1][at : at + 1]))]
    return path, heading, rows[1:], (heading.index(names[0]), heading.index(names[1]))


def _has_heading(path: pathlib.Path, rows: _Cells, sides: Sequence[Ids]) -> bool:
    """Return whether the first row names columns: no cell of it is an id, or one mistyped."""
    if rows and rows[0][0] == 0:  # the keys of objects
        return True
    cells = rows[0][1] if len(rows) > 1 else []
    if not cells or any(side.is_known(cell) for side in sides for cell in cells):
        return False
    if all(side.seems_mistyped(cell) for side, cell in zip(sides, (cells[0], cells[-1]))):
        return False
    _log.info(f"{path}: the first line ({', '.join(cells)}) is taken as the heading.")
    return True
