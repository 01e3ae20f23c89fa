"""The address at which several processes connect, checked before any process waits for others."""

import errno
import os
import socket

_MEET = "give each --coordinator=HOST:PORT of the first, --num-processes and its own --process-id"


_DETECTED = {"SLURM_STEP_NUM_TASKS": "1", "OMPI_COMM_WORLD_SIZE": "1", "JAX_NUM_PROCESSES": "1"}


def is_asked_for(coordinator: str | None) -> bool:
    """Return whether several processes are requested, by a coordinator or by a cluster."""
    address = coordinator or os.environ.get("JAX_COORDINATOR_ADDRESS")
    pods = "," in os.environ.get("TPU_WORKER_HOSTNAMES", "")
    return bool(address) or pods or any(os.environ.get(k, v) != v for k, v in _DETECTED.items())


def check_address(address: str) -> tuple[str, int] | None:
    """Return the host and port of HOST:PORT; None for "auto".

    Raises:
      ValueError: the address is neither.
    """
    if address == "auto":
        return None
    host, colon, port = address.rpartition(":")
    digits = port.isascii() and port.isdigit() and len(port) < 6
    if not (host and colon and digits and 0 < int(port) < 65_536):
        raise ValueError(
            f"The address {address[:80]!r} must be HOST:PORT with a port from 1 to 65535, or auto."
        )
    return host, int(port)


def check_processes(
    coordinator: str | None, num_processes: int | None, process_id: int | None
) -> None:
    """Check that several processes can connect; None leaves a setting to the environment.

    Raises:
      ValueError: the number of processes is given without an address, the id is out of range, the
        port is in use, or the host is unknown.
    """
    asked = coordinator or os.environ.get("JAX_COORDINATOR_ADDRESS")
    if not asked:
        if not is_asked_for(None) and (num_processes is not None or process_id is not None):
            raise ValueError(
                f"--num-processes and --process-id need the address of the first process: {_MEET}."
            )
        return
    num_processes = _known("num_processes", num_processes)
    process_id = _known("process_id", process_id)
    if num_processes is not None and process_id is not None and process_id >= num_processes:
        raise ValueError(
            f"--process-id={process_id} is not one of {num_processes} processes: count from 0."
        )
    place = check_address(asked)
    if place is None:
        return
    host, port = place
    try:
        socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ValueError(f"The host {host} is unknown ({error}): {_MEET}.") from error
    if process_id == 0:
        _check_free(port)


def _known(name: str, given: int | None) -> int | None:
    text = os.environ.get(f"JAX_{name.upper()}")
    if given is not None or not text:
        return given
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"JAX_{name.upper()}={text} must be a whole number: fix it or unset it.")
    return int(text)


def _check_free(port: int) -> None:
    """Raise ValueError if a port is in use, where JAX would abort the process with a signal."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("", port))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                return
            raise ValueError(
                f"Port {port} cannot be used ({error.strerror}): give all processes a "
                "--coordinator with another port."
            ) from error
