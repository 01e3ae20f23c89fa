"""Shards of a folder of features, each made by a process of its own, and their merge."""

import pathlib
import re
import shutil
from collections.abc import Mapping
from typing import Any

from gentle_clip_jax.features import folder as folders
from gentle_clip_jax.features.arguments import SHARDS, check_folder, keep
from gentle_clip_jax.features.kept import Kept
from gentle_clip_jax.features.update import (
    Content,
    contents_sha256,
    note_rest,
    write_features,
)
from gentle_clip_jax.storage import locks

_OF_ONE = ("arguments", "num_rows", "skipped", "contents_sha256", "listing_sha256", "sha256")
_NOT_OF_A_ROW = ("row", "sha256", "reason")


def folder_of(out: pathlib.Path, shard: tuple[int, int]) -> pathlib.Path:
    """Return the folder of the features of shard i of n until the shards are merged."""
    return out / SHARDS / "{}-of-{}".format(*shard)


def merge(out: str | pathlib.Path, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Merge all shards in the folder `out` into the folder that one call of `encode` would write.

    Neither data nor encoder are read. The shards are removed when all is written.

    Args:
      arguments: those of `encode` that the shards must be of; what is None may be anything.

    Returns:
      What manifest.json holds.

    Raises:
      ValueError: a shard is missing, unfinished, damaged, or of another encoder or other data.
    """
    out = pathlib.Path(out)
    count = _count(out)
    manifests = [_read(out, (number, count)) for number in range(count)]
    first = manifests[0]
    for number, manifest in enumerate(manifests):
        _check_same(out, (number, count), manifest, first)
    for name, value in (arguments or {}).items():
        if value is not None and first["arguments"].get(name) != value:
            raise ValueError(
                f"The shards in {out} are of --{name}={first['arguments'].get(name)}, not {value}: "
                "run them again, or leave it out."
            )
    with locks.alone_in(out):
        check_folder(out, first["arguments"])
        keep(out, first["arguments"])
        _write(out, count, manifests)
        shutil.rmtree(out / SHARDS)
    return note_rest(out)


def _count(out: pathlib.Path) -> int:
    """Return N of the folder's shards i-of-N."""
    names = (path.name for path in (out / SHARDS).glob("*-of-*"))
    counts = {int(match[1]) for name in names if (match := re.fullmatch(r"\d+-of-(\d+)", name))}
    if not counts:
        raise ValueError(
            f"{out} has no shards: run gentle-clip encode --shard=0/N ... --shard=N-1/N with "
            f"--out={out} first."
        )
    if len(counts) > 1:
        totals = " and of ".join(map(str, sorted(counts)))
        raise ValueError(
            f"{out / SHARDS} has shards of {totals}: remove those that are not wanted."
        )
    return counts.pop()


def _read(out: pathlib.Path, shard: tuple[int, int]) -> dict[str, Any]:
    """Return the manifest of a shard, after checking its files' checksums."""
    folder, name = folder_of(out, shard), "{}/{}".format(*shard)
    again = f"run gentle-clip encode --shard={name} again"
    if not folders.has_manifest(folder):
        begun = "not finished" if folder.exists() else "missing"
        raise ValueError(f"Shard {name} of {out} is {begun}: {again}.")
    path = folder / folders.MANIFEST
    try:
        manifest = folders.read_manifest(folder)
        if changed := folders.changed_file(folder, manifest):
            path = changed
            raise ValueError("checksum mismatch: the file changed after it was written")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(f"Shard {name} is damaged ({path}: {error}): {again}.") from error
    return manifest


def _check_same(
    out: pathlib.Path, shard: tuple[int, int], manifest: dict[str, Any], first: dict[str, Any]
) -> None:
    name, other = "{}/{}".format(*shard), f"0/{shard[1]}"
    for key, value in manifest["arguments"].items():
        if value != first["arguments"].get(key):
            raise ValueError(
                f"Shard {name} of {out} was made with --{key}={value}, and {other} with "
                f"{first['arguments'].get(key)}: run one of them again as the other."
            )
    if manifest["recipe_sha256"] != first["recipe_sha256"]:
        raise ValueError(
            f"Shard {name} of {out} is of another encoder than {other}, by its weights, settings "
            "or versions: run one of them again with those of the other."
        )
    if manifest["listing_sha256"] != first["listing_sha256"]:
        raise ValueError(
            f"Shard {name} of {out} is of other items than {other}: files came or went; run both "
            "again."
        )


def _write(out: pathlib.Path, count: int, manifests: list[dict[str, Any]]) -> None:
    parts = [folder_of(out, (number, count)) for number in range(count)]
    cached = Kept("", [folder / folders.FEATURES for folder in parts], {}, {})
    rows: list[tuple[dict[str, Any], tuple[int, int]]] = []  # and their places
    for number, (folder, manifest) in enumerate(zip(parts, manifests)):
        lines = folders.read_rows(folder)
        rows += [(line, (number, row)) for row, line in enumerate(lines)]
        rows += [(row, (number, -1)) for row in manifest["skipped"]]
        cached.flaws.update({s["sha256"]: s["reason"] for s in manifest["skipped"] if s["sha256"]})
    rows.sort(key=lambda row: row[0]["row"])
    for row, place in rows:
        if "reason" not in row:  # where contents are equal the first is taken, as one run does
            cached.places.setdefault(row["sha256"], place)
    ordered = [
        ({k: v for k, v in row.items() if k not in _NOT_OF_A_ROW}, _content(row)) for row, _ in rows
    ]
    metadata = {k: v for k, v in manifests[0].items() if k not in _OF_ONE}
    metadata["contents_sha256"] = contents_sha256(metadata, ordered)
    write_features(ordered, out, manifests[0]["arguments"], metadata, cached)


def _content(row: dict[str, Any]) -> Content:
    return (row["sha256"], None) if row["sha256"] else ("", row["reason"])
