"""Stored runs of a comparison: files that are written, read, and checked for damage."""

import json
import pathlib
from typing import Any

from gentle_clip_jax.comparing.measure import Scores
from gentle_clip_jax.storage import reading
from gentle_clip_jax.storage.digests import sha256_of
from gentle_clip_jax.storage.records import read_record, write_record
from gentle_clip_jax.storage.writing import put_aside, write_arrays

_RECORD, _COMPARISON = "record", "comparison"  # in a run's file, beside its scores


def open_folder(folder: pathlib.Path, what: dict[str, Any]) -> str:
    """Open or make the folder of a comparison; return the digest of its data and settings.

    Raises:
      ValueError: it has another comparison in it.
    """
    path = folder / "comparison.json"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        before = read_record(path) if path.exists() else what
    except ValueError as error:
        print(f"{path} is damaged ({error}): kept as {put_aside(path).name}, and written anew.")
        before = what
    if before != what:
        raise ValueError(
            f"{folder} holds a comparison on other data or settings: choose another --workdir, or "
            "delete that folder."
        )
    write_record(path, what)
    return sha256_of(what)


def name_of(run: dict[str, Any]) -> str:
    """Return the name of a run."""
    return f"{run['method']}-{run['pairs']}-{run['seed']}"


def write(folder: pathlib.Path, record: dict[str, Any], scores: Scores, comparison: str) -> None:
    """Write a run's record and scores, and the digest of its comparison."""
    path = _path(folder, record)
    path.parent.mkdir(exist_ok=True)
    write_arrays(path, {_RECORD: json.dumps(record), _COMPARISON: comparison, **scores})


def read_record_of(
    folder: pathlib.Path, run: dict[str, Any], comparison: str
) -> dict[str, Any] | None:
    """Return the record of a run; None if missing, or if its invalid file was put aside."""
    path = _path(folder, run)
    if not path.exists():
        return None
    try:
        arrays = reading.read_arrays(path)
        record = json.loads(str(arrays[_RECORD]))
        if str(arrays[_COMPARISON]) != comparison:
            raise ValueError("it is of another comparison")
        if {key: record[key] for key in run} != run:
            raise ValueError("it is of another run")
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        print(f"{path} cannot be used ({error}): kept as {put_aside(path).name}, and done again.")
        return None
    return record


def read_scores(folder: pathlib.Path, run: dict[str, Any]) -> Scores:
    """Return the scores of a finished run."""
    arrays = reading.read_arrays(_path(folder, run))
    return {name: arrays[name] for name in arrays if name not in (_RECORD, _COMPARISON)}


def _path(folder: pathlib.Path, run: dict[str, Any]) -> pathlib.Path:
    return folder / "runs" / f"{name_of(run)}.npz"
