"""The arguments that a folder of features was made with, stored twice in case one is damaged."""

import contextlib
import logging
import pathlib
from typing import Any

from gentle_clip_jax.features.folder import FEATURES, MANIFEST, ROWS
from gentle_clip_jax.storage import locks
from gentle_clip_jax.storage.records import read_record, write_record
from gentle_clip_jax.storage.writing import put_aside

_log = logging.getLogger(__name__)

SHARDS = "shards"  # the folder in which parts of one wait for each other
ARGUMENTS = "arguments.json"
_COPIES = (ARGUMENTS, "arguments.copy.json")
_UNSOUND = (ValueError, LookupError, TypeError, RecursionError)


def check_folder(out: pathlib.Path, arguments: dict[str, Any]) -> None:
    """Check that `out` is missing, empty, or was made with the same arguments.

    Raises:
      ValueError: it holds anything else.
    """
    # First, as another process that begins to write there writes the arguments before all else.
    # It may make the folder at any moment, so what is not there is not looked at again.
    names: set[str] = set()
    if out.exists():
        names = locks.names_in(out) if out.is_dir() else {out.name}
    paths = [path for path in _paths(out) if path.exists()]
    if not paths:
        if names - {SHARDS}:
            raise ValueError(f"{out} is not an empty folder: use another --out.")
        return
    for path in [*paths, *(out / name for name in (FEATURES, ROWS, MANIFEST))]:
        if path.is_dir():
            raise ValueError(f"{path} is a folder where encode writes a file: move it away.")
    records = []
    for path in paths:
        with contextlib.suppress(*_UNSOUND):
            records.append(_read(path, arguments))
    if not records:
        raise ValueError(
            f"{paths[0]} is damaged, which says what {out} is of: use another --out, or delete "
            f"{out}."
        )
    for before in records:
        if changed := [name for name in arguments if arguments[name] != before[name]]:
            name = changed[0]
            raise ValueError(
                f"{out} was begun with --{name}={before[name]}, not {arguments[name]}: use another "
                "--out, or delete it."
            )


def keep(out: pathlib.Path, arguments: dict[str, Any]) -> None:
    """Write the missing copies of the arguments; put a damaged copy aside with a warning."""
    for path in _paths(out):
        try:
            _read(path, arguments)
            continue
        except FileNotFoundError:
            pass
        except _UNSOUND as error:
            name = put_aside(path).name
            _log.warning(f"{path} is damaged ({error}): kept as {name}, and written anew.")
        write_record(path, arguments)


def _paths(out: pathlib.Path) -> list[pathlib.Path]:
    return [out / name for name in _COPIES]


def _read(path: pathlib.Path, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that a file records."""
    record = read_record(path)
    return {name: record[name] for name in arguments}
