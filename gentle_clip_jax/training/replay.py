"""A bad step taken again, from the checkpoint before it."""

import pathlib

import jax
import numpy as np

from gentle_clip_jax.runs.folder import RunFolder, read_config
from gentle_clip_jax.stores import place
from gentle_clip_jax.tasks import task_of
from gentle_clip_jax.training import bad_step, batching, loop, train_state
from gentle_clip_jax.training.checkpoints import Checkpoints
from gentle_clip_jax.training.step import recipe


def replay(path: str | pathlib.Path) -> dict[str, tuple[float, float]]:
    """From the metrics of a bad step to what they were, and what they are when it is taken again.

    `path` is a bad_step_N.json in the folder of its run. The steps from the newest checkpoint
    before it are taken again too; on as many devices of the same kind all is as it was.

    Raises:
      ValueError: `path` is no such record, or its folder holds no run.
    """
    path = place(path)
    bad, config = bad_step.read(path), read_config(path.parent)
    task, folder = task_of(config), RunFolder(path.parent)
    dataset = task.load_data(config, folder.local)
    model = task.build_model(config, dataset)
    initial = train_state.init_state(config, task, dataset, model)
    advance = loop.next_state(recipe(config, task, model), loop.teacher_of(config, initial))
    state = loop.on_devices(config, initial)
    with Checkpoints(folder.checkpoints, read_only=True) as checkpoints:
        state = checkpoints.restore(state, before=bad.step) or state
    batch_at = batching.batch_at(config, dataset)
    for step in range(int(state.step), bad.step - 1):
        state, _ = advance(state, batch_at(step))
    _, metrics = advance(state, bad.batch)
    found = {name: float(value) for name, value in jax.device_get(metrics).items()}
    return {name: (then, found.get(name, np.nan)) for name, then in bad.metrics.items()}
