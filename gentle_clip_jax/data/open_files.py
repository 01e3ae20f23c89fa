"""Open files that can be sent to other processes, where each process opens them again."""

import functools
import pathlib
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class OpenFile(Generic[T]):
    """An open file: `file` is the result of `reader` for a path.

    Only the reader and the path are pickled. A process that receives it many times opens the file
    once, and again if it has changed.
    """

    def __init__(self, reader: Callable[[pathlib.Path], T], path: pathlib.Path):
        self.file = reader(path)
        self._key = reader, path, path.stat().st_mtime_ns

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, self._key


@functools.lru_cache(maxsize=64)
def _again(reader: Callable[[pathlib.Path], T], path: pathlib.Path, _: int) -> OpenFile[T]:
    return OpenFile(reader, path)
