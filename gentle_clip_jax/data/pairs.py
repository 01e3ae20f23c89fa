"""Pairs of items of two sets, read from a file, a table, a list, an array or equal ids."""

import csv
import math
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

SHEET = ["x", "y"]  # the heading of the sheet that `gentle-clip ask` writes

# A file; a list of id pairs; a table, that is a mapping or a data frame; an array [k, 2] of item
# numbers; None for equal ids.
Pairs = str | os.PathLike | Sequence[Sequence[str]] | Mapping[str, Any] | np.ndarray | Any | None
_Lines = list[tuple[int, tuple[str, str]]]  # number and pair


class RowNumbers(np.ndarray):
    """Row numbers used as ids of a file that has none; they match no ids of other files."""


def read_pairs(
    pairs: Pairs, x_ids: Iterable[str], y_ids: Iterable[str], *, several: bool = False
) -> np.ndarray:
    """Return the ids [k, 2] of k pairs: column 0 has ids of x, column 1 ids of y.

    Args:
      pairs: a .csv or .tsv file with a pair per line, or one id per line if x and y share ids. Its
        first line is a heading if it has no id. After the heading of a sheet of `gentle-clip ask`,
        `SHEET`, items without a partner are left out. Or a list of id pairs; a table, such as a
        pandas data frame or a dict of columns, with the columns x and y, or else its first two,
        where items without a partner are left out; an array [k, 2] of item numbers, counted over
        the distinct ids; or None: equal ids are pairs, in the order of x_ids.
      x_ids, y_ids: the ids of both sets; an id may occur more than once.
      several: whether an item may be in more than one pair.

    Raises:
      ValueError: there are no pairs, an id is unknown, or an item is in two pairs; or `pairs` is
        None and one set has no ids.
    """
    if pairs is None or (isinstance(pairs, str) and not pairs):
        return _equal_ids(x_ids, y_ids)
    id_sets = [dict.fromkeys(map(str, ids)) for ids in (x_ids, y_ids)]
    if isinstance(pairs, str | os.PathLike):
        place, lines = f"{pairs}, line", _read_lines(pathlib.Path(pairs))
        has_heading = lines and not any(id_ in ids for id_, ids in zip(lines[0][1], id_sets))
        if has_heading and (len(lines) > 1 or [*lines[0][1]] == SHEET):
            lines = lines[1:]
        if not lines:
            raise ValueError(f"{pairs} has no pairs: write an id of x and an id of y on each line.")
    else:
        place, lines = "The pairs, row", _rows(pairs, [[*ids] for ids in id_sets])
        if not lines:
            raise ValueError("There are no pairs: give an id of x and an id of y for each pair.")
    _check(place, lines, id_sets, several)
    return np.array([pair for _, pair in lines])


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


def _check(place: str, lines: _Lines, id_sets: Sequence[Mapping[str, Any]], several: bool) -> None:
    """Raise ValueError if an id is unknown, or an item is in two pairs."""
    word = place.rpartition(" ")[2]
    for side, (name, ids) in enumerate(zip("xy", id_sets)):
        first_line: dict[str, int] = {}
        for number, pair in lines:
            if pair[side] not in ids:
                stem = pair[side].rpartition(".")[0]
                hint = f"write {stem!r}" if stem in ids else f"its ids look like {min(ids)!r}"
                raise ValueError(
                    f"{place} {number}: there is no item {pair[side]!r} in {name}; {hint}."
                )
            if pair[side] in first_line and not several:
                raise ValueError(
                    f"{place} {number}: the item {pair[side]!r} of {name} already has a partner "
                    f"({word} {first_line[pair[side]]}): remove one of the two."
                )
            first_line[pair[side]] = number


def _read_lines(path: pathlib.Path) -> _Lines:
    """Return the line number and ids of each pair in a file."""
    rows = read_cells(path)
    is_sheet = [cells for _, cells in rows[:1]] == [SHEET]
    lines = []
    for number, cells in rows:
        if is_sheet and len(cells) == 2 and not cells[1]:
            continue
        if len(cells) > 2 or not all(cells):
            raise ValueError(
                f"{path}, line {number}: a pair must be two ids with a comma between them, "
                f"not {','.join(cells)!r}."
            )
        lines.append((number, (cells[0], cells[-1])))
    return lines


def read_cells(path: pathlib.Path) -> list[tuple[int, list[str]]]:
    """Return the line number and the cells of each line of a .csv or .tsv file that is not empty.

    Raises:
      ValueError: the file is missing or is not text.
    """
    if not path.is_file():
        raise ValueError(f"There is no file of pairs {path}.")
    # Spreadsheets begin a file with a byte order mark.
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        try:
            rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is not valid CSV ({error}): save it as CSV.") from error
    return [(number, cells) for number, cells in rows if any(cells)]
