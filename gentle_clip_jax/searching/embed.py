"""`embed`: embeddings of items in the shared space, as a collection on disk."""

import dataclasses
import importlib.metadata
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gentle_clip_jax.aligners.aligner import Aligner
from gentle_clip_jax.features import folder as folders
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.given import Given
from gentle_clip_jax.features.read import read
from gentle_clip_jax.searching.opened import Opened, opened_of
from gentle_clip_jax.searching.run_items import Run
from gentle_clip_jax.storage import reading
from gentle_clip_jax.storage.progress import track
from gentle_clip_jax.storage.writing import write_rows

RANKED = "ranked.npy"
_BLOCK = 8192  # rows in memory at once
_PACKAGES = ("gentle-clip-jax", "jax", "jaxlib", "numpy")


def embed(
    aligner: Opened | Aligner | Run | str | pathlib.Path,
    *,
    x: Given | None = None,
    y: Given | None = None,
    out: str | pathlib.Path | None = None,
) -> Collection:
    """Embed items of one modality in the shared space of an aligner.

    Args:
      aligner: what `align` or `restore` returned, or a folder that an aligner was saved in.
      x: items of x: a collection, a path that `read` takes, or features; for a run
        raw items.
      y: items of y instead.
      out: a folder for features.npy [n, k], rows.jsonl and manifest.json. If the aligner smooths
        this gallery, ranked.npy [n, k] has the smoothed rows. At most 8,192 rows are in memory at
        once. Results of an earlier call are replaced; a run embeds only new and changed items.

    Returns:
      The collection of the items, with unit rows of the shared space as features.

    Raises:
      ValueError: both or none of x and y are given, the features or items are not of that
        modality, or the folder has other content.
      OSError: the folder cannot be written.
    """
    if (x is None) == (y is None):
        raise ValueError("Give either x or y, the items to embed.")
    side, items = ("x", x) if y is None else ("y", y)
    assert items is not None  # one of both is given
    opened, folder = opened_of(aligner), out and pathlib.Path(out)
    if folder and isinstance(items, str | pathlib.Path):
        is_done = opened.items.embed_into(folder, pathlib.Path(items), side)
        if is_done:
            return read(folder)
    given, _ = opened.read(items, side)
    if folder:
        with folders.writing(folder, (RANKED,), timeout=0):
            _write_rows(opened, given, side, folder)
        return read(folder)
    rows = [opened.embed(side, block) for block in reading.blocks_of(given.features, _BLOCK)]
    manifest = _manifest(opened, given, side)
    return dataclasses.replace(given, features=np.concatenate(rows), path=None, manifest=manifest)


def _write_rows(opened: Opened, given: Collection, side: str, folder: pathlib.Path) -> None:
    """Write the collection; the manifest, without which it cannot be read, comes last."""
    count, names = len(given.ids), [folders.FEATURES, folders.ROWS]
    blocks = _blocks(folders.FEATURES, given.features, lambda rows: opened.embed(side, rows))
    folders.write_contents(folder, count, "float32", blocks, given.lines())
    if opened.draws(side):
        embedded = reading.map_array(folder / folders.FEATURES)
        blocks = _blocks(RANKED, embedded, lambda rows: opened.draw(side, rows))
        write_rows(folder / RANKED, count, "float32", blocks)
        names.append(RANKED)
    folders.write_manifest(folder, _manifest(opened, given, side), names)


def _manifest(opened: Opened, given: Collection, side: str) -> dict[str, Any]:
    arguments = given.manifest.get("arguments", {})
    return {
        "arguments": {
            "aligner": str(opened.path),
            "features": given.name,
            "side": side,
            **{name: arguments.get(name) for name in ("data", "split")},
        },
        "aligner_sha256": opened.sha256,
        "source_sha256": given.sha256,
        "num_rows": len(given.ids),
        "row_numbers": given.is_numbered,
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def _blocks(
    name: str, given: np.ndarray, of: Callable[[np.ndarray], np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the row numbers of each block of rows [n, d], and a function's result for it."""
    starts = track(range(0, len(given), _BLOCK), f"writing {name}")
    for start, rows in zip(starts, map(of, reading.blocks_of(given, _BLOCK))):
        yield np.arange(start, start + len(rows)), rows
