"""Preparation of data sets for training: conversion of a folder to array_record files (TFDS)."""

import contextlib
import logging
import pathlib
import re
import shutil
from collections.abc import Iterable
from typing import Any

from gentle_clip_jax.data import metadata
from gentle_clip_jax.data.tfds_builders import build, catalogue
from gentle_clip_jax.storage import progress, reading
from gentle_clip_jax.storage.digests import sha256, sha256_of
from gentle_clip_jax.storage.locks import alone_in, names_in
from gentle_clip_jax.storage.writing import rename, write_json, write_text

_log = logging.getLogger(__name__)

_SUMS, _RECORD = "SHA256SUMS", "prepared.json"


def prepare(
    name: str, source: str | pathlib.Path, to: str | pathlib.Path, *, max_skipped: int = 10
) -> pathlib.Path:
    """Build the data set `name` from the folder `source` and return its folder, to/NAME/1.0.0.

    The folder contains the records, prepared.json (the source, and skipped items with the reasons)
    and SHA256SUMS. It gets its name when it is complete.

    Raises:
      ValueError: there is no such data set or folder; a file does not match its SHA256SUMS; more
        than `max_skipped` items are damaged; the target exists and is something else; or another
        process prepares it.
    """
    data_set, source, to = catalogue.find(name), pathlib.Path(source), pathlib.Path(to)
    if not source.is_dir():
        raise ValueError(f"There is no folder {source} with the files of {name}.")
    _verify(source, "copy it again")
    title = source.resolve().name if name == "folder" else name
    title = re.sub(r"[^a-z0-9_-]+", "_", title.lower()).strip("_-") or "folder"
    target = to / title / build.VERSION
    source_record = {"data_set": name, "source_sha256": _fingerprint(source)}
    if not target.parent.exists():
        contents = data_set.read(source)
        unfinished = to / f".{title}.unfinished"
        with alone_in(unfinished):
            if not target.parent.exists():  # else another process has just prepared it
                folder = _build(title, data_set, contents, unfinished, max_skipped, source_record)
                rename(folder, target.parent)
            for name in names_in(unfinished):
                shutil.rmtree(unfinished / name, ignore_errors=True)
        # After the lock in it is closed, as Windows requires; another process may have it by now.
        with contextlib.suppress(OSError):
            unfinished.rmdir()
    _check_prepared(target, source_record)
    if not data_set.trained:
        _log.info(name_readers([name]))
    return target


def list_data_sets() -> dict[str, dict[str, Any]]:
    """Return the data sets that can be prepared: field, title, source, and if `train` reads it."""
    keys = "field", "title", "cite", "trained"
    return {n: {key: getattr(d, key) for key in keys} for n, d in catalogue.DATA_SETS.items()}


def name_readers(names: Iterable[str]) -> str:
    """Return a sentence on what reads prepared data sets that `train` does not use."""
    return (
        f"Your own programs can read the prepared {', '.join(names)} with TensorFlow Datasets; "
        "gentle-clip train does not use names of proteins."
    )


def _build(
    title: str,
    data_set: catalogue.DataSet,
    contents: build.Contents,
    unfinished: pathlib.Path,
    max_skipped: int,
    source_record: dict[str, str],
) -> pathlib.Path:
    """Write the data set below `unfinished` and return its folder, in which 1.0.0 lies."""
    # Imported before the progress bar, whose thread fails if it imports modules meanwhile.
    import tensorflow_datasets  # noqa: F401  # pyright: ignore[reportMissingImports]

    name = title.replace("-", "_")  # a name in TFDS has no hyphen
    shutil.rmtree(unfinished / name, ignore_errors=True)
    with progress.bar(title, sum(map(len, contents.splits.values()))) as advance:
        skipped = build.build(
            name,
            contents,
            unfinished,
            description=f"{data_set.title} ({data_set.cite})",
            max_skipped=max_skipped,
            advance=advance,
        )
    folder = unfinished / name / build.VERSION
    items = [{"id": item, "reason": reason} for item, reason in skipped]
    write_json(folder / _RECORD, {**source_record, "skipped": items})
    names = sorted(path.name for path in folder.iterdir() if path.name != _SUMS)
    lines = [f"{sha256(folder / name)}  {name}\n" for name in names]
    write_text(folder / _SUMS, "".join(lines))
    return folder.parent


def _verify(folder: pathlib.Path, remedy: str) -> None:
    """Compare the files of a folder with its SHA256SUMS, if it has one."""
    path = folder / _SUMS
    lines = path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
    for line in progress.track(lines, "checking files"):
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)
        if not match:
            raise ValueError(
                f"{path} is not in the format of sha256sum: see its line {line[:80]!r}."
            )
        digest, file = match[1], folder / match[2]
        if not file.is_file():
            raise ValueError(f"{file} is missing, but {path} lists it: {remedy}.")
        if sha256(file) != digest:
            raise ValueError(f"{file}: checksum mismatch with {path}: {remedy}.")


def _fingerprint(folder: pathlib.Path) -> str:
    """Return the SHA-256 of the files' names, sizes and SHA256SUMS, without reading all files."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    names = [file.relative_to(folder) for file in files]
    sizes = [
        (name.as_posix(), file.stat().st_size)
        for name, file in zip(names, files)
        if not metadata.is_hidden(name)
    ]
    sums = sha256(folder / _SUMS) if (folder / _SUMS).is_file() else ""
    return sha256_of([sizes, sums])


def _check_prepared(target: pathlib.Path, source_record: dict[str, str]) -> None:
    """Check a finished data set, and note its sizes and the items that were skipped.

    Raises:
      ValueError: the folder is something else, was prepared from other files, or has changed.
    """
    if not (target / _RECORD).is_file():
        raise ValueError(
            f"{target.parent} exists but is not a prepared data set: use another --out."
        )
    record = reading.read_json(target / _RECORD)
    if any(record.get(key) != value for key, value in source_record.items()):
        raise ValueError(
            f"{target} was prepared from other files: delete it, or use another --out."
        )
    _verify(target, f"delete {target} and prepare it again")
    info = reading.read_json(target / "dataset_info.json")
    sizes = [f"{s['name']} {sum(map(int, s['shardLengths'])):,}" for s in info["splits"]]
    _log.info(f"{target}: {', '.join(sizes)}.")
    for item in record["skipped"][:3]:
        _log.warning(f"Skipped: {item['id']} {item['reason']}.")
    if len(record["skipped"]) > 3:
        _log.warning(f"{len(record['skipped'])} items were skipped: see {target / _RECORD}.")
