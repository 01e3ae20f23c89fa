"""Locks of files and folders: one process at a time writes to one, on every system."""

import contextlib
import errno
import os
import pathlib
from collections.abc import Iterator

import filelock

from gentle_clip_jax.storage.writing import is_part, remove_parts

NAME = "lock"
WAIT = 60  # seconds for another process that saves what it has, as moments suffice for


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
    if path.is_symlink():  # which some systems would follow, to empty the file that it leads to
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    with contextlib.suppress(FileNotFoundError):  # who held it may remove it at any moment
        if path.stat().st_size:
            raise OSError(errno.EEXIST, f"{path} is no lock, as it is not empty", str(path))
    lock = filelock.FileLock(path, timeout=timeout)
    with contextlib.suppress(NotImplementedError):  # a file system without locks
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def alone_in(folder: pathlib.Path, *, timeout: float = 0) -> Iterator[None]:
    """Make a folder and lock it against other processes until the block or the process ends.

    What killed writers have left unfinished in it is removed.

    Args:
      timeout: seconds to wait for another process.

    Raises:
      ValueError: another process holds it, it is a link, or it cannot be written to.
    """
    with contextlib.ExitStack() as stack:
        refuse_link(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(folder / NAME, timeout=timeout))
            remove_parts(folder)
        except TimeoutError as error:
            raise ValueError(
                f"Another process writes to {folder}: wait for it, or end it."
            ) from error
        except OSError as error:
            raise ValueError(
                f"The folder {folder} cannot be written to ({error.strerror}): choose another."
            ) from error
        try:
            yield
        finally:  # while it is held, so that who waits for it makes another
            with contextlib.suppress(OSError):  # Windows removes no open file
                (folder / NAME).unlink()


def refuse_link(folder: pathlib.Path) -> None:
    """Raise ValueError if an output folder is a link: it may lead to the files of others."""
    if folder.is_symlink():
        raise ValueError(
            f"The output folder {folder} is a link to {folder.readlink()}: give the folder that it "
            "leads to."
        )


def names_in(folder: pathlib.Path) -> set[str]:
    """Return the names in a folder, without its lock and what killed writers have left."""
    return {path.name for path in folder.iterdir() if path.name != NAME and not is_part(path.name)}
