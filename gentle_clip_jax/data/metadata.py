"""Metadata of items: files with ids, splits and labels, one JSON object per line."""

import os
import pathlib
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from gentle_clip_jax.storage import reading
from gentle_clip_jax.storage.tables import Altered, read_objects

NAME = "metadata.jsonl"
# NumPy pads all texts of an array to the longest one: a text of a megabyte would cost gigabytes.
MOST_LETTERS = 1000


def read_lines(path: pathlib.Path) -> list[dict[str, Any]]:
    """Return the objects of a .jsonl file; `id`, `split` and `label`, where present, become text.

    Raises:
      ValueError: a line is not a JSON object; the message has its number.
    """
    return [
        row | {k: text(row.get(k), f"{path}, line {number}") for k in ("id", "split", "label")}
        for number, row in read_objects(path, reading.read_text(path))
    ]


def text(value: Any, where: str) -> str | None:
    """Return an id, split or label as text; None for None and for a blank cell.

    Raises:
      ValueError: it cannot be one, see `check_id`; the message begins with `where`.
    """
    if value is None or not (value := value if isinstance(value, str) else str(value)).strip():
        return None
    check_id(value, where)
    return writable(value)


def check_id(value: str, where: str) -> None:
    """Refuse an id, split or label that is too long, ends in a null or was altered.

    Raises:
      ValueError: it is; the message begins with `where`.
    """
    if len(value) > MOST_LETTERS:
        raise ValueError(
            f"{where} has an id, split or label of {len(value)} characters: shorten it to at most "
            f"{MOST_LETTERS}."
        )
    if "\0" in value:  # NumPy drops those at the end, so that two ids would become one
        raise ValueError(
            f"{where} has an id, split or label with a null character ({value[:40]!r}): remove it."
        )
    if isinstance(value, Altered):
        raise ValueError(
            f"{where} has an id, split or label that a spreadsheet turned into a date, an error or "
            f"a rounded number ({value[:40]}): format the column as text and enter it again."
        )


def writable(text: str) -> str:
    """Return the text with ? for lone surrogates, which JSON allows but UTF-8 files do not."""
    return text.encode("utf-8", "replace").decode("utf-8")


def printable(path: pathlib.PurePath | str) -> str:
    r"""Return the path with / between its parts.

    Bytes that are not UTF-8 are escaped, as in \xe9.
    """
    path = path if isinstance(path, str) else path.as_posix()
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_utf8(name: str) -> bool:
    """Return whether a file name can be written in UTF-8."""
    return name == writable(name)


def name_key(name: str) -> str:
    """Return an id in Unicode normal form, since macOS splits accents off letters in names."""
    return unicodedata.normalize("NFC", name)


def by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the rows that have an id, by their `name_key`."""
    return {name_key(row["id"]): row for row in rows if row["id"] is not None}


def splits_of(entries: Iterable[str], where: str) -> dict[str, str]:
    """Return the split of each data set, from entries SET:SPLIT; "" means all splits.

    Raises:
      ValueError: an entry is malformed, or a set occurs twice; the message begins with `where`.
    """
    splits: dict[str, str] = {}
    for entry in entries:
        name, colon, split = entry.partition(":")
        if not (name and colon) or ":" in split or name in splits:
            raise ValueError(f"{where} must list each set once, as SET:SPLIT or SET:, not {entry}.")
        splits[name] = split
    return splits


def is_hidden(path: pathlib.PurePath) -> bool:
    """Return whether a part of a path is hidden, as files of macOS and of file managers are."""
    return any(map(is_hidden_name, path.parts))


def is_hidden_name(name: str) -> bool:
    """Return whether one part of a path marks it as hidden."""
    return name.startswith(".") or name == "__MACOSX"


def files_below(folder: str | os.PathLike, start: str = "") -> Iterator[str]:
    """Yield the relative paths of all files below a folder, sorted part by part.

    Hidden files, links to folders and unreadable folders are left out. Only names are read, so that
    100,000 files take less than a second.
    """
    try:
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except PermissionError:
        return
    for entry in ordered:
        if is_hidden_name(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(entry.path, f"{start}{entry.name}/")
        elif not entry.is_dir():
            yield start + entry.name
