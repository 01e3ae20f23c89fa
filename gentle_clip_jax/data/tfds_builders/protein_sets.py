"""Reader of proteins from a table, with the coordinates of their backbones if available."""

import functools
import pathlib
from typing import Any

import numpy as np

from gentle_clip_jax.data.tfds_builders.build import Contents, Item
from gentle_clip_jax.storage import reading

_UNKNOWN = -32768  # in coords.npz: a missing atom


def read_table(
    folder: pathlib.Path, *, table: str, id_column: str, split_column: str | None, backbone: bool
) -> Contents:
    """Read a .parquet file; the column of ids becomes `id`, the column of splits gives the splits.

    With `backbone`, coords.npz beside it gives the column `backbone`: N, CA and C of each residue,
    [length, 3, 3] in Angstrom, NaN for a missing atom.

    Raises:
      ValueError: a file is missing or damaged, or the two list different proteins.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(folder / table)
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder / table} cannot be read: {error}.") from error
    for column in {id_column, split_column} - {None, *rows.column_names}:
        raise ValueError(f"{folder / table} has no column {column}.")
    columns: dict[str, str | list[str]] = {"id": "text"}
    for field in rows.schema:
        if field.name not in (id_column, split_column):
            columns[field.name] = (
                ("truth" if pa.types.is_boolean(field.type) else "")
                or ("integer" if pa.types.is_integer(field.type) else "")
                or ("number" if pa.types.is_floating(field.type) else "text")
            )
    names, values = rows[id_column].to_pylist(), rows.to_pylist()
    chains = [None] * len(names)
    if backbone:
        columns["backbone"] = "backbone"
        chains = _read_backbones(folder / "coords.npz", names)
    splits: dict[str, list[Item]] = {}
    for name, row, chain in zip(names, values, chains, strict=True):
        split = row.pop(split_column) if split_column else ""
        del row[id_column]
        item = Item(name, functools.partial(_read, row, chain))
        splits.setdefault(split or "train", []).append(item)
    return Contents(columns, splits)


def _read(row: dict[str, Any], chain: np.ndarray | None) -> dict[str, Any]:
    if missing := [column for column, value in row.items() if value is None]:
        raise ValueError(f"has no {missing[0]}")
    if chain is None:
        return row
    backbone = np.where(chain == _UNKNOWN, np.float32(np.nan), chain.astype(np.float32) / 100)
    return {"backbone": backbone, **row}


def _read_backbones(path: pathlib.Path, names: list[str]) -> list[np.ndarray]:
    """Return coordinates int16 [length, 3, 3] of each protein, in 0.01 Angstrom."""
    try:
        arrays = reading.read_arrays(path)
        atoms, offsets, ids = arrays["bb"], arrays["offsets"], arrays["id"]
        if atoms.shape[1:] != (3, 3) or offsets.shape != (len(ids) + 1,):
            raise ValueError("the shapes of its arrays do not fit together")
        chains = np.split(atoms, offsets[1:-1])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} cannot be read: {error}.") from error
    if [*map(str, ids)] != names:
        raise ValueError(
            f"{path} and the table beside it list different proteins: copy both again."
        )
    return chains
