"""Bounded reading: only regular files are read, and within a stated share of memory."""

import contextlib
import errno
import functools
import json
import math
import mmap
import os
import pathlib
import zipfile
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.lib import format as formats

from gentle_clip_jax.storage import stores
from gentle_clip_jax.storage.text import decode

# What one file may take, packed or unpacked: a quarter of the memory that this process may have.
_SHARE = 4
_UNKNOWN = 8 * 2**30  # bytes, where the system does not say
_BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # zipfile unpacks a part of these at a time
_JSON = 64 * 2**20  # bytes of a file of settings; a tokenizer of 250,000 tokens has some 17 MB
_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def most_bytes() -> int:
    """Return the largest size in bytes of a file in memory, packed or unpacked."""
    return memory() // _SHARE


def check_size(size: int, most: int | None = None) -> None:
    """Refuse a size that would take too much memory, before allocating it.

    Raises:
      ValueError: it would take more than `most` bytes, or than `most_bytes()`; says "has ...".
    """
    limit = most_bytes() if most is None else most
    if size > limit:
        raise ValueError(f"has {size} bytes, more than {limit}")


def check_regular(path: pathlib.Path) -> int:
    """Return the size in bytes of a regular file, or of the one that a link leads to.

    Raises:
      ValueError: it is a pipe, a device, a folder or not there; says "is ..." without the path.
    """
    try:
        is_regular, size = stores.metadata(path)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if not is_regular:
        raise ValueError("is no regular file")
    return size


def read_bytes(path: pathlib.Path, most: int | None = None) -> bytes:
    """Return all bytes of a regular file of at most `most` bytes, or `most_bytes()`.

    Raises:
      ValueError: it is no regular file, too large, or unreadable; without the path.
    """
    size = check_regular(path)
    check_size(size, most)
    try:
        with path.open("rb") as file:
            content = file.read(size + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if len(content) > size:
        raise ValueError("grows while it is read")
    return content


def read_text(path: pathlib.Path) -> str:
    """Return the text of a regular file, see `text.decode`, without its byte order mark.

    Raises:
      ValueError: it is no such file, too large or no text; says where and what to do.
    """
    try:
        return decode(read_bytes(path)).removeprefix("\ufeff")
    except ValueError as error:
        comma, is_read = "," * str(error).startswith("line "), " text" in str(error)
        advice = "save it as UTF-8" if is_read else "remove it"
        raise ValueError(f"{path}{comma} {error}: {advice}.") from error


def read_arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Return all arrays of an .npz file that unpacks to at most `most_bytes()`; no pickles.

    Raises:
      ValueError: it is no regular file, a damaged .npz file or too large; without the path.
    """
    check_regular(path)
    try:
        # NumPy leaves a file open that it cannot read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if not isinstance(arrays, np.lib.npyio.NpzFile):
                raise ValueError("is no .npz file")
            _check_members(arrays.zip)
            return dict(arrays)
    except Exception as error:  # of any kind where a zip file is broken
        raise ValueError(str(error) or type(error).__name__) from error


def _check_members(archive: Any) -> None:
    members = archive.infolist() if archive else []
    check_size(sum(member.file_size for member in members))
    for member in members:
        if member.compress_type not in _BOUNDED:
            raise ValueError("is packed in another way than NumPy's: write it by numpy.savez")
        with archive.open(member) as file:
            is_old = formats.read_magic(file) == (1, 0)
            read = formats.read_array_header_1_0 if is_old else formats.read_array_header_2_0
            shape, _, dtype = read(file)
        # NumPy would make the array first, and then look for what is in it.
        if not dtype.hasobject and math.prod(shape) * dtype.itemsize > member.file_size:
            raise ValueError(f"{member.filename} is of more than it holds")


def map_array(path: pathlib.Path) -> np.ndarray:
    """Map the array of an .npy file; rows are read on access, and pickles are refused.

    Raises:
      ValueError: it is no regular file or a damaged .npy file; without the path.
    """
    check_regular(path)
    try:
        return formats.open_memmap(path, mode="r")
    except Exception as error:  # of any kind where a header is broken
        raise ValueError(str(error) or type(error).__name__) from error


def blocks_of(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yield the rows of an array, `size` at a time; no more of a file stays in memory."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
        release(rows)


def release(rows: np.ndarray) -> None:
    """Release the memory of the parts of a memory-mapped file that were read."""
    file = getattr(rows, "_mmap", None)
    if file is not None and hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
        file.madvise(mmap.MADV_DONTNEED)


def parse_json(path: pathlib.Path) -> Any:
    """Return the JSON value in a regular file of at most 64 MiB.

    Raises:
      FileNotFoundError: it is not there.
      ValueError: it cannot be read; says why, without the path.
    """
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    try:
        return json.loads(read_bytes(path, _JSON).decode("utf-8"), parse_float=_finite)
    except RecursionError as error:
        raise ValueError(str(error)) from error


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def read_json(path: pathlib.Path, schema: type[msgspec.Struct] | None = None) -> dict[str, Any]:
    """Return the JSON object in a file; with a schema, after checking it.

    Raises:
      ValueError: it is no such file, or a value is of another kind; names them.
    """
    try:
        content = parse_json(path)
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"{path} is no sound .json file: {error}.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold an object of JSON, not a {type(content).__name__}.")
    if schema is not None:
        check_schema(str(path), content, schema)
    return content


def read_json_if_there(
    path: pathlib.Path, schema: type[msgspec.Struct] | None = None
) -> dict[str, Any]:
    """Return the JSON object in a file as `read_json` does, an empty one if there is no file."""
    return read_json(path, schema) if path.exists() else {}


def check_schema(where: str, content: Any, schema: type[msgspec.Struct]) -> None:
    """Refuse a value that does not match a schema.

    Raises:
      ValueError: a value is of another kind or size; says where, and names its key.
    """
    if flaw := schema_flaw(content, schema):
        raise ValueError(f"{where} cannot be used: {flaw}.")


def schema_flaw(content: Any, schema: type[msgspec.Struct]) -> str | None:
    """Return which value does not match a schema and why, in words; None if all do."""
    try:
        msgspec.convert(content, schema)
    except (msgspec.ValidationError, RecursionError) as error:
        reason, _, place = str(error).partition(" - at ")
        key = place.strip("`").removeprefix("$").removeprefix(".") or "what it holds"
        return f"{key} is wrong ({reason.lower()})"
    return None


@functools.cache
def memory() -> int:
    """Return the bytes of memory that this process may use: the machine's, or a lower limit."""
    limits = [_UNKNOWN]
    with contextlib.suppress(AttributeError, ValueError, OSError):  # not on Windows
        limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in map(pathlib.Path, _CGROUPS):
        with contextlib.suppress(OSError, ValueError):  # none, or "max"
            limits.append(int(path.read_text()))
    with contextlib.suppress(ImportError):
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            limits.append(soft)
    return min(limits)
