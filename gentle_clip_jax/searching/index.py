"""Index of a gallery: its embedded rows, or a compressed form of them, read from the disk."""

import pathlib
import shutil
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.searching.ivf_pq import IvfPq
from gentle_clip_jax.searching.mapped_rows import MappedRows
from gentle_clip_jax.storage.digests import sha256
from gentle_clip_jax.storage.records import read_record, write_record

MANIFEST = "manifest.json"
_DAMAGED = "it is incomplete or damaged: run gentle-clip index again"
ENGINES: dict[str, type[MappedRows] | type[IvfPq]] = {"exact": MappedRows, "lance": IvfPq}


class Index(NamedTuple):
    """Index of a gallery: its embedded rows, and its smoothed rows if the aligner smooths it."""

    rows: MappedRows | IvfPq
    ranked: MappedRows | IvfPq | None = None

    def nearest(
        self, query: np.ndarray, num: int, *, ranked: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the nearest rows as `exact.nearest` does; approximately with Lance.

        Args:
          query: [1, k] a unit row.
          num: number of results; an approximate index may find fewer.
          ranked: whether the query is of the other modality, which searches the smoothed rows.

        Returns:
          Rows [1, num] int and cosines [1, num].
        """
        part = self.ranked if ranked and self.ranked is not None else self.rows
        rows, cosines = part.nearest(np.asarray(query[0], np.float32), num)
        return rows[None], cosines[None]


def index_of(gallery: pathlib.Path) -> pathlib.Path:
    """Return the path of a gallery's index, which is beside it."""
    path = gallery if gallery.name not in ("", "..") else gallery.resolve()
    return path.with_name(path.name + ".index")


def write_index(
    folder: pathlib.Path,
    engine: str,
    built_from: dict[str, Any],
    rows: Iterable[np.ndarray],
    ranked: Iterable[np.ndarray] | None,
    *,
    num_rows: int,
) -> None:
    """Build and write an index; the manifest, which marks it as complete, comes last.

    Args:
      engine: one of `ENGINES`.
      built_from: digests of the gallery and the aligner, which `open_index` compares.
      rows: blocks [b, k] of unit rows.
      ranked: blocks of the smoothed rows, if the aligner smooths the gallery.
      num_rows: number of rows in all.

    Raises:
      ValueError: there is no such engine.
      ModuleNotFoundError: the engine is not installed.
    """
    if engine not in ENGINES:
        raise ValueError(f"There is no engine {engine!r}: take one of {', '.join(ENGINES)}.")
    about = ENGINES[engine].about()  # before anything is touched: it may not be installed
    folder.mkdir(exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    for name in ENGINES:
        for path in _parts(folder, name):  # files that another search reads are gone when it ends
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for path, blocks in zip(_parts(folder, engine), (rows, ranked)):
        if blocks is not None:
            ENGINES[engine].build(path, blocks, num_rows)
    manifest = {"engine": engine, "built_from": built_from, **about}
    write_record(folder / MANIFEST, manifest | {"sha256": _digests(folder, engine)})


def open_index(folder: pathlib.Path, built_from: dict[str, Any]) -> Index:
    """Open the index in a folder; searches read it from disk.

    Raises:
      ValueError: it is incomplete, damaged or built from something else, or its engine is not
        installed; the message does not name the folder.
    """
    try:
        manifest = read_record(folder / MANIFEST)
        engine = manifest["engine"]
        digests, is_same = manifest["sha256"], manifest["built_from"] == built_from
    except (OSError, ValueError, LookupError, AttributeError) as error:
        raise ValueError(_DAMAGED) from error
    if not is_same:
        raise ValueError("it has other items or another aligner: run gentle-clip index again")
    try:
        if _digests(folder, engine) != digests:
            raise ValueError("checksum mismatch: the file changed after it was written")
        parts = [ENGINES[engine](path) for path in _parts(folder, engine) if path.exists()]
        return Index(*parts)
    except ModuleNotFoundError as error:
        install = f'pip install "gentle-clip-jax[{engine}]"'
        raise ValueError(f"it needs {engine}: run {install}") from error
    except (OSError, ValueError, LookupError, TypeError, RuntimeError) as error:
        raise ValueError(_DAMAGED) from error


def _parts(folder: pathlib.Path, engine: str) -> list[pathlib.Path]:
    """Return the paths, files or folders, of an engine's rows and smoothed rows."""
    return [folder / f"{name}.{ENGINES[engine].SUFFIX}" for name in ("rows", "ranked")]


def _digests(folder: pathlib.Path, engine: str) -> dict[str, str]:
    """Return the SHA-256 of every file of an engine; an extra file is as wrong as a missing one."""
    files = [
        path
        for part in _parts(folder, engine)
        for path in ([part] if part.is_file() else sorted(part.rglob("*")))
        if path.is_file()
    ]
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}
