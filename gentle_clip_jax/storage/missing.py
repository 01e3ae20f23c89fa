"""The error for a path that does not exist, with the nearest name that does."""

import difflib
import itertools
import os
import pathlib

_MOST = 5000  # names of a folder that are compared


class MissingPath(ValueError):
    """A path where there is nothing, or a folder in place of a file; `path` is its text.

    Args:
      path: the path, as it was given.
      kind: what should be there, such as "file or folder".
    """

    def __init__(self, path: str | os.PathLike, kind: str = "file or folder"):
        self.path = os.fspath(path)
        if os.path.isdir(path):
            super().__init__(f"{path} is a folder: give the {kind} in it.")
            return
        near = _nearest(pathlib.Path(path))
        super().__init__(f"There is no {kind} {path}." + (f" Did you mean {near}?" if near else ""))


def _nearest(path: pathlib.Path) -> pathlib.Path | None:
    """Return the path that differs in its first name that is not there, None if none is like it."""
    folder = next((above for above in path.parents if os.path.isdir(above)), None)
    if folder is None:
        return None
    name, *rest = path.relative_to(folder).parts
    try:
        with os.scandir(folder) as entries:
            names = sorted({entry.name for entry in itertools.islice(entries, _MOST)} - {name})
    except OSError:
        return None
    found = (folder.joinpath(near, *rest) for near in difflib.get_close_matches(name, names))
    return next((near for near in found if os.path.exists(near)), None)
