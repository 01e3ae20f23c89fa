"""A file lock: one process at a time writes to a folder, on every system."""

import contextlib
import pathlib
from collections.abc import Iterator

import filelock

NAME = "lock"


@contextlib.contextmanager
def alone_in(folder: pathlib.Path) -> Iterator[None]:
    """Make a folder and lock it against other processes until the block or the process ends.

    Raises:
      ValueError: another process holds it, or it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / NAME, timeout=0)
        with contextlib.suppress(NotImplementedError):  # a file system without locks
            lock.acquire()
    except filelock.Timeout as error:
        raise ValueError(f"Another process writes to {folder}: wait for it, or end it.") from error
    except OSError as error:
        raise ValueError(
            f"The folder {folder} cannot be written to ({error.strerror}): choose another."
        ) from error
    try:
        yield
    finally:
        lock.release()
