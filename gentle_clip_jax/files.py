"""Files that are whole or not there: JSON, text, arrays and folders; and what a file's content is.

A file is written under another name beside its own, forced to the disk, and renamed. Whatever ends
the program on the way, there is the old file or the new one, and never a part of either.
"""

import contextlib
import hashlib
import itertools
import json
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

import numpy as np

_PART = ".part"  # ends the name of what is not finished


@contextlib.contextmanager
def writing(path: pathlib.Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Opens a file that takes the place of `path` when the block ends without an error.

    Args:
      mode: "w" for text, which is UTF-8, or "wb" for bytes.

    Raises:
      OSError: it cannot be written; `path` is as it was.
    """
    part = path.with_name(path.name + _PART)
    try:
        with part.open(mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text in UTF-8."""
    with writing(path) as file:
        file.write(text)


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes JSON, indented, that other programs can read: no NaN and no infinity.

    Raises:
      ValueError: a number is not finite.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_json_lines(path: pathlib.Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes a JSON object a line."""
    with writing(path) as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_array(path: pathlib.Path, array: np.ndarray) -> None:
    """Writes an .npy file."""
    with writing(path, "wb") as file:
        np.save(file, array, allow_pickle=False)


def write_arrays(
    path: pathlib.Path, arrays: Mapping[str, Any], *, compressed: bool = False
) -> None:
    """Writes an .npz file of arrays by name; strings and numbers become arrays too."""
    save: Any = np.savez_compressed if compressed else np.savez
    with writing(path, "wb") as file:
        save(file, allow_pickle=False, **arrays)


def put_aside(path: pathlib.Path) -> pathlib.Path:
    """Renames a damaged file to NAME.unsound, or NAME.unsound-2, ...; returns its new path."""
    names = (f"{path.name}.unsound{f'-{k}' if k > 1 else ''}" for k in itertools.count(1))
    aside = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    os.replace(path, aside)
    return aside


def sha256(path: pathlib.Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of(value: Any) -> str:
    """SHA-256, in hexadecimal, of an array with its dtype and shape, of bytes, or of what is JSON.

    >>> sha256_of({"b": 1, "a": 2}) == sha256_of({"a": 2, "b": 1})
    True
    """
    if isinstance(value, np.ndarray):
        value = np.ascontiguousarray(value)
        digest = hashlib.sha256(f"{value.dtype.str} {value.shape}".encode())
        if value.dtype == object:
            digest.update(json.dumps(value.tolist()).encode())
        else:
            digest.update(value.data)
        return digest.hexdigest()
    if not isinstance(value, bytes):
        value = json.dumps(value, sort_keys=True).encode()
    return hashlib.sha256(value).hexdigest()


def _sync_folder(folder: pathlib.Path) -> None:
    """Makes the new name last; where folders cannot be opened, the system sees to it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
