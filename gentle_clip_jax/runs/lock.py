"""One run at a time in a folder."""

import contextlib
import fcntl
import os
import pathlib
import socket
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    """Holds a file in a run's folder as long as it is open; the system frees it at the end.

    Raises:
      ValueError: another process holds it; names its id and its machine.
    """
    if jax.process_index():
        yield  # the first process holds it for all
        return
    with _open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"{path.parent} is in use by {path.read_text() or 'another process'}: "
                "wait until that run ends, stop it, or choose another --workdir."
            ) from error
        except OSError:
            pass  # a file system without locks
        else:
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
        yield


def _open(path: pathlib.Path):
    try:
        return path.open("a")
    except OSError as error:
        raise ValueError(
            f"Cannot write to the workdir {path.parent} ({error.strerror}): "
            "choose another --workdir."
        ) from error
