"""The log of a run: run.json, metrics.jsonl, TensorBoard, and a progress bar."""

import contextlib
import datetime
import importlib.metadata
import importlib.util
import json
import logging
import os
import pathlib
import platform
import re
import shlex
import sys
import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from gentle_clip_jax.runs.folder import RunFolder
from gentle_clip_jax.runs.resumed import continue_info, continue_log, warn_of_changed_data
from gentle_clip_jax.storage import progress
from gentle_clip_jax.storage.records import checked, write_record
from gentle_clip_jax.storage.stores import is_local

_log = logging.getLogger(__name__)

_PACKAGES = ("gentle-clip-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
_CHECK_DIGITS = 8  # of the checksum of a line: enough to detect damage


def processor() -> str:
    """Return the number of cores and the name of the processor."""
    models = _models()
    return f"{len(models)} x {models[0]}" if models else platform.processor() or platform.machine()


def machine() -> dict[str, str | int]:
    """Return what may influence metrics besides the code: processor, device, versions."""
    models = _models()
    return {
        "processor": models[0] if models else platform.processor(),
        "cpus": os.cpu_count() or 1,
        "device": jax.devices()[0].device_kind,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def _models() -> list[str]:
    """Return the model of each core on Linux; an empty list elsewhere."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    return re.findall(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.exists() else []


class NonFiniteStep(FloatingPointError):
    """An error for too many steps with non-finite metrics: number and metrics of the last one."""

    def __init__(self, step: int, metrics: dict[str, float]):
        self.step, self.metrics = step, metrics
        name = _bad_name(metrics)
        super().__init__(f"{name} is {metrics[name]} at step {step}")


class RunLog:
    """The log of one run, from `first_step` on; only the first of several processes writes.

    `metadata` has further entries of run.json. A damaged run.json and damaged lines of an earlier
    log are reported and moved to other files.

    Metrics stay on the devices until `write_train` needs them, so that steps can overlap.
    """

    def __init__(
        self,
        workdir: pathlib.Path,
        seed: int,
        steps: int,
        max_skipped: int = 0,
        *,
        first_step: int,
        skipped: int = 0,
        metadata: dict[str, Any] | None = None,
    ):
        self.workdir, self._seed = workdir, seed
        self._folder = RunFolder(workdir)
        self._skipped, self._max_skipped = skipped, max_skipped
        self._metadata = metadata or {}
        self._pending: list[tuple[int, dict[str, jax.Array]]] = []
        self._writes = jax.process_index() == 0
        self._started = self._last_write = time.monotonic()
        self._lines = self._tensorboard = None
        self._before: dict[str, Any] = {}
        if self._writes:
            with _write_errors_named(workdir):
                self._before = continue_info(self._folder)
                if first_step:
                    warn_of_changed_data(self._before, self._metadata)
                self._write_info()
                self._lines = continue_log(self._folder.metrics, first_step)
                if is_local(workdir) and importlib.util.find_spec("tensorboardX"):
                    from gentle_clip_jax.runs.tensorboard import ScalarWriter

                    self._tensorboard = ScalarWriter(self._folder.tensorboard)
        if first_step >= steps:
            self._note(f"{workdir}: all {steps} steps are done.")
        elif first_step:
            self._note(f"{workdir}: going on from step {first_step} of {steps}.")
        silent = contextlib.nullcontext(lambda number: None)
        self._bar = progress.bar(workdir.name, steps, first_step) if self._writes else silent

    def __enter__(self) -> "RunLog":
        self._advance = self._bar.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_) -> None:
        self._bar.__exit__(None, None, None)
        try:
            with _write_errors_named(self.workdir):
                if self._lines:
                    self._write_info()
                    self._lines.close()
                if self._tensorboard:
                    self._tensorboard.close()
        except OSError:
            # The error that ended the run is raised, not its consequences.
            if kind is None:
                raise

    def add(self, step: int, metrics: dict[str, jax.Array]) -> None:
        """Record the metrics of one step."""
        self._pending.append((step, metrics))
        self._advance(1)

    def write_train(self, *, examples_per_step: int) -> None:
        """Write the means of all metrics since the last call, and the speed.

        Steps whose metrics are not finite are left out, reported and counted.

        Raises:
          NonFiniteStep: the run has more than `max_skipped` such steps.
        """
        pending, self._pending = jax.device_get(self._pending), []
        good = []
        for step, metrics in pending:
            if _bad_name(metrics):
                self._skip(step, {name: float(value) for name, value in metrics.items()})
            else:
                good.append(metrics)
        now = time.monotonic()
        means = {k: float(np.mean([m[k] for m in good])) for k in (good[-1] if good else {})}
        means["examples_per_second"] = len(pending) * examples_per_step / (now - self._last_write)
        self._last_write = now
        self._write(pending[-1][0], "train", means)

    def _note(self, text: str) -> None:
        if self._writes:
            _log.info(text)

    def _skip(self, step: int, metrics: dict[str, float]) -> None:
        self._skipped += 1
        if self._skipped > self._max_skipped:
            raise NonFiniteStep(step, metrics)
        name = _bad_name(metrics)
        if self._writes:
            _log.warning(
                f"step {step}: {name} is {metrics[name]}; skipped, {self._skipped} of at most "
                f"{self._max_skipped}"
            )
        self._write(step, "skipped", {"term": name, "count": self._skipped}, plot=False)

    def write_validation(self, step: int, metrics: dict[str, float], headline: str) -> None:
        """Write the metrics of a validation and print the main ones, `headline` first."""
        self._write(step, "validation", metrics)
        self._last_write = time.monotonic()
        if self._writes:
            with _write_errors_named(self.workdir):
                self._write_info()
        zero_shot = metrics.get("zero_shot_accuracy")
        more = "" if zero_shot is None else f", zero-shot {zero_shot:.1%}"
        name = headline.replace("_", " ")
        self._note(f"step {step}: validation {name} {metrics[headline]:.1%}{more}")

    def _write(self, step: int, kind: str, metrics: dict[str, Any], *, plot: bool = True) -> None:
        with _write_errors_named(self.workdir):
            if self._lines:
                line = checked({"step": step, "kind": kind, **metrics}, digits=_CHECK_DIGITS)
                self._lines.write(json.dumps(line) + "\n")
                # On a store a flush uploads the whole log: do it once per checkpoint.
                if is_local(self.workdir) or kind == "validation":
                    self._lines.flush()
            if self._tensorboard and plot:
                self._tensorboard.write(step, {f"{kind}/{k}": v for k, v in metrics.items()})

    def _write_info(self) -> None:
        seconds = self._before.get("seconds", 0.0) + time.monotonic() - self._started
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        info = self._before | {
            "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
            "device": jax.devices()[0].device_kind,
            "num_devices": jax.device_count(),
            "num_processes": jax.process_count(),
            "num_cpus": os.cpu_count(),
            "seed": self._seed,
            **self._metadata,
            "command": shlex.join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]),
            "started": self._before.setdefault("started", now),
            "seconds": round(seconds, 1),
        }
        write_record(self._folder.info, info)


@contextlib.contextmanager
def _write_errors_named(workdir: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(
            f"Metrics cannot be written to {workdir} ({error.strerror}): fix this and "
            "run the same command again; it continues from the last checkpoint."
        ) from error


def _bad_name(metrics: dict[str, Any]) -> str:
    """Return the name of a non-finite metric, if possible of a term that spoils the total."""
    bad = [name for name, value in metrics.items() if not np.isfinite(value)]
    terms = [name for name in bad if name.startswith("loss/") and name != "loss/total"]
    return (terms or bad or [""])[0]
