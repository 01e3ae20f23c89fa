"""Atomic writing of files, and new names for damaged ones.

A file is written under another name beside its own, forced to the disk, and renamed; on a store it
is uploaded at once. Whenever the program is killed, the old or the new file is there, complete.
"""

import contextlib
import errno
import io
import itertools
import json
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

import numpy as np

from gentle_clip_jax.storage import stores

PART = ".part"  # ends the name of what is not finished


@contextlib.contextmanager
def writing(path: pathlib.Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a file that replaces `path` when the block ends without an error.

    Args:
      mode: "w" for text, which is UTF-8, or "wb" for bytes.

    Raises:
      OSError: it cannot be written; `path` is as it was. A device or a pipe is not replaced.
    """
    if not stores.is_local(path):
        content = io.BytesIO() if "b" in mode else io.StringIO()
        yield content
        stores.put(path, content.getvalue())
        return
    if path.exists() and not path.is_file():
        raise OSError(errno.EISDIR if path.is_dir() else errno.EINVAL, "Not a file", str(path))
    part = path.with_name(path.name + PART)
    try:
        with part.open(mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        rename(part, path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from error  # say where
        raise


def write_text(path: pathlib.Path, text: str) -> None:
    """Write a text in UTF-8."""
    with writing(path) as file:
        file.write(text)


def write_json(path: pathlib.Path, value: Any) -> None:
    """Write indented JSON that other programs can read: no NaN and no infinity.

    Raises:
      ValueError: a number is not finite.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_json_lines(path: pathlib.Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object per line."""
    with writing(path) as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_rows(
    path: pathlib.Path, count: int, dtype: str, blocks: Iterable[tuple[np.ndarray, np.ndarray]]
) -> None:
    """Write an .npy file [count, d] from blocks of its rows, with one block in memory at a time.

    Args:
      blocks: numbers [k] of rows, in any order, and these rows [k, d]; all of a file's once.
    """
    with writing(path, "wb") as file:
        begin = 0
        for numbers, rows in blocks:
            rows = np.ascontiguousarray(rows, dtype)
            begin = begin or _write_header(file, (count, rows.shape[1]), rows.dtype)
            cuts = np.flatnonzero(np.diff(numbers) != 1) + 1  # a piece for those in sequence
            for first, piece in zip(numbers[np.r_[0, cuts]].tolist(), np.split(rows, cuts)):
                file.seek(begin + first * rows[0].nbytes)
                file.write(piece.data)
        if not begin:
            _write_header(file, (count, 0), np.dtype(dtype))


def _write_header(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype) -> int:
    """Write the header of an .npy file and return the position of its array."""
    header = {"shape": shape, "fortran_order": False}
    header["descr"] = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(file, header)
    return file.tell()


def write_arrays(
    path: pathlib.Path, arrays: Mapping[str, Any], *, compressed: bool = False
) -> None:
    """Write an .npz file of arrays by name; strings and numbers become arrays too."""
    save: Any = np.savez_compressed if compressed else np.savez
    with writing(path, "wb") as file:
        save(file, allow_pickle=False, **arrays)


def aside(path: pathlib.Path) -> pathlib.Path:
    """Return an unused name for a damaged file: NAME.unsound, or NAME.unsound-2, ..."""
    names = (f"{path.name}.unsound{f'-{k}' if k > 1 else ''}" for k in itertools.count(1))
    return next(path.with_name(name) for name in names if not path.with_name(name).exists())


def put_aside(path: pathlib.Path) -> pathlib.Path:
    """Rename a damaged file or folder to `aside(path)` and return its new path."""
    new = aside(path)
    rename(path, new)
    return new


def rename(part: pathlib.Path, path: pathlib.Path) -> None:
    """Give a finished file or folder its name, for good even if the power fails."""
    if not stores.is_local(part):
        part.replace(path)
        return
    os.replace(part, path)
    _sync_folder(path.parent)


def _sync_folder(folder: pathlib.Path) -> None:
    """Flush a new name to the disk, on systems where folders can be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
