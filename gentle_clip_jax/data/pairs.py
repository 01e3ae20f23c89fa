"""Which items of two sets belong together, as a file of pairs or equal ids say it."""

import csv
import pathlib
from collections.abc import Iterable

import numpy as np

SHEET = ["item", "partner"]  # the heading of what `gentle-clip ask` gives to fill in


class RowNumbers(np.ndarray):
    """Ids of rows whose file has none: their numbers, which mean nothing beside another file."""


def read_pairs(
    path: str | pathlib.Path | None,
    x_ids: Iterable[str],
    y_ids: Iterable[str],
    *,
    several: bool = False,
) -> np.ndarray:
    """Ids [k, 2] of the k matched items: column 0 is one of x_ids, column 1 one of y_ids.

    A .csv (or .tsv) file has a pair a line, or one id a line where both sides use the same. Its
    first line may be a heading: it is one if none of it is an id. Under that of a sheet of
    `gentle-clip ask`, `SHEET`, items without a partner are left out. Without a file (None), equal
    ids are pairs, in the order of x_ids. Where `several`, an item may be in more than one pair.

    Raises:
      ValueError: there are no pairs, an id is unknown, or an item is in two pairs; or there is no
        file and one set has no ids.
    """
    known = ({*map(str, x_ids)}, {*map(str, y_ids)}) if path else ()
    if not path:
        sides = (("x", x_ids), ("y", y_ids))
        if bare := [name for name, ids in sides if isinstance(ids, RowNumbers)]:
            raise ValueError(
                f"The rows of {' and '.join(bare)} have no ids, so that nothing says which items "
                "belong together: give --pairs=CSV, where a row's id is its number, from 0; for "
                "row i of x with row i of y its lines are 0,0 and 1,1 and so on."
            )
        others = {*map(str, y_ids)}
        same = [id_ for id_ in dict.fromkeys(map(str, x_ids)) if id_ in others]
        if not same:
            raise ValueError(
                "No id is in both sets: give a file of pairs, or the same ids to both."
            )
        return np.array([same, same]).T
    lines = _read_lines(pathlib.Path(path))
    if len(lines) > 1 and not any(id_ in ids for id_, ids in zip(lines[0][1], known)):
        lines = lines[1:]
    if not lines:
        raise ValueError(f"{path} has no pairs: write an id of each set on every line.")
    for side, (name, ids) in enumerate(zip("xy", known)):
        first_line: dict[str, int] = {}
        for number, pair in lines:
            if pair[side] not in ids:
                stem = pair[side].rpartition(".")[0]
                hint = f"write {stem!r}" if stem in ids else f"its ids look like {min(ids)!r}"
                raise ValueError(
                    f"{path}, line {number}: there is no item {pair[side]!r} in {name}; {hint}."
                )
            if pair[side] in first_line and not several:
                raise ValueError(
                    f"{path}, line {number}: the item {pair[side]!r} of {name} is in a pair "
                    f"already (line {first_line[pair[side]]})."
                )
            first_line[pair[side]] = number
    return np.array([pair for _, pair in lines])


def _read_lines(path: pathlib.Path) -> list[tuple[int, tuple[str, str]]]:
    """Number and pair of each line that is not empty."""
    if not path.is_file():
        raise ValueError(f"There is no file of pairs {path}.")
    lines, is_sheet = [], False
    # Spreadsheets begin a file with a byte order mark.
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        try:
            for cells in reader:
                cells = [cell.strip() for cell in cells]
                if not lines and cells == SHEET:
                    is_sheet = True
                    continue
                if not any(cells) or (is_sheet and len(cells) == 2 and not cells[1]):
                    continue
                if len(cells) > 2 or not all(cells):
                    raise ValueError(
                        f"{path}, line {reader.line_num}: a pair is two ids with a comma between, "
                        f"not {','.join(cells)!r}."
                    )
                lines.append((reader.line_num, (cells[0], cells[-1])))
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no text of pairs ({error}): save it as CSV.") from error
    return lines
