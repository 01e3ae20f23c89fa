"""Columns of tables, also of millions of rows, and their numbers with decimal commas."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from gentle_clip_jax.storage.tables import Table, read_table


def read_columns(
    path: pathlib.Path, names: Sequence[str]
) -> tuple[dict[str, list[Any]], str | None]:
    """Return those of the named columns that a table has, and the delimiter of a text file.

    Cells are those of `Table.records`; without rows there are no columns.

    Raises:
      ValueError: as `read_table` and `Table.records`.
    """
    table = read_table(path)
    columns = _split(table, names)
    if columns is None:
        columns = {}
        for _, row in table.records():
            columns = columns or {name: [] for name in names if name in row}
            for name, column in columns.items():
                column.append(row[name])
    return columns, table.delimiter


def _split(table: Table, names: Sequence[str]) -> dict[str, list[Any]] | None:
    """Split a text without quotes whose lines have equally many cells; None for another table.

    It takes a quarter of the time of rows.
    """
    text, delimiter = table.text.replace("\r\n", "\n").strip("\n"), table.delimiter or ""
    if not delimiter or not delimiter.isascii() or '"' in text or "\r" in text:
        return None
    heading = [name.strip() for name in text.partition("\n")[0].split(delimiter)]
    width = len(heading)
    line = (delimiter * (width - 1) + "\n").encode()
    others = bytes({*range(256)} - {*line} - {ord(delimiter)})
    ends = text.encode().translate(None, others) + b"\n"
    if len(ends) == width or ends != line * (len(ends) // width) or len({*heading}) < width:
        return None
    cells = text.replace("\n", delimiter).split(delimiter)
    if not all(map(str.strip, {*cells[::width]})):  # a row may have no text
        return None
    return {name: cells[width + heading.index(name) :: width] for name in names if name in heading}


def decimal_point(delimiter: str | None, cells: Sequence[Any]) -> Callable[[str], str]:
    """Return the function from a cell to a number with a decimal point.

    A decimal comma is one only in a table with semicolons, and if the first row of numbers has it.
    """
    shown = "".join(map(str, cells))
    if delimiter != ";" or "," not in shown or "." in shown:
        return str
    # A point would separate thousands there.
    return lambda text: text.replace(".", "_").replace(",", ".")
