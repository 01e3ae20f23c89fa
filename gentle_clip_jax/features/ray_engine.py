"""An engine on a Ray cluster: tasks on its CPUs decode, and actors hold the encoder.

What they make travels back to this process, which alone writes. A block holds one part of 512
inputs, so that a process that is lost takes no more with it; Ray starts another in its place.
"""

import contextlib
import functools
import itertools
import logging
import os
import pickle
import socket
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import ray  # pyright: ignore[reportMissingImports]
import ray.data  # pyright: ignore[reportMissingImports]

from gentle_clip_jax.features.embedder import Embed
from gentle_clip_jax.features.engine import Engine, Part
from gentle_clip_jax.features.work import Work

_ENVIRONMENT = {
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # Ray Data itself does what it warns of
    "RAY_USAGE_STATS_ENABLED": "0",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # of this process, for actors on the same GPU
}
Row = dict[str, Any]  # the number of a part, and it or what was made of it, pickled


@contextlib.contextmanager
def on_ray(workers: int | None = None) -> Iterator[Engine]:
    """Return the engine of a Ray cluster: the running one, or a new one on this machine.

    To be called before JAX is used: this process computes nothing, and leaves GPUs to the actors.

    Args:
      workers: actors that embed; one for each GPU of the cluster if not given, or one on CPUs.

    Raises:
      ValueError: there are fewer GPUs than workers, or no cluster where RAY_ADDRESS says.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logger = logging.getLogger("ray.data")
    level, is_ours = logger.level, not ray.is_initialized()
    if is_ours:
        _start()
    logger.setLevel(logging.CRITICAL)
    try:
        num_gpus = int(ray.cluster_resources().get("GPU", 0))
        if 0 < num_gpus < (workers or 0):
            raise ValueError(f"--workers={workers}: the Ray cluster has {num_gpus} GPUs.")
        yield functools.partial(_embed, workers=workers or num_gpus or 1, on_gpus=num_gpus > 0)
    finally:
        logger.setLevel(level)
        if is_ours:
            ray.shutdown()


def _start() -> None:
    address = os.environ.get("RAY_ADDRESS", "")
    host, _, port = address.rpartition("/")[2].rpartition(":")
    try:
        if port.isdecimal():  # where nobody listens, Ray waits for minutes
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        with warnings.catch_warnings(), _silent():
            warnings.simplefilter("ignore")  # of forks, which other programs replace at once
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, OverflowError) as error:
        if not address:
            raise
        reason = str(error.__cause__ or error).partition(". ")[0]
        raise ValueError(
            f"No Ray cluster can be used at RAY_ADDRESS={address} ({reason}): start one there, or "
            "unset it for one on this machine."
        ) from error


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Silence stderr, on which Ray's C++ code writes even when its logging is off."""
    stderr = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _embed(
    work: Work, parts: Iterable[Part], *, workers: int, on_gpus: bool
) -> Iterator[tuple[int, np.ndarray, list[str | None]]]:
    rows: list[Row] = [
        {"number": number, "part": pickle.dumps(part)} for number, part in enumerate(parts)
    ]
    if not rows:
        return
    dataset: Any = ray.data.from_items(rows, override_num_blocks=len(rows))
    dataset.context.enable_progress_bars = False
    dataset.context.print_on_execution_start = False
    decoded = dataset.map(_decode, fn_args=(work.decode, os.getcwd()), num_cpus=1)
    made = decoded.map(
        _Embedder,
        fn_constructor_args=(ray.put(work.load),),
        compute=ray.data.ActorPoolStrategy(size=min(workers, len(rows))),
        num_cpus=0,  # as many actors as CPUs would leave none to decode
        num_gpus=int(on_gpus),
    )
    for block in made.iter_batches(batch_size=None, prefetch_batches=0):
        for number, part in zip(block["number"], block["part"]):
            result = pickle.loads(part)
            if isinstance(result, Exception):
                raise result
            yield int(number), *result


def _decode(row: Row, decode: Callable[..., Iterator[Any]], folder: str) -> Row:
    def decoded() -> list[Any]:
        os.chdir(folder)  # where paths that are relative begin
        return [*decode(*pickle.loads(row["part"]))]

    return row | {"part": _pickled(decoded)}


class _Embedder:
    """An actor with the encoder."""

    def __init__(self, load: "ray.ObjectRef[Callable[[], Embed]]"):
        self.embed = ray.get(load)()

    def __call__(self, row: Row) -> Row:
        decoded = pickle.loads(row["part"])
        if isinstance(decoded, Exception):
            return row
        return row | {"part": _pickled(lambda: self._features(decoded))}

    def _features(self, decoded: list[Any]) -> tuple[np.ndarray, list[str | None]]:
        features, reasons = zip(*self.embed(decoded))
        return np.concatenate(features), [*itertools.chain(*reasons)]


def _pickled(make: Callable[[], Any]) -> bytes:
    """Return the result, or the exception, which Ray Data would wrap otherwise, as a pickle."""
    try:
        return pickle.dumps(make())
    except Exception as error:
        error.add_note(traceback.format_exc())
        return pickle.dumps(error)
