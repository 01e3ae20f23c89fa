"""`read`: a collection from a folder of features, or from a file of embeddings made elsewhere."""

import errno
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from gentle_clip_jax.data import metadata
from gentle_clip_jax.data.pairs import RowNumbers
from gentle_clip_jax.features import folder as folders
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.tables import READERS
from gentle_clip_jax.storage import reading
from gentle_clip_jax.storage.missing import MissingPath


def read(path: str | pathlib.Path) -> Collection:
    """Read a folder of features, such as `gentle-clip encode` writes, or a file of embeddings.

    .npy: one array [n, d]. .npz: the array `features`, `embeddings` or `embedding`, or its only one
    of two dimensions; `ids`, `splits`, `labels` and `texts` beside it if there are. .safetensors:
    as .npz, without those. .csv, .tsv, .xlsx, .jsonl: columns of numbers; `id`, `split`,
    `label` and `text` if there are; a first column without a name, with one that ends in id, or of
    texts, is that of the ids. .parquet: the column `features`, `embeddings` or `embedding` of
    lists, or the first of lists, or else all columns of numbers; the others as of .csv, and the
    index of pandas for ids.
    .h5ad: X, dense or sparse; the names of obs are the ids, and its columns `split`, `label` and
    `text` count. PATH:NAME reads another array or column of lists, or of .h5ad an entry of obsm or
    layers: cells.h5ad:X_pca. Rows without ids are numbered "0", "1", ..., by `RowNumbers`.

    Raises:
      ValueError: there is nothing to read there, it is altered or unfinished, it is no array
        [n, d], or rows are not finite.
    """
    given = pathlib.Path(path)
    (path, key), manifest = _split(given), {}
    if path.is_dir():
        arrays, manifest = _read_folder(path)
    elif not path.exists():
        raise MissingPath(path)
    elif path.suffix in READERS:
        try:
            reading.check_regular(path)
            arrays = READERS[path.suffix](path, key)
        except ModuleNotFoundError:
            raise
        except Exception as error:  # of several libraries: any kind
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise  # the disk's; a place before its beginning is the file's
            raise ValueError(f"The embeddings {path} cannot be read: {error}.") from error
    else:
        raise ValueError(
            f"{path} is no file of embeddings: give a folder that gentle-clip encode wrote, or a "
            f"file that ends in {', '.join(READERS)}."
        )
    features, ids, splits, labels, texts = _checked(path, arrays)
    return Collection(features, ids, splits, labels, texts, given, manifest)


def _split(path: pathlib.Path) -> tuple[pathlib.Path, str | None]:
    """Return the path of a file and the name of the array in it, if any: cells.h5ad:X_pca."""
    name, _, key = path.name.rpartition(":")
    if not key or path.exists() or pathlib.PurePath(name).suffix not in READERS:
        return path, None
    return path.with_name(name), key


def _read_folder(folder: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the columns of a folder, and its manifest."""
    if not folders.has_manifest(folder):
        raise ValueError(
            f"{folder} has no manifest.json: gentle-clip encode writes it when it has finished; "
            f"run it (again) with --out={folder}."
        )
    try:
        manifest = folders.read_manifest(folder)
        changed = folders.changed_file(folder, manifest)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{folder / folders.MANIFEST} is damaged, or was not written by gentle-clip encode: "
            f"run it (again) with --out={folder}."
        ) from error
    if changed is not None:
        raise ValueError(
            f"{changed} was altered since it was written: delete {folder} and run gentle-clip "
            "encode again."
        )
    rows = folders.read_rows(folder)
    names = ("id", "split", "label", "text")
    columns = {f"{name}s": [row.get(name) for row in rows] for name in names}
    if manifest.get("row_numbers"):
        del columns["ids"]
    return READERS[".npy"](folder / folders.FEATURES, None) | columns, manifest


def _checked(path: pathlib.Path, arrays: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the features, ids, splits, labels and texts of sound arrays."""
    features = arrays["features"]
    if features.ndim != 2 or not features.size:
        raise ValueError(
            f"The embeddings {path} must be an array [rows, dimensions] that is not empty; its "
            f"shape is {features.shape}."
        )
    if not np.issubdtype(features.dtype, np.floating):
        if not np.issubdtype(features.dtype, np.integer):
            raise ValueError(f"The embeddings {path} must be numbers, not {features.dtype}.")
        features = features.astype(np.float32)
    bad = _rows_not_finite(features)
    if len(bad):
        raise ValueError(
            f"The embeddings {path} have {len(bad)} rows with NaN or infinity, the first "
            f"{', '.join(map(str, bad[:5]))} (counted from 0): mend them or leave them out."
        )
    digits = len(str(len(features) - 1))  # NumPy's own choice is 21 letters for each
    numbers = np.arange(len(features)).astype(f"<U{digits}").view(RowNumbers)
    columns: dict[str, np.ndarray | None] = {"ids": numbers}
    for name in ("ids", "splits", "labels", "texts"):
        values = arrays.get(name)
        if values is None:
            continue
        # Of a list NumPy would make an array first, of texts all as long as the longest.
        is_row = isinstance(values, list) or np.ndim(values) == 1
        if is_row and all(value is None for value in values):
            continue
        if not is_row or len(values) != len(features):
            size = len(values) if is_row else np.size(values)
            raise ValueError(f"{path} has {len(features)} rows but {size} {name}.")
        # Texts are Python's own strings: NumPy's would all be as long as the longest.
        kind = object if name == "texts" else str
        texts = ["" if value is None else _text(path, value) for value in values]
        if name != "texts":
            for row, text in enumerate(texts):
                metadata.check_id(text, f"{path}, row {row} (counted from 0)")
        if name == "ids" and not all(map(str.strip, texts)):
            row = next(row for row, text in enumerate(texts) if not text.strip())
            raise ValueError(f"{path} has no id for row {row} (counted from 0): give it one.")
        columns[name] = np.array(texts, kind)
    return features, *(columns.get(name) for name in ("ids", "splits", "labels", "texts"))


def _text(path: pathlib.Path, value: Any) -> str:
    if not isinstance(value, bytes):
        return value if isinstance(value, str) else str(value)
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} has ids or labels of bytes that are not UTF-8: {value!r}."
        ) from error


def _rows_not_finite(features: np.ndarray) -> np.ndarray:
    bad = [~np.isfinite(rows).all(axis=1) for rows in reading.blocks_of(features, 8192)]
    return np.flatnonzero(np.concatenate(bad))
