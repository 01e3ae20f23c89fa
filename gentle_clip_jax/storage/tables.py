"""Tables of texts: the one reader of .csv, .tsv, .xlsx and .jsonl files, and their writers."""

import contextlib
import csv
import datetime
import io
import itertools
import json
import pathlib
import re
import types
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from gentle_clip_jax.storage import reading
from gentle_clip_jax.storage.missing import MissingPath
from gentle_clip_jax.storage.text import decode
from gentle_clip_jax.storage.writing import writing

SUFFIXES = (".csv", ".tsv", ".xlsx", ".jsonl")
_LINE = re.compile("[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_DELIMITERS = "\t;,"  # the rarer in texts first
_SNIFFED = 50  # rows that must have equally many cells
_ZIP, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # zipfile unpacks a part of these at a time
_DIGITS = 15  # of a number that a spreadsheet keeps
_MOST_ROWS = 2**20  # of a sheet
# What XML cannot hold, and what already looks like an escape of it: _x0007_ in a workbook.
_NO_XML = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")


class Altered(str):
    """A cell whose text a spreadsheet replaced: by a date, an error or a rounded number."""


class Table(NamedTuple):
    """The rows of a table as (number of the first line, cells); the heading, if any, is one.

    Cells are texts as they stand, with outer spaces; in .jsonl they are values. Rows without any
    text are left out. delimiter: of a text file; text: its content, "" for another file.
    """

    path: pathlib.Path
    rows: Iterator[tuple[int, list[Any]]]
    delimiter: str | None = None
    text: str = ""

    def records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the line and the cells by column of each row below the heading.

        Raises:
          ValueError: a row is longer than the heading, or two columns have the same name.
        """
        _, heading = next(self.rows, (0, []))
        names = [str(name).strip() for name in heading]
        if twice := [name for name in names if name and names.count(name) > 1]:
            raise ValueError(f"{self.path} has two columns {twice[0]!r}: rename one.")
        for line, cells in self.rows:
            if any(cells[len(names) :]):
                raise ValueError(
                    f"{self.path}, line {line} has {len(cells)} cells, the heading {len(names)}: "
                    f"put quotes around a cell that contains {self.delimiter!r}."
                )
            yield line, dict(itertools.zip_longest(names, cells[: len(names)], fillvalue=""))


def read_table(path: pathlib.Path) -> Table:
    """Open a table whose name ends in one of `SUFFIXES`, or any other file of delimited text.

    Encoding: see `text.decode`. Delimiter: of tab, semicolon and comma the first that splits each
    of the first 50 rows into the same number of cells, two or more; or else the first of them in
    the first line. Of a workbook the first visible sheet counts, with numbers as they are shown.

    Raises:
      ValueError: the file cannot be read, here or while its rows are; names the line.
    """
    if not path.exists():
        raise MissingPath(path, "file")
    try:
        content = reading.read_bytes(path)
        if content.startswith(_OLD_EXCEL):
            raise ValueError("is a workbook of Excel 97: save it as .xlsx or CSV")
        is_workbook = content.startswith(_ZIP) or path.suffix.lower() == ".xlsx"
        text = "" if is_workbook else decode(content).removeprefix("\ufeff")
    except ValueError as error:
        advice = "" if "save it" in str(error) else ": save it as CSV in UTF-8"
        comma = "," * str(error).startswith("line ")
        raise ValueError(f"{path}{comma} {error}{advice}.") from error
    if is_workbook or path.suffix.lower() == ".jsonl":
        return Table(path, _sheet(path, content) if is_workbook else _objects(path, text))
    declared = re.match("sep=(.)\r?\n", text)  # as Excel reads and writes it
    delimiter = declared[1] if declared else _delimiter(text)
    text = text[declared.end() :] if declared else text
    return Table(path, _rows(path, text, delimiter, 1 + bool(declared)), delimiter, text)


def _rows(
    path: pathlib.Path, text: str, delimiter: str, first: int = 1
) -> Iterator[tuple[int, list[str]]]:
    lines = map(re.Match.group, _LINE.finditer(text))  # without a copy of the text
    reader, line = csv.reader(lines, delimiter=delimiter, strict=True), first
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                yield line, cells
            line = reader.line_num + first
    except csv.Error as error:
        raise ValueError(f"{path}, line {line} is not valid CSV ({error}): fix it.") from error


def _delimiter(text: str) -> str:
    for delimiter in _DELIMITERS:
        with contextlib.suppress(ValueError):
            rows = itertools.islice(_rows(pathlib.Path(), text, delimiter), _SNIFFED)
            widths = {len(cells) for _, cells in rows}
            if len(widths) == 1 and max(widths) > 1:
                return delimiter
    first = text.lstrip().partition("\n")[0]
    return next((delimiter for delimiter in _DELIMITERS if delimiter in first), ",")


def _objects(path: pathlib.Path, text: str) -> Iterator[tuple[int, list[Any]]]:
    """Yield all keys as the heading, and then the values of each object."""
    objects = [*read_objects(path, text)]
    names = [*dict.fromkeys(name for _, row in objects for name in row)]
    if names:
        yield 0, names
    yield from ((line, [row.get(name) for name in names]) for line, row in objects)


def read_objects(path: pathlib.Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and the JSON object of each line that is not empty.

    Raises:
      ValueError: a line is no JSON object; names it.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {number} is not valid JSON ({error}).") from error
        if not isinstance(row, dict):
            raise ValueError(f'{path}, line {number} is not an object like {{"id": ...}}.')
        yield number, row


def _sheet(path: pathlib.Path, content: bytes) -> Iterator[tuple[int, list[str]]]:
    import openpyxl

    try:
        with warnings.catch_warnings(), zipfile.ZipFile(io.BytesIO(content)) as archive:
            warnings.simplefilter("ignore")  # on parts of a workbook that are no cells
            members = archive.infolist()
            reading.check_size(sum(member.file_size for member in members))
            if any(member.compress_type not in _PACKED for member in members):
                raise ValueError("it is packed in another way")
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            sheet: Any = next(s for s in book.worksheets if s.sheet_state == "visible")
            sheet.reset_dimensions()  # some programs write wrong ones
            rows = [[_shown(cell) for cell in cells] for cells in sheet.iter_rows()]
    except Exception as error:  # of any kind where a part is broken
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"{path} is not a valid workbook ({reason}): save it again as .xlsx or CSV."
        ) from error
    return ((line, row) for line, row in enumerate(rows, start=1) if any(map(str.strip, row)))


def _shown(cell: Any) -> str:
    """Return the text that a spreadsheet shows in a cell; of a number, with all its digits."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), value)
        return Altered(text) if cell.data_type == "e" else text
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return Altered(value)
    if value == int(value):
        text = str(int(value))
        if re.fullmatch("0+", str(cell.number_format)):  # such as 00000, which shows 00042
            text = text.zfill(len(cell.number_format))
        return text if len(text) <= _DIGITS else Altered(text)
    return repr(value)


def can_grow(path: pathlib.Path) -> bool:
    """Return whether lines in UTF-8, with commas or in .tsv tabs, can be added to a table."""
    delimiter = "\t" if path.suffix == ".tsv" else ","
    content = reading.read_bytes(path) if path.is_file() else b""
    try:
        is_text = path.suffix.lower() not in (".xlsx", ".jsonl") and ":" not in path.suffix
        return is_text and _delimiter(content.decode("utf-8-sig")) == delimiter
    except UnicodeDecodeError:
        return False


def write_csv(path: pathlib.Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write a table with commas in UTF-8; the first row is the heading."""
    with writing(path, "wb") as file:
        file.write(csv_bytes(rows))


def csv_bytes(rows: Iterable[Sequence[Any]], delimiter: str = ",", end: str = "\n") -> bytes:
    """Return rows as lines of a table."""
    lines: list[str] = []
    sink: Any = types.SimpleNamespace(write=lines.append)
    # This end makes the writer quote a cell with a carriage return, even a lone one.
    csv.writer(sink, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return "".join(line.removesuffix("\r\n") + end for line in lines).encode()


def write_workbook(path: pathlib.Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write a workbook of text cells, so that no id becomes a number, a date or a formula.

    A cell that begins like a formula is quoted, as by an apostrophe typed before it.

    Raises:
      ValueError: there are more rows than a sheet can hold.
    """
    import openpyxl
    from openpyxl.cell import WriteOnlyCell

    book = openpyxl.Workbook(write_only=True)
    sheet: Any = book.create_sheet("matches" if path.stem == "matches" else "table")
    for number, row in enumerate(rows):
        if number >= _MOST_ROWS:
            raise ValueError(f"{path}: a sheet has at most {_MOST_ROWS:,} rows: use the CSV file.")
        cells = []
        for value in row:
            text = _NO_XML.sub(lambda match: f"_x{ord(match[0]):04X}_", str(value))
            cell: Any = WriteOnlyCell(sheet, text)
            cell.data_type, cell.number_format = "s", "@"
            cell.quotePrefix = text.startswith(("=", "+", "-", "@"))
            cells.append(cell)
        sheet.append(cells)
    with writing(path, "wb") as file:
        book.save(file)
