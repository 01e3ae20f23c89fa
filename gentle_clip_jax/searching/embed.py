"""`embed_files`: into the space of an aligner or a run, as a folder like that of encode."""

import importlib.metadata
import pathlib

import numpy as np

from gentle_clip_jax.files import (
    read_record,
    sha256,
    write_array,
    write_json_lines,
    write_record,
)
from gentle_clip_jax.progress import track
from gentle_clip_jax.searching.opened import open_aligner

RANKED = "ranked.npy"
_BLOCK = 8192
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

    Where the aligner draws rows of that side, ranked.npy [n, k] holds them as they are ranked.

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
        return read_record(folder / "manifest.json")["num_rows"]
    given, _ = opened.read(embeddings, side)
    features = given.rows.features
    blocks = [
        opened.embed(side, features[start : start + _BLOCK])
        for start in track(range(0, len(features), _BLOCK), "embedding blocks of rows")
    ]
    _open_folder(folder)
    embedded = np.concatenate(blocks)
    write_array(folder / "features.npy", embedded)
    names = ["features.npy", "rows.jsonl"]
    if opened.draws(side):
        write_array(folder / RANKED, opened.draw(side, embedded))
        names.append(RANKED)
    columns = {
        name: values.tolist()
        for key, name in _COLUMNS.items()
        if (values := getattr(given.rows, key)) is not None
    }
    rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
    write_json_lines(folder / "rows.jsonl", rows)
    arguments = given.manifest.get("arguments", {})
    manifest = {
        "arguments": {
            "aligner": str(aligner),
            "features": str(embeddings),
            "side": side,
            **{name: arguments.get(name) for name in ("data", "split")},
        },
        "aligner_sha256": opened.sha256,
        "num_rows": len(rows),
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "sha256": {name: sha256(folder / name) for name in names},
    }
    write_record(folder / "manifest.json", manifest)
    return len(rows)


def _open_folder(folder: pathlib.Path) -> None:
    """Makes the folder; its manifest, which says that all is there, comes last and goes first."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if not (folder / "manifest.json").exists() or (folder / "arguments.json").exists():
            raise ValueError(f"{folder} holds something else: use another --out.")
        (folder / "manifest.json").unlink()
        (folder / RANKED).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
