"""Readers for the file formats that embeddings come in: arrays and columns by name.

A reader takes a path and the name of the array to use, None for the one that is meant by default.
"""

import array
import itertools
import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from gentle_clip_jax.storage import reading
from gentle_clip_jax.storage.columns import decimal_point
from gentle_clip_jax.storage.tables import SUFFIXES, read_table

_FEATURES = ("features", "embeddings", "embedding")
_METADATA = ("id", "split", "label", "text")  # columns of a table that are no features


def _read_npy(path: pathlib.Path, key: str | None) -> dict[str, Any]:
    _no_key(key)
    return {"features": reading.map_array(path)}


def _read_safetensors(path: pathlib.Path, key: str | None) -> dict[str, Any]:
    from safetensors.numpy import load_file

    reading.check_size(path.stat().st_size)
    return _named(load_file(path), key)


def _read_parquet(path: pathlib.Path, key: str | None) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path)
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    reading.check_size(sum(group.total_byte_size for group in groups))
    table = pq.read_table(path)
    ids = "id" if "id" in table.column_names else _pandas_index(table.schema)
    rest = [field for field in table.schema if field.name not in (*_METADATA, ids)]
    names = {f"{name}s": name for name in _METADATA} | {"ids": ids}
    columns = {k: table[n].to_pylist() for k, n in names.items() if n in table.column_names}
    lists = [field.name for field in rest if _is_list(field.type)]
    chosen = _chosen(lists, key) if key or lists else None
    if chosen:
        return columns | {"features": _stacked(chosen, table[chosen].to_numpy())}
    numbers = [
        table[field.name].to_numpy()
        for field in rest
        if pa.types.is_floating(field.type) or pa.types.is_integer(field.type)
    ]
    if not numbers:
        raise ValueError(f"it has no column {', '.join(_FEATURES)} and none of numbers")
    return columns | {"features": np.stack(numbers, axis=1)}


def _pandas_index(schema: Any) -> str | None:
    """Return the index column of a pandas table, if it is more than row numbers."""
    columns = (schema.pandas_metadata or {}).get("index_columns", [])
    return next((name for name in columns if isinstance(name, str)), None)


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    return types.is_list(kind) or types.is_fixed_size_list(kind) or types.is_large_list(kind)


def _stacked(column: str, lists: np.ndarray) -> np.ndarray:
    sizes = {len(row) if row is not None else 0 for row in lists}
    if len(sizes) > 1:
        raise ValueError(f"the lists of {column} have {min(sizes)} to {max(sizes)} numbers")
    return np.stack(lists.tolist())


def _read_table(path: pathlib.Path, key: str | None) -> dict[str, Any]:
    """Read a table with a heading, or of numbers only; cells become float64."""
    _no_key(key)
    table = read_table(path)
    top = [*itertools.islice(table.rows, 2)]
    first = [str(cell).strip() for cell in top[0][1]] if top else []
    heading = first if _is_heading(first) else []
    column_of = _columns_of(heading, top[-1][1] if top else [])
    numbers = [column for column in range(len(first)) if column not in column_of.values()]
    values = array.array("d")
    columns: dict[str, list[Any]] = {name: [] for name in column_of}
    rows = itertools.chain(top[bool(heading) :], table.rows)
    first_row = top[-1][1] if top else []
    decimal = decimal_point(table.delimiter, [first_row[k] for k in numbers if k < len(first_row)])
    for line, cells in rows:
        if len(cells) != len(first):
            raise ValueError(f"line {line} has {len(cells)} cells, the first {len(first)}")
        texts = [decimal(str(cells[column])) for column in numbers]
        try:
            values.extend(map(float, texts))
            bad = next((k for k, text in zip(numbers, texts) if "_" in text), None)
        except ValueError:
            bad = next(k for k, text in zip(numbers, texts) if not _is_number(text))
        if bad is not None:  # Python's numbers may have _, and ids do
            raise ValueError(
                f"line {line}, column {heading[bad] if heading else bad + 1} holds "
                f"{str(cells[bad])[:40]!r}, which is no number"
            )
        for name, column in column_of.items():
            columns[name].append(cells[column])
    return {"features": np.asarray(values).reshape(-1, max(1, len(numbers))), **columns}


def _columns_of(heading: list[str], second: list[Any]) -> dict[str, int]:
    """Return the columns of ids, splits, labels and texts in a table, by its first two lines.

    Ids are the column "id", or else the first if it has no name, as an index has none, its name
    ends in id, or it is a text.
    """
    for name in _METADATA:
        if heading.count(name) > 1:
            raise ValueError(f"{heading.count(name)} columns are called {name}")
    columns = {f"{name}s": heading.index(name) for name in _METADATA if name in heading}
    others = {column for name, column in columns.items() if name != "texts"}  # those may be ids too
    if heading and "ids" not in columns and 0 not in others:
        name = heading[0].lower()
        if not name or name.endswith("id") or not _is_number(str(second[0])):
            columns["ids"] = 0
    return columns


def _is_heading(cells: list[str]) -> bool:
    """Return whether a first line names columns; pandas calls unnamed ones 0, 1, 2, ..."""
    return not all(map(_is_number, cells)) or cells == [str(n) for n in range(len(cells))]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text  # Python's numbers may have it, and ids do


def _read_h5ad(path: pathlib.Path, key: str | None) -> dict[str, Any]:
    """Read X, or the array that `key` names in obsm or layers; the names of obs are the ids."""
    import anndata.io
    import h5py

    read = cast("Callable[[Any], Any]", anndata.io.read_elem)
    with h5py.File(path, "r") as file:
        arrays: dict[str, Any] = {"X": file["X"]} if "X" in file else {}
        for group in ("obsm", "layers"):
            arrays |= file.get(group, {})  # pyright: ignore
        shapes = {
            name: one.attrs.get("shape", getattr(one, "shape", None))
            for name, one in arrays.items()
        }
        chosen = _chosen([name for name, shape in shapes.items() if shape is not None], key or "X")
        reading.check_size(math.prod(map(int, shapes[chosen])) * np.dtype(np.float64).itemsize)
        features, obs = read(arrays[chosen]), read(file["obs"])
    if hasattr(features, "toarray"):
        features.check_format(full_check=True)  # SciPy would write where a wrong index points to
        features = features.toarray()
    ids = obs.index
    if not ids.is_unique:
        twice = ids[ids.duplicated()][0]
        raise ValueError(
            f"two rows of obs are called {twice!r}: call AnnData.obs_names_make_unique and save it"
        )
    metadata = {
        f"{name}s": [value if value == value else None for value in obs[name].astype(object)]
        for name in _METADATA[1:]
        if name in obs
    }
    return {"features": np.asarray(features), "ids": ids.tolist(), **metadata}


def _named(arrays: Mapping[str, np.ndarray], key: str | None) -> dict[str, Any]:
    """Return the features among several arrays, and the ids or metadata of their rows."""
    rest = {f"{name}s": arrays[f"{name}s"] for name in _METADATA if f"{name}s" in arrays}
    others = [name for name in arrays if name not in rest]
    if key is None and not any(name in arrays for name in _FEATURES):
        matrices = [name for name in others if arrays[name].ndim == 2]
        if len(matrices) != 1:
            raise ValueError(
                f"it has {len(matrices)} arrays of two dimensions; name the one to use 'features'"
            )
        key = matrices[0]
    return {"features": arrays[_chosen(others, key)], **rest}


def _chosen(names: list[str], key: str | None) -> str:
    """Return the requested name, or else the usual name of features."""
    if key is None:
        key = next((name for name in _FEATURES if name in names), names[0])
    if key not in names:
        raise ValueError(f"it has no {key}: it has {', '.join(names) or 'none that can be named'}")
    return key


def _no_key(key: str | None) -> None:
    if key is not None:
        raise ValueError(f"nothing in it is named: leave out :{key}")


READERS = {
    ".npy": _read_npy,
    ".npz": lambda path, key: _named(reading.read_arrays(path), key),
    **dict.fromkeys(SUFFIXES, _read_table),
    ".h5ad": _read_h5ad,
    ".parquet": _read_parquet,
    ".safetensors": _read_safetensors,
}
