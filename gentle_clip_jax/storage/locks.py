"""File locks: one process at a time writes to a folder, on every system."""

import contextlib
import pathlib
from collections.abc import Iterator

import filelock

NAME = "lock"


@contextlib.contextmanager
def locked(path: pathlib.Path, *, timeout: float = 0) -> Iterator[None]:
    """Lock a file against other processes until the block or the process ends.

    Args:
      path: in a folder that exists.
      timeout: seconds to wait for another process.

    Raises:
      TimeoutError: another process holds it.
      OSError: it cannot be written.
    """
    lock = filelock.FileLock(path, timeout=timeout)
    with contextlib.suppress(NotImplementedError):  # a file system without locks
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def alone_in(folder: pathlib.Path) -> Iterator[None]:
    """Make a folder and lock it against other processes until the block or the process ends.

    Raises:
      ValueError: another process holds it, or it cannot be written to.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(folder / NAME))
        except TimeoutError as error:
            raise ValueError(
                f"Another process writes to {folder}: wait for it, or end it."
            ) from error
        except OSError as error:
            raise ValueError(
                f"The folder {folder} cannot be written to ({error.strerror}): choose another."
            ) from error
        yield
