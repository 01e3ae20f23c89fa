"""`embed_files`: into the space of an aligner or a run, as a folder like that of encode."""

import importlib.metadata
import pathlib
from collections.abc import Callable, Iterator

import numpy as np

from gentle_clip_jax import reading
from gentle_clip_jax.aligning import Side
from gentle_clip_jax.data.embeddings import blocks_of
from gentle_clip_jax.files import (
    PART,
    read_record,
    sha256,
    write_json_lines,
    write_record,
    write_rows,
)
from gentle_clip_jax.progress import track
from gentle_clip_jax.searching.opened import open_aligner

RANKED = "ranked.npy"
_FEATURES, _ROWS, _MANIFEST = "features.npy", "rows.jsonl", "manifest.json"
_BLOCK = 8192  # rows that are held at once
_PACKAGES = ("gentle-clip-jax", "jax", "jaxlib", "numpy")
_COLUMNS = {"ids": "id", "splits": "split", "labels": "label", "texts": "text"}


def embed_files(
    aligner: str | pathlib.Path,
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
      aligner: a folder of `gentle-clip align`, or of a trained run.
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
    opened, folder = open_aligner(aligner), pathlib.Path(out)
    if opened.towers is not None:
        opened.towers.write(pathlib.Path(embeddings), side, folder)
        return read_record(folder / _MANIFEST)["num_rows"]
    given, _ = opened.read(embeddings, side)
    _open_folder(folder)
    write_json_lines(folder / _ROWS, _rows(given))
    count, names = len(given.rows.ids), [_FEATURES, _ROWS]
    _write(folder / _FEATURES, given.rows.features, lambda rows: opened.embed(side, rows))
    if opened.draws(side):
        embedded = reading.map_array(folder / _FEATURES)
        _write(folder / RANKED, embedded, lambda rows: opened.draw(side, rows))
        names.append(RANKED)
    arguments = given.manifest.get("arguments", {})
    manifest = {
        "arguments": {
            "aligner": str(aligner),
            "features": str(embeddings),
            "side": side,
            **{name: arguments.get(name) for name in ("data", "split")},
        },
        "aligner_sha256": opened.sha256,
        "num_rows": count,
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "sha256": {name: sha256(folder / name) for name in names},
    }
    write_record(folder / _MANIFEST, manifest)
    return count


def _write(path: pathlib.Path, given: np.ndarray, of: Callable[[np.ndarray], np.ndarray]) -> None:
    """Writes what a function makes of rows [n, d], block by block."""
    starts = track(range(0, len(given), _BLOCK), f"writing {path.name}")
    made = zip(starts, map(of, blocks_of(given, _BLOCK)))
    numbered = ((np.arange(start, start + len(rows)), rows) for start, rows in made)
    write_rows(path, len(given), "float32", numbered)


def _rows(given: Side) -> Iterator[dict[str, str]]:
    """What is known of each row."""
    found = {name: getattr(given.rows, key) for key, name in _COLUMNS.items()}
    columns = {name: values for name, values in found.items() if values is not None}
    return (dict(zip(columns, row)) for row in zip(*columns.values()))


def _open_folder(folder: pathlib.Path) -> None:
    """Makes the folder; its manifest, which says that all is there, comes last and goes first."""
    if folder.exists():
        there = (
            {path.name.removesuffix(PART) for path in folder.iterdir()} if folder.is_dir() else ()
        )
        is_ours = "arguments.json" not in there and (_MANIFEST in there or _ROWS in there)
        if not folder.is_dir() or (there and not is_ours):
            raise ValueError(f"{folder} holds something else: use another --out.")
    for name in (_MANIFEST, RANKED):
        (folder / name).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
