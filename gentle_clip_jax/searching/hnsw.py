"""HNSW by usearch: a graph in which rows have links to their neighbours, mapped from a file."""

import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from gentle_clip_jax.parallel.cores import count_cores

# Links of a row, twice as many as usearch's own, and how many rows are tried for them.
_SETTINGS: dict[str, Any] = {"connectivity": 32, "expansion_add": 128}
# Far more is tried than usearch's own 64, as queries by words lie beside the rows: with 2,048 of
# 200,000 rows 0.993 of their nearest were found, of a million 0.874.
_EXPANSION, _ROWS_TO_ONE_TRIED = 2048, 128
_EXPANSION_OF_ITSELF = 16  # a row with links to it is found by few steps
_CHUNK = 65_536  # rows that are looked for at once


class Hnsw:
    """A graph over unit rows.

    Args:
      path: a file that `build` has written.

    Raises:
      ValueError, RuntimeError: it is none.
    """

    EXTRA = "index"

    def __init__(self, path: pathlib.Path):
        from usearch.index import Index

        graph = Index.restore(str(path), view=True)
        if graph is None:
            raise ValueError("it is no graph")
        # It is not kept in the file.
        graph.expansion_search = max(_EXPANSION, len(graph) // _ROWS_TO_ONE_TRIED)
        self._graph = graph

    def nearest(self, query: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows [num] int and cosines [num], nearly the nearest to a unit row [k] float32."""
        found = self._graph.search(query, min(num, len(self._graph)))
        return found.keys.astype(int), 1 - found.distances

    @staticmethod
    def about() -> dict[str, Any]:
        """The settings and versions with which `build` works, for the manifest."""
        import usearch

        return {"settings": _SETTINGS, "versions": {"usearch": usearch.__version__}}

    @staticmethod
    def build(path: pathlib.Path, blocks: Iterable[np.ndarray]) -> None:
        """Writes the graph of blocks [b, k] of unit rows; all of it is held until then."""
        from usearch.index import Index

        graph, number = None, 0
        for block in blocks:
            if graph is None:
                graph = Index(ndim=block.shape[1], metric="ip", dtype="f32", **_SETTINGS)
            numbers = np.arange(number, number + len(block))
            graph.add(numbers, np.asarray(block, np.float32), threads=count_cores())
            number += len(block)
        if graph is not None:
            _insert_lost(graph)
            graph.save(str(path))


def _insert_lost(graph: Any) -> None:
    """Inserts again, by one thread, the rows that a search for themselves does not find.

    Threads that insert at once leave a few rows to which no link leads, whatever is asked for:
    some 10 of 100,000 with two of them (usearch issue 735).
    """
    graph.expansion_search = _EXPANSION_OF_ITSELF
    for start in range(0, len(graph), _CHUNK):
        numbers = np.arange(start, min(start + _CHUNK, len(graph)))
        rows = np.stack(graph.get(numbers))
        found = graph.search(rows, 1, threads=count_cores())
        itself = 1 - np.einsum("ik,ik->i", rows, rows)
        is_lost = found.distances.reshape(-1) > itself + 1e-6  # of equal rows any will do
        if is_lost.any():
            graph.remove(numbers[is_lost])
            graph.add(numbers[is_lost], rows[is_lost], threads=1)
