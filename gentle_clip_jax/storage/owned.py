"""Output folders: only a folder whose manifest states its format and kind is written to again."""

import contextlib
import functools
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gentle_clip_jax.storage.locks import WAIT, alone_in, names_in, refuse_link
from gentle_clip_jax.storage.reading import check_regular
from gentle_clip_jax.storage.records import FORMAT, write_record

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
    # Another process may write the one and remove the other in between.
    stated = (UNFINISHED, manifest, UNFINISHED)
    if not is_new and not any(_kind_of(folder / name) == kind for name in stated):
        why = f" ({folder / manifest} is of something else)" if (folder / manifest).exists() else ""
        raise ValueError(
            f"{folder} holds something else: use another folder, or move it away{why}."
        )


@contextlib.contextmanager
def writing(
    folder: pathlib.Path,
    manifest: str,
    kind: str,
    *,
    remove: Sequence[str] = (),
    timeout: float = WAIT,
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Lock an output folder; yield the function that writes its manifest, after all other files.

    Until then the folder is marked as one of this kind, so that it is known again if the writer is
    killed.

    Args:
      remove: names of files to remove first. With the manifest among them, the folder is not
        complete until the new one is written; without, the old manifest is valid until then.
      timeout: seconds to wait for another process.

    Raises:
      ValueError: the folder holds something else, is a link, or another process writes to it.
      OSError: it cannot be written.
    """
    check_owned(folder, manifest, kind)
    with alone_in(folder, timeout=timeout):
        check_owned(folder, manifest, kind)  # again: another process may have written meanwhile
        write_record(folder / UNFINISHED, _stated(kind))
        for name in remove:
            (folder / name).unlink(missing_ok=True)
        try:
            yield functools.partial(finish, folder, manifest, kind)
        finally:
            if _kind_of(folder / manifest) == kind:
                (folder / UNFINISHED).unlink()


def finish(folder: pathlib.Path, manifest: str, kind: str, record: Mapping[str, Any]) -> None:
    """Write the manifest, which states its kind at its beginning; the folder is complete then."""
    write_record(folder / manifest, {**_stated(kind), **record})


def _stated(kind: str) -> dict[str, Any]:
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
