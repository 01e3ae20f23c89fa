"""An approximate index of a gallery, by usearch: HNSW graphs that search reads from the disk."""

import importlib.metadata
import pathlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax import extras
from gentle_clip_jax.files import read_record, sha256, write_record
from gentle_clip_jax.parallel.cores import count_cores
from gentle_clip_jax.progress import track

MANIFEST, ROWS, RANKED = "manifest.json", "rows.usearch", "ranked.usearch"
# More links of a row, and more of them tried, than usearch's own 16, 128 and 64: recall@10 of 0.98
# and more at a million rows (docs/results/search.md).
_SETTINGS: dict[str, Any] = {"connectivity": 32, "expansion_add": 128, "expansion_search": 256}


class Index(NamedTuple):
    """Graphs over the rows of a gallery: as they are, and as they are ranked (the same if None)."""

    rows: Any
    ranked: Any

    def nearest(
        self, query: np.ndarray, num: int, *, ranked: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Nearly what `exact.nearest` finds, in far less time.

        Args:
          query: [1, k] a unit row.
          num: how many; a graph may find fewer.
          ranked: whether it is of the other side than the gallery.

        Returns:
          Rows [1, num] int and cosines [1, num].
        """
        graph = self.ranked if ranked and self.ranked is not None else self.rows
        found = graph.search(np.asarray(query[0], np.float32), min(num, len(graph)))
        return found.keys[None].astype(int), 1 - found.distances[None]


def index_of(gallery: pathlib.Path) -> pathlib.Path:
    """Where the index of a gallery lies: beside it."""
    path = gallery if gallery.name not in ("", "..") else gallery.resolve()
    return path.with_name(path.name + ".index")


def write_index(
    folder: pathlib.Path,
    built_from: dict[str, Any],
    rows: Iterable[np.ndarray],
    ranked: Iterable[np.ndarray] | None,
    *,
    num_blocks: int,
) -> None:
    """Builds and writes the graphs; the manifest, which says that all is there, comes last.

    Args:
      built_from: what the index must be opened with.
      rows: blocks [b, k] of unit rows.
      ranked: the same as they are ranked, if they differ.
      num_blocks: how many blocks either has.
    """
    folder.mkdir(exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    digests = {}
    parts = ((ROWS, rows, "indexing"), (RANKED, ranked, "indexing as ranked"))
    for name, blocks, what in parts:
        (folder / name).unlink(missing_ok=True)  # another search may read it still
        if blocks is not None:
            _graph_of(track(blocks, what, num_blocks)).save(str(folder / name))
            digests[name] = sha256(folder / name)
    manifest = {"built_from": built_from, "settings": _SETTINGS, "sha256": digests}
    manifest["versions"] = {"usearch": importlib.metadata.version("usearch")}
    write_record(folder / MANIFEST, manifest)


def _graph_of(blocks: Iterable[np.ndarray]) -> Any:
    from usearch.index import Index as Graph

    graph, number = None, 0
    for block in blocks:
        if graph is None:
            graph = Graph(ndim=block.shape[1], metric="ip", dtype="f32", **_SETTINGS)
        numbers = np.arange(number, number + len(block))
        graph.add(numbers, np.asarray(block, np.float32), threads=count_cores())
        number += len(block)
    return graph


def open_index(folder: pathlib.Path, built_from: dict[str, Any]) -> Index:
    """The index in a folder, read from the disk as it is searched.

    Raises:
      ValueError: it is unfinished, damaged or of something else, or there is no usearch; says so
        without the folder.
    """
    try:
        manifest = read_record(folder / MANIFEST)
        graphs = {
            name: _opened(folder / name, digest) for name, digest in manifest["sha256"].items()
        }
        same = manifest["built_from"] == built_from
    except ModuleNotFoundError as error:
        raise ValueError(f"it needs usearch: run {extras.install('index')}") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError("it is unfinished or damaged: run gentle-clip index again") from error
    if not same:
        raise ValueError("it is of other items or another aligner: run gentle-clip index again")
    return Index(graphs[ROWS], graphs.get(RANKED))


def _opened(path: pathlib.Path, digest: str) -> Any:
    from usearch.index import Index as Graph

    if sha256(path) != digest:
        raise ValueError("it is not as it was written")
    graph = Graph.restore(str(path), view=True)
    if graph is None:
        raise ValueError("it is no index")
    graph.expansion_search = _SETTINGS["expansion_search"]  # is not kept in the file
    return graph
