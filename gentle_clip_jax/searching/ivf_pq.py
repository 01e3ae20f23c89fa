"""IVF_PQ index by Lance: partitions of rows on disk, of which a search reads the nearest few.

Compressed rows (product quantisation) give candidates, which are then compared exactly.
"""

import math
import os
import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from gentle_clip_jax.storage import progress

# Of n rows there are sqrt(n) partitions, and 4 numbers of a row share a byte of its code. Chosen on
# other rows than those of docs/results/speed.md, for recall@10 of 0.98 and more at a million rows.
_SETTINGS: dict[str, Any] = {"sub_vector": 4, "nprobes": 128, "refine_factor": 20}
_FEWEST = 256  # rows, as many as a byte of a code has values: fewer are all compared
_FRAGMENT_BYTES = 2**27  # of rows that are in memory at once
_FOLDERS = {"data", "_indices", "_transactions", "_versions"}  # of a dataset
_CACHE_BYTES = 2**28  # of codes, and of what Lance knows of its files


class IvfPq:
    """Lance dataset of unit rows with its index.

    Args:
      path: a folder written by `build`.

    Raises:
      ValueError, OSError: the folder has no such dataset.
    """

    SUFFIX = "lance"

    def __init__(self, path: pathlib.Path):
        lance = _lance()
        cache = {f"{what}_cache_size_bytes": _CACHE_BYTES for what in ("index", "metadata")}
        self._path, self._dataset = path, lance.dataset(path, **cache)
        self._width = self._dataset.schema.field("vector").type.list_size

    def nearest(self, query: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
        """Return row numbers and cosines [num] of the approximately nearest rows to a unit row [k].

        Raises:
          ValueError: files of the dataset are missing.
        """
        vector = np.pad(query, (0, self._width - len(query)))
        asked = {"column": "vector", "q": vector, "k": num, "metric": "cosine"}
        asked |= {name: _SETTINGS[name] for name in ("nprobes", "refine_factor")}
        try:
            found = self._dataset.to_table(columns=["row", "_distance"], nearest=asked)
        except (OSError, ValueError) as error:
            gone = f"{self._path} was changed while it was searched: search again."
            raise ValueError(gone) from error
        rows, distances = (found[name].to_numpy() for name in ("row", "_distance"))
        order = np.lexsort((rows, distances))
        return rows[order], 1 - distances[order]

    @staticmethod
    def metadata() -> dict[str, Any]:
        """Return the settings and versions of `build`, for the manifest."""
        return {"settings": _SETTINGS, "versions": {"pylance": _lance().__version__}}

    @staticmethod
    def is_built(path: pathlib.Path) -> bool:
        """Return whether a path may be what `build` writes, whole or not."""
        return path.is_dir() and {inner.name for inner in path.iterdir()} <= _FOLDERS

    @staticmethod
    def build(path: pathlib.Path, blocks: Iterable[np.ndarray], num_rows: int) -> None:
        """Write a dataset from blocks [b, k] of unit rows, 128 MiB at a time, and its index.

        Raises:
          OSError: it cannot be written.
        """
        lance = _lance()
        try:
            # Lance would take the blocks from a thread of its own; progress and errors are of ours.
            for table in _tables(blocks):
                lance.write_dataset(table, path, mode="append")
            _partition(lance.dataset(path), num_rows)
        except (OSError, RuntimeError) as error:
            number = re.search(r"\(os error (\d+)\)", str(error))  # of the disk, say, if it is full
            if getattr(error, "errno", None) is None and number:
                raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
            raise


def _lance() -> Any:
    os.environ.setdefault("LANCE_LOG", "error")  # it warns of empty partitions, which do no harm
    import lance

    return lance


def _partition(dataset: Any, num_rows: int) -> None:
    if num_rows < _FEWEST:
        return
    width = dataset.schema.field("vector").type.list_size
    numbers = {"num_partitions": math.isqrt(num_rows)}
    numbers["num_sub_vectors"] = width // _SETTINGS["sub_vector"]
    with progress.working("partitioning"):
        dataset.create_index("vector", "IVF_PQ", metric="cosine", **numbers)


def _tables(blocks: Iterable[np.ndarray]) -> Iterator[Any]:
    """Yield tables of numbered rows, 128 MiB each, padded with zeros to whole codes."""
    import pyarrow

    number, tables = 0, []
    for block in blocks:
        lacking = -block.shape[1] % _SETTINGS["sub_vector"]
        vectors = np.pad(np.asarray(block, np.float32), ((0, 0), (0, lacking)))
        columns = {
            "row": np.arange(number, number + len(block)),
            "vector": pyarrow.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1]),
        }
        tables.append(pyarrow.table(columns))
        number += len(block)
        if sum(table.nbytes for table in tables) >= _FRAGMENT_BYTES:
            yield pyarrow.concat_tables(tables)
            tables = []
    if tables:
        yield pyarrow.concat_tables(tables)
