"""The storage of runs: a folder on the disk, or gs://BUCKET/NAME on Google Cloud Storage.

A path on the store has the methods of one on the disk, with three differences: an object is
uploaded whole and never appended to, a folder exists only if it has an object, and there are no
locks.
"""

import errno
import io
import os
import pathlib
import stat
from typing import Any, TextIO

from gentle_clip_jax.storage.digests import sha256_of


def place(path: str | os.PathLike[str]) -> pathlib.Path:
    """Return a local path, or an object on Google Cloud Storage for a text that starts with gs://.

    Raises:
      ValueError: the store is of another kind, or cannot be reached.
      ModuleNotFoundError: gcsfs is missing.
    """
    text = os.fspath(path)
    scheme, separator, _ = text.partition("://")
    if not separator:
        return pathlib.Path(path)
    if scheme != "gs":
        raise ValueError(
            f"{text} is on a store that Orbax writes no checkpoints to: give a folder, or "
            "gs://BUCKET/NAME on Google Cloud Storage."
        )
    import gcsfs  # noqa: F401  # asked for here, as etils asks for it without saying what it brings
    from etils import epath

    remote: Any = epath.Path(text)
    try:
        remote.exists()
    except Exception as error:  # of Google's packages, aiohttp or gcsfs
        raise ValueError(
            f"{text} cannot be reached ({reason(error)}): see that you may read and write there "
            "(gcloud auth application-default login)."
        ) from error
    return remote


def is_local(path: pathlib.Path) -> bool:
    """Return whether a path is on the disk."""
    return isinstance(path, pathlib.Path)


def metadata(path: pathlib.Path) -> tuple[bool, int]:
    """Return whether a path is a regular file, or a link to one, and its size in bytes.

    Raises:
      OSError: it is not there, or cannot be asked for.
    """
    status: Any = path.stat()
    if is_local(path):
        return stat.S_ISREG(status.st_mode), status.st_size
    return not status.is_directory, status.length


def put(path: pathlib.Path, content: str | bytes) -> None:
    """Write an object atomically.

    Raises:
      OSError: it cannot be put.
    """
    try:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    except Exception as error:  # gcsfs has kinds of its own
        raise OSError(errno.EIO, reason(error), str(path)) from error


def appending(path: pathlib.Path) -> TextIO:
    """Open an existing text for appending; on the store, `flush` uploads it anew."""
    return path.open("a", encoding="utf-8") if is_local(path) else _Text(path)


class _Text(io.StringIO):
    """A text on the store, buffered in memory until `flush` or `close`."""

    def __init__(self, path: pathlib.Path):
        super().__init__(path.read_text("utf-8"))
        self.seek(0, io.SEEK_END)
        self._path = path

    def flush(self) -> None:
        """Raise OSError if it cannot be put."""
        put(self._path, self.getvalue())

    def close(self) -> None:
        """Raise OSError if it cannot be put."""
        if not self.closed:
            self.flush()
        super().close()


def scratch(path: pathlib.Path) -> pathlib.Path:
    """Return the local folder of a run's cache: its own folder if on the disk."""
    if is_local(path):
        return path
    return user_cache() / "runs" / sha256_of(str(path).encode())[:12]


def user_cache() -> pathlib.Path:
    """Return this project's folder in the user's cache folder.

    Raises:
      RuntimeError: the user has no home.
    """
    caches = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return caches / "gentle-clip"


def reason(error: Exception) -> str:
    """Return the first line of an error's message, or its type."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
