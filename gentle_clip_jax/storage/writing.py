"""Atomic writing of files, and new names for damaged ones.

A file is written under an unguessable name beside its own, which nobody can have planted a link
under, forced to the disk, and renamed; on a store it is uploaded at once. Whenever the program is
killed, the old or the new file is there, complete.
"""

import contextlib
import errno
import io
import itertools
import json
import os
import pathlib
import re
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

import numpy as np

from gentle_clip_jax.storage import stores

_PART = re.compile(r".+\.[0-9a-f]{16}\.part", re.DOTALL)  # of what is not finished
# New and no link; O_BINARY is for Windows, which has neither of the others.
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_FLAGS |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


@contextlib.contextmanager
def writing(path: pathlib.Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a file that replaces `path` when the block ends without an error.

    The target of a link is replaced, not the link. A file that is replaced keeps its permissions.

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
    target = pathlib.Path(os.path.realpath(path)) if path.is_symlink() else path
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    if target.exists() and not target.is_file():
        raise OSError(errno.EISDIR if target.is_dir() else errno.EINVAL, "Not a file", str(path))
    part = target.with_name(f"{target.name}.{secrets.token_hex(8)}.part")
    try:
        number = os.open(part, _FLAGS, 0o666)
        with open(number, mode, encoding=None if "b" in mode else "utf-8") as file:
            _copy_permissions(target, number)
            yield file
            file.flush()
            os.fsync(file.fileno())
        rename(part, target)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(part)):
            raise OSError(error.errno, error.strerror, str(path)) from error  # say where
        raise


def _copy_permissions(source: pathlib.Path, number: int) -> None:
    """Give an open file the permissions of another, if there is one."""
    if hasattr(os, "fchmod"):  # not on Windows
        with contextlib.suppress(FileNotFoundError, PermissionError):
            os.fchmod(number, stat.S_IMODE(source.stat().st_mode))


def is_part(name: str) -> bool:
    """Return whether a file's name is one that `writing` gives to what is not finished."""
    return _PART.fullmatch(name) is not None


def remove_parts(folder: pathlib.Path) -> None:
    """Remove what killed writers left in a folder; for who holds the lock of what they wrote."""
    for path in folder.iterdir():
        if is_part(path.name) and path.is_file() and not path.is_symlink():
            path.unlink()


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
