"""Checkpoints: saved in the background, verified on the way back, never trusted blindly."""

import hashlib
import json
import pathlib
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

METRIC = "mean_recall"


class Checkpoints:
    """The training states of one run, newest and best kept.

    Each step carries the SHA-256 of its arrays, because Orbax restores a flipped byte silently;
    a step that is truncated, altered or foreign is skipped for the one before it.
    """

    def __init__(self, folder: pathlib.Path, *, keep: int = 2):
        policy = ocp.checkpoint_managers
        self._manager = ocp.CheckpointManager(
            folder.resolve(),
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

        None if there is no sound step.
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
            except Exception as error:  # Orbax raises bare Exceptions for truncated files
                print(f"Checkpoint {step} cannot be read and is skipped: {_first_line(error)}")
                continue
            if restored.digest["sha256"] == digest(restored.state):
                return restored.state
            print(f"Checkpoint {step} was altered since it was saved and is skipped.")
        return None

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
    return (str(error).strip() or type(error).__name__).splitlines()[0]
