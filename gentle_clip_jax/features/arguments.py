"""The arguments that a folder of features was made with."""

import pathlib
from typing import Any

from gentle_clip_jax.storage import locks
from gentle_clip_jax.storage.records import read_record, write_record

SHARDS = "shards"  # the folder in which parts of one wait for each other
ARGUMENTS = "arguments.json"


def check_folder(out: pathlib.Path, arguments: dict[str, Any]) -> None:
    """Check that `out` is missing, empty, or was made with the same arguments.

    Raises:
      ValueError: it holds anything else.
    """
    # First, as another process that begins to write there writes the arguments before all else.
    names = locks.names_in(out) if out.is_dir() else {out.name} if out.exists() else set()
    path = out / ARGUMENTS
    if not path.exists():
        if names - {SHARDS}:
            raise ValueError(f"{out} is not an empty folder: use another --out.")
        return
    try:
        record = read_record(path)
        before = {name: record[name] for name in arguments}
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{path} is damaged, which says what {out} is of: use another --out, or delete {out}."
        ) from error
    for name, value in arguments.items():
        if value != before[name]:
            raise ValueError(
                f"{out} was begun with --{name}={before[name]}, not {value}: use another --out, or "
                "delete it."
            )


def keep(out: pathlib.Path, arguments: dict[str, Any]) -> None:
    """Write the arguments, if they are not there yet."""
    if not (out / ARGUMENTS).exists():
        write_record(out / ARGUMENTS, arguments)
