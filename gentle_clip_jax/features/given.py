"""Collections from whatever a caller has: a path, a collection, or bare arrays."""

import os
import pathlib

import numpy as np
from numpy.typing import ArrayLike

from gentle_clip_jax.data import images, metadata
from gentle_clip_jax.data.pairs import RowNumbers
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.read import read

Given = Collection | str | os.PathLike | ArrayLike
_MOST_LETTERS = 60  # of the name of a modality


def collection_of(given: Given) -> Collection:
    """Return a collection as it is, what is at a path, or numbered items of an array.

    Args:
      given: a collection; a path, see `read`; or features [n, d] of n items, or [n, k, d] with k
        rows for each, whose ids are their numbers "0", "1", ...

    Raises:
      ValueError: `read` does, or the array has another shape or holds numbers that are not finite.
    """
    if isinstance(given, Collection):
        return given
    if isinstance(given, str | os.PathLike):
        return read(pathlib.Path(given))
    rows = np.asarray(given)
    if rows.ndim not in (2, 3) or not rows.size or rows.dtype.kind not in "fiub":
        raise ValueError(
            "Features must be numbers [items, features] or [items, rows of an item, features], not "
            f"{rows.dtype} of shape {rows.shape}."
        )
    if rows.dtype.kind != "f":
        rows = rows.astype(np.float64)
    if not np.isfinite(rows).all():
        raise ValueError("Features hold numbers that are not finite: leave those items out.")
    several = rows.shape[1] if rows.ndim == 3 else 1
    ids = np.repeat(np.arange(len(rows)).astype(str), several).view(RowNumbers)
    return Collection(rows.reshape(-1, rows.shape[-1]), ids)


def files_of(collection: Collection) -> list[str]:
    """Return the path of each item's file below the folder that was encoded, "" without one."""
    folder = collection.data
    if folder is None or not folder.is_dir():
        return [""] * len(collection.items)
    endings = images.SUFFIXES if collection.texts is None else (".txt",)
    names = (metadata.printable(file) for file in metadata.files_below(folder))
    files = {
        metadata.name_key(os.path.splitext(name)[0]): name
        for name in names
        if name.lower().endswith(endings)
    }
    return [files.get(metadata.name_key(id_), "") for id_ in collection.items.tolist()]


def modalities_of(
    x: Collection, y: Collection, names: tuple[str | None, str | None] = (None, None)
) -> tuple[str, str]:
    """Return the names of the modalities, for pages and sentences.

    Args:
      names: as the caller gives them. Without them they are those of the files or folders if these
        differ and are short, or else x and y.

    Raises:
      ValueError: both are called the same, or one has more than 60 letters.
    """
    x_name, y_name = _stem(x), _stem(y)
    is_short = 0 < len(x_name) <= _MOST_LETTERS and 0 < len(y_name) <= _MOST_LETTERS
    if x_name == y_name or not is_short:
        x_name, y_name = "x", "y"
    chosen = [
        name.encode("utf-8", "replace").decode()
        for name in (names[0] or x_name, names[1] or y_name)
    ]
    if longest := next((name for name in chosen if len(name) > _MOST_LETTERS), None):
        raise ValueError(
            f"The name {longest[:40]!r}... has {len(longest)} letters: give one of {_MOST_LETTERS} "
            "at most."
        )
    if chosen[0] == chosen[1]:
        raise ValueError(
            f"Both modalities are called {chosen[0]}: give another --x-name or --y-name."
        )
    return chosen[0], chosen[1]


def _stem(collection: Collection) -> str:
    """Return the name of a folder or file, without an ending."""
    if collection.path is None:
        return ""
    full = collection.path.resolve()
    return full.name if full.is_dir() else full.stem
