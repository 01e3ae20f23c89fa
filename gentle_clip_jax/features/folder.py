"""A folder of features: features.npy [n, d], rows.jsonl with a line for each row, manifest.json.

The manifest holds the SHA-256 of the other files, and states that the folder is one of features. It
is written last and removed first, so that a folder with a manifest is whole.
"""

import contextlib
import json
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gentle_clip_jax.storage import locks, owned, reading
from gentle_clip_jax.storage.digests import sha256
from gentle_clip_jax.storage.records import unchecked
from gentle_clip_jax.storage.writing import write_json_lines, write_rows

FEATURES, ROWS, MANIFEST = "features.npy", "rows.jsonl", "manifest.json"
KIND = "features"

Blocks = Iterable[tuple[np.ndarray, np.ndarray]]  # numbers [k] of rows, and these rows [k, d]


def has_manifest(folder: pathlib.Path) -> bool:
    """Return whether a folder of features exists and is complete."""
    return (folder / MANIFEST).exists()


def read_manifest(folder: pathlib.Path) -> dict[str, Any]:
    """Read what a folder says of its features; `changed_file` checks its other files.

    Raises:
      ValueError: the manifest is missing or damaged, or the file changed after it was written.
    """
    return unchecked(reading.read_json(folder / MANIFEST))


def changed_file(folder: pathlib.Path, manifest: Mapping[str, Any]) -> pathlib.Path | None:
    """Return the first file that is missing or not as the manifest has it, None if all are.

    Raises:
      KeyError, TypeError: the manifest has no such digests.
    """
    digests = {name: manifest["sha256"][name] for name in (FEATURES, ROWS)}
    for name, digest in digests.items():
        if not (folder / name).is_file() or sha256(folder / name) != digest:
            return folder / name
    return None


def read_rows(folder: pathlib.Path) -> list[dict[str, Any]]:
    """Read the lines of rows.jsonl: the id, split, label and text of each row."""
    with (folder / ROWS).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@contextlib.contextmanager
def writing(
    folder: pathlib.Path, others: Sequence[str] = (), *, timeout: float = locks.WAIT
) -> Iterator[None]:
    """Lock a folder to write features, and remove its manifest and the files `others`.

    Raises:
      ValueError: it is not missing, empty, or of features that `encode` has not made; what it holds
        stays untouched. Or another process writes to it.
    """
    if (folder / "arguments.json").exists():
        raise ValueError(f"{folder} holds something else: use another folder, or move it away.")
    with owned.writing(folder, MANIFEST, KIND, remove=(MANIFEST, *others), timeout=timeout):
        yield


def write_contents(
    folder: pathlib.Path,
    count: int,
    dtype: str,
    blocks: Blocks,
    rows: Iterable[Mapping[str, Any]],
) -> None:
    """Write a line for each of `count` rows, and their features; no manifest says so yet.

    Args:
      blocks: all rows once, with one block in memory at a time.
      rows: the id, split, label and text of each.
    """
    (folder / MANIFEST).unlink(missing_ok=True)
    write_json_lines(folder / ROWS, rows)
    write_rows(folder / FEATURES, count, dtype, blocks)


def write_manifest(
    folder: pathlib.Path, manifest: Mapping[str, Any], names: Sequence[str] = (FEATURES, ROWS)
) -> None:
    """Write the manifest with the digests of the files beside it; the folder is whole then."""
    digests = {name: sha256(folder / name) for name in names}
    owned.finish(folder, MANIFEST, KIND, {**manifest, "sha256": digests})


def find_data(data: str, folder: pathlib.Path | None) -> pathlib.Path:
    """Return where the data of a folder of features are, which may be given from another place.

    `encode` records the path as it was given. If it does not exist from the working directory, it
    is looked for from each folder above that of the features.
    """
    path, own = pathlib.Path(data), folder.resolve() if folder else None
    places = [above / path for above in own.parents] if own and not path.exists() else []
    return next((place for place in places if place.exists() and place != own), path)
