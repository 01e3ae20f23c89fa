"""Checkpoints: saved in the background, and verified against checksums when restored."""

import contextlib
import functools
import logging
import pathlib
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from gentle_clip_jax.storage.stores import is_local
from gentle_clip_jax.storage.writing import aside, put_aside
from gentle_clip_jax.training import manifest
from gentle_clip_jax.training.orbax_errors import cause, first_line, unless_late
from gentle_clip_jax.training.records import RECORD, STATE, Records

_log = logging.getLogger(__name__)

_KEPT = 2  # newest steps
_MOST_NAMED = 10


class Average(NamedTuple):
    """The moving average of the parameters at a step."""

    step: int
    average: Any


class Checkpoints:
    """The checkpoints of one run: the newest steps and the best one.

    Each step has a manifest with the SHA-256 of its arrays, because Orbax restores a flipped byte
    silently; a truncated or altered step is skipped, and the one before it is used. If `read_only`,
    nothing in the folder is changed, so that a run may train in it meanwhile.
    """

    def __init__(self, folder: pathlib.Path, *, read_only: bool = False):
        self._folder = folder.resolve() if is_local(folder) else folder
        self._read_only = read_only
        self._records = Records(self._folder)
        # Orbax and its tasks log pages about errors that are reported in one sentence here.
        for name in ("absl", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

    @functools.cached_property
    def _manager(self) -> ocp.CheckpointManager:
        """Orbax's manager, opened only after damaged steps are removed, which would break it."""
        self._pass_over_flawed()
        policy = ocp.checkpoint_managers
        preserved = policy.AnyPreservationPolicy([policy.LatestN(_KEPT), self._records])
        options = ocp.CheckpointManagerOptions(
            preservation_policy=preserved,
            cleanup_tmp_directories=True,  # half-written steps that a killed run left
        )
        return ocp.CheckpointManager(self._folder, options=options)

    def save(self, step: int, state: Any, score: float | None) -> None:
        """Save `state` as `step` in the background; the best step has the highest `score`.

        Raises:
          OSError: this step or the one before it cannot be written.
        """
        with self._write_errors_named():
            manager = self._manager  # before there is a record of this step
            record = ocp.args.JsonSave(self._records.new(step, state, score))
            args = ocp.args.Composite(**{STATE: ocp.args.StandardSave(state), RECORD: record})
            manager.save(step, args=args)

    def restore(self, like: Any, *, best: bool = False) -> Any | None:
        """Return the state of the newest (or best) intact step, shaped and sharded as `like`.

        Return None if no step is intact. Damaged steps are reported and, unless `read_only`,
        renamed, since Orbax saves no step below the highest one in the folder.

        Raises:
          ValueError: the arrays of a step differ from `like`; names each key, shape and dtype.
        """
        for step in self._steps(best=best):
            state, reason = self._read(step, like)
            if not reason:
                return state
            self._pass_over(step, reason)
        return None

    def restore_best_average(self) -> Average | None:
        """Return only the average of the best intact step.

        Return None if no step is intact.
        """
        for step in self._steps(best=True):
            average, reason = self._read_average(step)
            if not reason:
                return Average(step, average)
            self._pass_over(step, reason)
        return None

    def _steps(self, *, best: bool = False) -> list[int]:
        """Return the intact steps in the order in which to try them."""
        self._pass_over_flawed()
        steps = sorted(self._records.sound, reverse=True)
        if best and (step := self._records.best_of(steps)) is not None:
            steps.remove(step)
            steps.insert(0, step)
        return steps

    def _pass_over_flawed(self) -> None:
        for step in sorted(self._records.flaws.keys() | self._records.sound.keys()):
            if reason := _agreed(self._records.flaws.get(step, "")):
                self._pass_over(step, reason)

    def _pass_over(self, step: int, reason: str) -> None:
        path = self._folder / str(step)
        note = "" if self._read_only else f"; its files are moved to {aside(path)}"
        if jax.process_index() == 0:
            _log.warning(f"Checkpoint {step} is damaged and is skipped: {reason}{note}.")
        if self._read_only:
            return
        if jax.process_index() == 0:
            put_aside(path)
        multihost_utils.sync_global_devices(f"checkpoint {step} is renamed")
        self._records.forget(step)

    def _read_average(self, step: int) -> tuple[Any, str]:
        """Return the average of a step, and the reason why it cannot be used, empty if it can."""
        arrays = self._records.sound[step].arrays
        device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        try:
            # A separate checkpointer, since the manager restores only whole states.
            with ocp.PyTreeCheckpointer() as checkpointer:
                path = self._folder / str(step) / STATE
                tree: Any = checkpointer.metadata(path).item_metadata.tree
                wanted = jax.tree.map(
                    lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=device),
                    {"average": tree["average"]},
                )
                args = ocp.checkpoint_utils.construct_restore_args(wanted)
                partly = ocp.args.PyTreeRestore(wanted, args, partial_restore=True)
                restored = checkpointer.restore(path, args=partly)
        except Exception as error:  # Orbax raises bare Exceptions for truncated files
            return None, first_line(error)
        now = manifest.manifest(restored)
        of_average = {key: entry for key, entry in arrays.items() if key.startswith("average/")}
        altered = [key for key, entry in of_average.items() if entry != now.get(key)]
        return restored["average"], _mismatch(altered)

    def _read(self, step: int, like: Any) -> tuple[Any, str]:
        """Return the state of a step, and the reason why it cannot be used, empty if it can."""
        arrays, reason = self._records.sound[step].arrays, ""
        self._check_fits(step, arrays, like)
        abstract, state = jax.tree.map(ocp.utils.to_shape_dtype_struct, like), None
        try:
            with ocp.StandardCheckpointer() as checkpointer:
                state = checkpointer.restore(self._folder / str(step) / STATE, abstract)
        except Exception as error:  # Orbax raises bare Exceptions for truncated files
            reason = first_line(error)
        if reason := _agreed(reason):
            return None, reason
        now = manifest.manifest(state)
        altered = [key for key, entry in arrays.items() if entry != now[key]]
        return state, _mismatch(altered)

    def _check_fits(self, step: int, saved: manifest.Manifest, like: Any) -> None:
        if differing := manifest.differences(saved, manifest.described(like)):
            raise ValueError(
                f"Checkpoint {step} in {self._folder} is from another model: {_listed(differing)}. "
                "Choose another --workdir, or the config and the versions that it was saved with."
            )

    @contextlib.contextmanager
    def _write_errors_named(self) -> Iterator[None]:
        try:
            yield
        except jax.errors.JaxRuntimeError:
            raise  # an error of a step, or a lost process
        except Exception as error:  # errors of Orbax and TensorStore have no common class
            raise OSError(
                f"No checkpoint can be written to {self._folder} ({cause(error)}): fix "
                "this and run the same command again; it continues from the last complete one."
            ) from error

    def __enter__(self) -> "Checkpoints":
        self._hook = sys.unraisablehook
        sys.unraisablehook = functools.partial(unless_late, self._hook)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_) -> None:
        """Wait until everything is on disk."""
        try:
            with self._write_errors_named():
                if "_manager" in vars(self):
                    self._manager.wait_until_finished()
                    self._manager.close()
            sys.unraisablehook = self._hook  # kept after a failure, when more errors may follow
        except OSError:
            # The error that ended the run is reported, not its consequences.
            if kind is None:
                raise


def _agreed(reason: str) -> str:
    """Return the reason of the first process that has one; empty if none has."""
    if jax.process_count() == 1:
        return reason
    own = np.zeros(500, np.uint8)
    text = reason.encode()[: len(own)]
    own[: len(text)] = np.frombuffer(text, np.uint8)
    for row in multihost_utils.process_allgather(own):
        if row.any():
            return row.tobytes().rstrip(b"\0").decode(errors="replace")
    return ""


def _mismatch(altered: list[str]) -> str:
    """Return the reason why a step with altered arrays cannot be used; empty if there are none."""
    return f"checksum mismatch: {_listed(altered)} changed after it was saved" if altered else ""


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return "; ".join(names[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
