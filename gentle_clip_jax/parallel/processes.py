"""Training in several processes: their connection, and the error if one is lost.

If a process is lost, JAX aborts the others from within. So each process runs as the child of a
parent, which only waits, forwards signals and reports the outcome.
"""

import contextlib
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn

import jax
import orbax.checkpoint as ocp

from gentle_clip_jax.parallel.address import check_processes, is_asked_for

_log = logging.getLogger(__name__)

_SUPERVISED = "GENTLE_CLIP_SUPERVISED"  # the number of a pipe that closes when the parent ends
_LOADING = 3600  # seconds that a process may take to load data or compile
_PATIENCE = 20  # seconds without a heartbeat after which a process is lost
_FROM_WITHIN = re.compile(
    r"^([EWIF]\d{4} |\*\*\* |    @ |terminate called|  what\(\)|RPC: |:UNKNOWN|\d*$|The tasks have|"
    r"Additional GRPC)"
)
LOST = (
    "Another process was lost: it was killed or stopped, ran out of memory, or its machine cannot "
    "be reached; see its last output. Start all processes again: the run continues from the last "
    "checkpoint, with any number of processes."
)


def is_supervised() -> bool:
    """Return whether this is the training process, not the parent that waits for it."""
    return _SUPERVISED in os.environ


def is_first() -> bool:
    """Return whether this is the first process, which speaks for all."""
    return jax.process_index() == 0


def meet(coordinator: str | None, num_processes: int | None, process_id: int | None) -> int | None:
    """Connect to the other processes, if there are to be any, in a child of this process.

    None of an argument is replaced from the environment or the cluster.

    Returns:
      None where training goes on; in the parent, the exit code of the child once it has ended.

    Raises:
      ValueError: the processes cannot meet.
    """
    check_processes(coordinator, num_processes, process_id)
    if not is_asked_for(coordinator):
        return None
    if not is_supervised():
        return supervise()
    join(coordinator, num_processes, process_id)
    return None


def supervise() -> int:
    """Run this command again in a child process, wait for it, and return its exit code."""
    alive, write_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, *sys.orig_argv[1:]],
        env={**os.environ, _SUPERVISED: str(alive)},
        pass_fds=[alive],
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # so that Ctrl-C in a terminal reaches it once, from here
    )
    os.close(alive)
    signal.set_wakeup_fd(-1)  # the child handles signals
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: process.send_signal(number))
    assert process.stderr is not None
    for line in process.stderr:
        if not _FROM_WITHIN.match(line):
            sys.stderr.write(line)
            sys.stderr.flush()
    code = process.wait()
    os.close(write_end)
    if code == -signal.SIGABRT:
        _log.error(LOST)
        return 1
    if code < 0:
        name = signal.Signals(-code).name
        _log.error(f"This process was ended by {name}.")
        return 128 - code
    return code


def join(coordinator: str | None, num_processes: int | None, process_id: int | None) -> None:
    """Connect to the other processes; the environment or the cluster replaces None.

    Raises:
      ValueError: an argument is missing, or the others do not connect within five minutes.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    environment = {
        name: int(value)
        for name in ("num_processes", "process_id")
        if (value := os.environ.get(f"JAX_{name.upper()}"))
    }
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(
            None if coordinator == "auto" else coordinator,
            num_processes if num_processes is not None else environment.get("num_processes"),
            process_id if process_id is not None else environment.get("process_id"),
            heartbeat_timeout_seconds=_PATIENCE,
            shutdown_timeout_seconds=_PATIENCE,
        )
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(
            f"The processes cannot connect ({str(error).splitlines()[0].rstrip('.')}): give each "
            "--coordinator=HOST:PORT of the first, --num-processes and its own --process-id."
        ) from error


def leave(code: int) -> NoReturn:
    """End a failed process at once; JAX would wait for the others, which wait for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@contextlib.contextmanager
def one_after_the_first() -> Iterator[None]:
    """Run the block in the first process, then in all others, so that they can read its files."""
    if jax.process_index():
        wait_for_all("the first process is ready")
    yield
    if not jax.process_index():
        wait_for_all("the first process is ready")


def wait_for_all(what: str) -> None:
    """Wait until all processes have called this with the same name, for at most an hour.

    Gloo's collectives time out after half a minute, but a process may load or compile for longer.
    """
    if jax.process_count() > 1:
        everyone = set(range(jax.process_count()))
        ocp.multihost.sync_global_processes(what, timeout=_LOADING, processes=everyone)


@contextlib.contextmanager
def naming_lost_processes() -> Iterator[None]:
    """Replace JAX's error for a step that lost another process by one clear sentence.

    Raises:
      ConnectionError: another process was lost.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1:
            raise
        raise ConnectionError(LOST) from error


def _end_with_parent() -> None:
    os.read(int(os.environ[_SUPERVISED]), 1)
    os._exit(1)
