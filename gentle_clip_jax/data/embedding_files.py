"""One reader for each kind of file that embeddings come in: its arrays and columns by name."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from gentle_clip_jax import reading

_FEATURES = ("features", "embeddings", "embedding")


def _read_npy(path: pathlib.Path) -> dict[str, Any]:
    return {"features": np.lib.format.open_memmap(path, mode="r")}


def _read_npz(path: pathlib.Path) -> dict[str, Any]:
    # NumPy leaves a file open that it cannot read.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        if not isinstance(arrays, np.lib.npyio.NpzFile):
            raise ValueError("it is no .npz file")
        members = arrays.zip.infolist() if arrays.zip else []
        reading.check_size(sum(member.file_size for member in members))
        return _named(dict(arrays))


def _read_safetensors(path: pathlib.Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    reading.check_size(path.stat().st_size)
    return _named(load_file(path))


def _read_parquet(path: pathlib.Path) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    about = pq.read_metadata(path)
    groups = (about.row_group(number) for number in range(about.num_row_groups))
    reading.check_size(sum(group.total_byte_size for group in groups))
    table = pq.read_table(path)
    columns = {
        f"{name}s": table[name].to_pylist()
        for name in ("id", "split", "label")
        if name in table.column_names
    }
    lists = next((name for name in _FEATURES if name in table.column_names), None)
    if lists:
        return columns | {"features": np.stack(table[lists].to_numpy())}
    numbers = [
        table[field.name].to_numpy()
        for field in table.schema
        if field.name not in ("id", "split", "label")
        and (pa.types.is_floating(field.type) or pa.types.is_integer(field.type))
    ]
    if not numbers:
        raise ValueError(f"it has no column {', '.join(_FEATURES)} and none of numbers")
    return columns | {"features": np.stack(numbers, axis=1)}


def _named(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The features among several arrays, and what says which row is which."""
    matrices = [name for name, array in arrays.items() if array.ndim == 2]
    name = next((name for name in _FEATURES if name in arrays), None)
    if name is None and len(matrices) != 1:
        raise ValueError(
            f"it has {len(matrices)} arrays of two dimensions; name the one to use 'features'"
        )
    rest = {name: arrays[name] for name in ("ids", "splits", "labels") if name in arrays}
    return {"features": arrays[name or matrices[0]], **rest}


READERS = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".parquet": _read_parquet,
    ".safetensors": _read_safetensors,
}
