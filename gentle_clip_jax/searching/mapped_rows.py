"""Exact index: embedded rows in a memory-mapped .npy file."""

import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from gentle_clip_jax.searching.exact import nearest
from gentle_clip_jax.storage import reading
from gentle_clip_jax.storage.writing import write_rows


class MappedRows:
    """Unit rows that are read from disk during a search.

    Args:
      path: a file written by `build`.

    Raises:
      ValueError: it is no such file.
    """

    SUFFIX = "npy"

    def __init__(self, path: pathlib.Path):
        self._rows = reading.map_array(path)
        if self._rows.ndim != 2 or self._rows.dtype != np.float32:
            raise ValueError("it holds no rows of float32")

    def nearest(self, query: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
        """Return row numbers and cosines [num] of the nearest rows to a unit row [k] float32."""
        rows, cosines = nearest(query[None], self._rows, num)
        return rows[0], cosines[0]

    @staticmethod
    def metadata() -> dict[str, Any]:
        """Return the settings and versions of `build`, for the manifest."""
        return {"settings": {}, "versions": {"numpy": np.__version__}}

    @staticmethod
    def is_built(path: pathlib.Path) -> bool:
        """Return whether a path may be what `build` writes, whole or not."""
        return path.is_file()

    @staticmethod
    def build(path: pathlib.Path, blocks: Iterable[np.ndarray], num_rows: int) -> None:
        """Write blocks [b, k] of unit rows, with one block in memory at a time.

        Raises:
          OSError: it cannot be written.
        """
        write_rows(path, num_rows, "float32", _numbered(blocks))


def _numbered(blocks: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    start = 0
    for block in blocks:
        if len(block):
            yield np.arange(start, start + len(block)), block
            start += len(block)
