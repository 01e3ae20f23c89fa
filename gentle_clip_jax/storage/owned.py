"""Output folders: only a folder whose manifest states its format and kind is written to again."""

import contextlib
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from gentle_clip_jax.storage.locks import names_in, refuse_link
from gentle_clip_jax.storage.reading import check_regular
from gentle_clip_jax.storage.records import write_record

FORMAT = 1
UNFINISHED = "unfinished.json"  # is there until the first manifest is
_KIND, _BEGINNING = re.compile(rb'"kind": "gentle-clip ([a-z]+)"'), 1024


def check_owned(folder: pathlib.Path, manifest: str, kind: str) -> None:
    """Refuse a folder unless it is missing, empty, or was written for the same kind of output.

    Args:
      manifest: name of the file that states its kind.

    Raises:
      ValueError: it is a link or holds something else, which stays untouched.
    """
    refuse_link(folder)
    is_new = not folder.exists() or (folder.is_dir() and not names_in(folder))
    if not is_new and not any(_kind_of(folder / name) == kind for name in (manifest, UNFINISHED)):
        raise ValueError(f"{folder} holds something else: use another folder, or move it away.")


def begin(folder: pathlib.Path, manifest: str, kind: str) -> None:
    """Mark a locked folder as one of this kind, so that it is known again if the writer is killed.

    Raises:
      ValueError: it holds something else.
    """
    check_owned(folder, manifest, kind)
    if _kind_of(folder / manifest) != kind:
        write_record(folder / UNFINISHED, stated(kind))


def finish(folder: pathlib.Path, manifest: str, record: Mapping[str, Any]) -> None:
    """Write the manifest, which states the kind; the folder is complete then."""
    write_record(folder / manifest, record)
    (folder / UNFINISHED).unlink(missing_ok=True)


def stated(kind: str) -> dict[str, Any]:
    """Return the entries by which a manifest states its format and kind; they come first in it."""
    return {"format": FORMAT, "kind": f"gentle-clip {kind}"}


def _kind_of(path: pathlib.Path) -> str | None:
    """Return the kind that a manifest, even a damaged one, states at its beginning, None if none.

    What is not a regular file, such as a pipe, is not read.
    """
    with contextlib.suppress(OSError, ValueError):
        check_regular(path)
        with path.open("rb") as file:
            match = _KIND.search(file.read(_BEGINNING))
        return match and match[1].decode()
    return None
