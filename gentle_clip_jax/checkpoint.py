"""Checkpoints: saved in the background, verified on the way back, never trusted blindly."""

import hashlib
import json
import pathlib
import shutil
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

METRIC = "mean_recall"


class Checkpoints:
    """The training states of one run, newest and best kept.

    Each step carries the SHA-256 of its arrays, because Orbax restores a flipped byte silently;
    a step that is truncated, altered or foreign is passed over for the one before it.
    """

    def __init__(self, folder: pathlib.Path, *, keep: int = 2):
        policy = ocp.checkpoint_managers
        self._folder = folder.resolve()
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(
                best_fn=lambda metrics: metrics[METRIC],
                preservation_policy=policy.AnyPreservationPolicy(
                    [
                        policy.LatestN(keep),
                        policy.BestN(get_metric_fn=lambda metrics: metrics[METRIC], n=1),
                    ]
                ),
            ),
        )

    def save(self, step: int, state: Any, metrics: dict[str, float]) -> None:
        """Saves `state` as `step` in the background; `metrics` decide which step is best."""
        args = ocp.args.Composite(
            state=ocp.args.StandardSave(state), digest=ocp.args.JsonSave({"sha256": digest(state)})
        )
        self._manager.save(step, args=args, metrics=metrics)

    def restore(self, like: Any, *, best: bool = False) -> Any | None:
        """The state of the newest (or best) sound step, shaped and sharded as `like`.

        None if there is no sound step. Looking for the newest puts unsound ones aside, since Orbax
        would save no step up to the last that it sees; looking for the best changes nothing.
        """
        steps = sorted(self._manager.all_steps(), reverse=True)
        if best and (step := self._manager.best_step()) in steps:
            steps.remove(step)
            steps.insert(0, step)
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        args = ocp.args.Composite(
            state=ocp.args.StandardRestore(abstract), digest=ocp.args.JsonRestore()
        )
        for step in steps:
            try:
                restored = self._manager.restore(step, args=args)
                if restored["digest"]["sha256"] == digest(restored["state"]):
                    return restored["state"]
                reason = "it was altered since it was saved"
            except Exception as error:  # Orbax raises bare Exceptions for truncated files
                reason = _first_line(error)
            print(f"Checkpoint {step} cannot be used and is skipped: {reason}.")
            if not best:
                self._put_aside(step)
        return None

    def _put_aside(self, step: int) -> None:
        if jax.process_index() == 0:
            aside = self._folder / f"{step}.unsound"
            shutil.rmtree(aside, ignore_errors=True)
            (self._folder / str(step)).rename(aside)
        multihost_utils.sync_global_devices(f"checkpoint {step} is put aside")
        self._manager.reload()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_) -> None:
        """Waits until everything is on disk."""
        self._manager.wait_until_finished()
        self._manager.close()


def digest(state: Any) -> str:
    """SHA-256 of every array of a tree: its path, dtype, shape and bytes."""
    sha = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        array = np.asarray(jax.device_get(leaf))
        header = [jax.tree_util.keystr(path), str(array.dtype), array.shape]
        sha.update(json.dumps(header).encode())
        sha.update(array.tobytes())
    return sha.hexdigest()


def _first_line(error: Exception) -> str:
    # Tensorstore goes on for pages after "See".
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].split(". See ")[0]
