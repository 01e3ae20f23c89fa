"""The lock of a run's folder: one run at a time."""

import contextlib
import os
import pathlib
import socket
from collections.abc import Iterator

import jax

from gentle_clip_jax.storage import locks
from gentle_clip_jax.storage.stores import is_local
from gentle_clip_jax.storage.writing import write_text


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    """Lock a file in a run's folder for the duration of the block or of the process.

    Who holds it stands beside it, in PATH.holder.

    Raises:
      ValueError: another process holds it; names its id and its machine.
    """
    if jax.process_index() or not is_local(path):
        yield  # the first process holds it for all; a store has no locks
        return
    holder = path.with_name(path.name + ".holder")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locks.locked(path))
            write_text(holder, f"process {os.getpid()} on {socket.gethostname()}")
        except TimeoutError as error:
            raise ValueError(
                f"{path.parent} is in use by {_read(holder)}: "
                "wait until that run ends, stop it, or choose another --workdir."
            ) from error
        except OSError as error:
            raise not_writable(path.parent, error) from error
        yield


def _read(holder: pathlib.Path) -> str:
    with contextlib.suppress(OSError):
        return holder.read_text(errors="replace") or "another process"
    return "another process"


def not_writable(workdir: pathlib.Path, error: OSError) -> ValueError:
    """Return the error for a run's folder that cannot be written to."""
    return ValueError(
        f"Cannot write to the workdir {workdir} ({error.strerror}): choose another --workdir."
    )
