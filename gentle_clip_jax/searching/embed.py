"""`embed_files`: into the space of an aligner or a run, as a folder like that of encode."""

import importlib.metadata
import pathlib
from collections.abc import Callable, Iterator

import numpy as np

from gentle_clip_jax import reading
from gentle_clip_jax.features import folder as folders
from gentle_clip_jax.files import write_rows
from gentle_clip_jax.progress import track
from gentle_clip_jax.searching.opened import Opened

RANKED = "ranked.npy"
_BLOCK = 8192  # rows that are held at once
_PACKAGES = ("gentle-clip-jax", "jax", "jaxlib", "numpy")


def embed_files(
    aligner: Opened,
    embeddings: str | pathlib.Path,
    out: str | pathlib.Path,
    *,
    side: str,
) -> int:
    """Writes features.npy [n, k], unit rows of the joint space, rows.jsonl and manifest.json.

    Where the aligner draws rows of that side, ranked.npy [n, k] holds them as they are ranked. No
    more than 8,192 rows are held at once, so that a memory-mapped .npy may exceed the memory. The
    manifest, without which nothing reads the folder, is written last; what a call that was killed
    left there the next one replaces.

    Args:
      aligner: a fitted one, or a trained run.
      embeddings: raw features of one of its sides: a file, or a folder of `gentle-clip encode`; of
        a run raw items of x or y.
      out: a folder; what an earlier call left there is replaced. Of a run it is brought up to date:
        only what is new or changed is embedded.
      side: "x" or "y", whose they are.

    Returns:
      The number of rows.

    Raises:
      ValueError: the features or items are not of that side, or the folder holds something else.
      OSError: the folder cannot be written.
    """
    folder = pathlib.Path(out)
    if aligner.items.embed_into(folder, pathlib.Path(embeddings), side):
        return folders.read_manifest(folder)["num_rows"]
    given, _ = aligner.read(embeddings, side)
    folders.open_folder(folder, others=(RANKED,))
    count, names = len(given.ids), [folders.FEATURES, folders.ROWS]
    blocks = _blocks(folders.FEATURES, given.features, lambda rows: aligner.embed(side, rows))
    folders.write_contents(folder, count, "float32", blocks, given.lines())
    if aligner.draws(side):
        embedded = reading.map_array(folder / folders.FEATURES)
        blocks = _blocks(RANKED, embedded, lambda rows: aligner.draw(side, rows))
        write_rows(folder / RANKED, count, "float32", blocks)
        names.append(RANKED)
    arguments = given.manifest.get("arguments", {})
    manifest = {
        "arguments": {
            "aligner": str(aligner.path),
            "features": str(embeddings),
            "side": side,
            **{name: arguments.get(name) for name in ("data", "split")},
        },
        "aligner_sha256": aligner.sha256,
        "num_rows": count,
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }
    folders.write_manifest(folder, manifest, names)
    return count


def _blocks(
    name: str, given: np.ndarray, of: Callable[[np.ndarray], np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield what a function makes of rows [n, d], block by block, with the rows' numbers."""
    starts = track(range(0, len(given), _BLOCK), f"writing {name}")
    for start, rows in zip(starts, map(of, reading.blocks_of(given, _BLOCK))):
        yield np.arange(start, start + len(rows)), rows
