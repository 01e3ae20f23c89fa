"""Index of a gallery: its embedded rows, or a compressed form of them, read from the disk."""

import contextlib
import pathlib
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.searching.exact import check_num
from gentle_clip_jax.searching.ivf_pq import IvfPq
from gentle_clip_jax.searching.mapped_rows import MappedRows
from gentle_clip_jax.storage import owned
from gentle_clip_jax.storage.digests import sha256
from gentle_clip_jax.storage.records import read_record

MANIFEST, KIND = "manifest.json", "index"
_PART = re.compile(r"(rows|ranked)-[0-9a-f]{16}\.(npy|lance)")
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

        Raises:
          ValueError: num is not 1 or more.
        """
        check_num(num)
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
    """Build and write an index; the manifest, which names its files, comes last.

    Until then an earlier index stays as it is.

    Args:
      engine: one of `ENGINES`.
      built_from: digests of the gallery and the aligner, which `open_index` compares.
      rows: blocks [b, k] of unit rows.
      ranked: blocks of the smoothed rows, if the aligner smooths the gallery.
      num_rows: number of rows in all.

    Raises:
      ValueError: there is no such engine, or the folder holds something else, even if it is named
        like a part of an index.
      ModuleNotFoundError: the engine is not installed.
    """
    if engine not in ENGINES:
        raise ValueError(f"There is no engine {engine!r}: take one of {', '.join(ENGINES)}.")
    metadata = ENGINES[engine].metadata()  # before anything is touched: it may not be installed
    for path in _parts(folder) if folder.is_dir() else ():
        (kind,) = (one for one in ENGINES.values() if path.suffix == f".{one.SUFFIX}")
        if path.is_symlink() or not kind.is_built(path):
            raise ValueError(f"{path} is named like a part of an index but is none: move it away.")
    with owned.writing(folder, MANIFEST, KIND, timeout=0) as finish:
        _remove_all_but(folder, _named(folder))  # what a killed writer has left
        token, parts = secrets.token_hex(8), {}
        try:
            for name, blocks in (("rows", rows), ("ranked", ranked)):
                if blocks is not None:
                    parts[name] = f"{name}-{token}.{ENGINES[engine].SUFFIX}"
                    ENGINES[engine].build(folder / parts[name], blocks, num_rows)
            manifest = {"engine": engine, "built_from": built_from, **metadata}
            finish({**manifest, "parts": parts, "sha256": _digests(folder, parts)})
        finally:
            _remove_all_but(folder, _named(folder))


def _named(folder: pathlib.Path) -> set[str]:
    """Return the names of the files of the index that is in force."""
    with contextlib.suppress(OSError, ValueError, LookupError, AttributeError):
        return {*read_record(folder / MANIFEST)["parts"].values()}
    return set()


def _parts(folder: pathlib.Path) -> list[pathlib.Path]:
    """Return the paths in a folder that are named like parts of an index."""
    return [path for path in folder.iterdir() if _PART.fullmatch(path.name)]


def _remove_all_but(folder: pathlib.Path, names: set[str]) -> None:
    """Remove parts of other indexes; a search that reads them has them open."""
    for path in _parts(folder):
        if path.name not in names:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def open_index(folder: pathlib.Path, built_from: dict[str, Any]) -> Index:
    """Open the index in a folder; searches read it from disk.

    Raises:
      ValueError: it is incomplete, damaged or built from something else, or its engine is not
        installed; the message does not name the folder.
    """
    try:
        manifest = read_record(folder / MANIFEST)
        engine, names = manifest["engine"], manifest["parts"]
        digests, is_same = manifest["sha256"], manifest["built_from"] == built_from
    except (OSError, ValueError, LookupError, AttributeError) as error:
        raise ValueError(_DAMAGED) from error
    if not is_same:
        raise ValueError("it has other items or another aligner: run gentle-clip index again")
    try:
        if not all(map(_PART.fullmatch, names.values())) or _digests(folder, names) != digests:
            raise ValueError("checksum mismatch: the file changed after it was written")
        return Index(**{name: ENGINES[engine](folder / path) for name, path in names.items()})
    except ModuleNotFoundError as error:
        install = f'pip install "gentle-clip-jax[{engine}]"'
        raise ValueError(f"it needs {engine}: run {install}") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(_DAMAGED) from error


def _digests(folder: pathlib.Path, parts: Mapping[str, str]) -> dict[str, str]:
    """Return the SHA-256 of every file of the parts; an extra one is as wrong as a missing one."""
    files = [
        path
        for part in (folder / name for name in parts.values())
        for path in ([part] if part.is_file() else sorted(part.rglob("*")))
        if path.is_file()
    ]
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}
