"""The training loop, which can be killed at any time and resumed."""

import functools
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
from jax.experimental import multihost_utils

from gentle_clip_jax.data.batches import Batch, Dataset
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.losses import objectives
from gentle_clip_jax.parallel import memory, mesh, processes
from gentle_clip_jax.parallel.stop_request import StopRequest
from gentle_clip_jax.runs.log import NonFiniteStep, RunLog
from gentle_clip_jax.runs.taken import taken
from gentle_clip_jax.storage.stores import is_local, place
from gentle_clip_jax.tasks import task_of
from gentle_clip_jax.training import bad_step, batching, train_state
from gentle_clip_jax.training.check import check
from gentle_clip_jax.training.checkpoints import Checkpoints
from gentle_clip_jax.training.provenance import provenance
from gentle_clip_jax.training.step import Recipe, recipe, train_step
from gentle_clip_jax.training.train_state import TrainState


@processes.naming_lost_processes()
def train(config: ml_collections.ConfigDict, workdir: str | pathlib.Path) -> TrainState:
    """Train until config.train.steps, from the newest intact checkpoint if there is one.

    `runs.folder.RunFolder` describes the files in workdir. On SIGTERM or Ctrl-C the training saves
    a checkpoint after the current step and ends.

    Raises:
      ValueError: the config contradicts itself, the data, the devices or the run in workdir, or
        another process trains there.
      FloatingPointError: in more than config.train.max_skipped steps a metric is not finite; the
        last good checkpoint is kept.
      OSError: workdir cannot be written to.
      KeyboardInterrupt: Ctrl-C ended the training.
    """
    check(config)
    task, steps = task_of(config), config.train.steps
    with StopRequest() as stop, taken(place(workdir), config) as folder:
        with processes.one_after_the_first():
            dataset = task.load_data(config, folder.local)
            model = task.build_model(config, dataset)
            state = train_state.init_state(config, task, dataset, model)
        if not is_local(folder.path):  # each machine has prepared its own data
            state = multihost_utils.broadcast_one_to_all(state)
        advance = next_state(recipe(config, task, model), teacher_of(config, state))
        state = on_devices(config, state)
        with Checkpoints(folder.checkpoints) as checkpoints:
            state = checkpoints.restore(state) or state
            limit = config.train.max_skipped
            done = {"first_step": int(state.step), "skipped": int(state.skipped)}
            metadata = provenance(dataset) | {"modalities": [*task.MODALITIES]}
            with RunLog(folder.path, config.seed, steps, limit, **done, metadata=metadata) as log:
                state = _run(config, dataset, model, state, advance, checkpoints, log, stop)
    if stop.interrupted:
        raise KeyboardInterrupt
    return state


def on_devices(config: ml_collections.ConfigDict, tree: Any) -> Any:
    """Return a tree, the same in every process, sharded over all devices by config.mesh."""
    return mesh.place(tree, mesh.of_state(tree, mesh.data_mesh(config.mesh.fsdp)))


def next_state(
    recipe: Recipe, teacher: Any = None
) -> Callable[[TrainState, Batch], tuple[TrainState, dict[str, jax.Array]]]:
    """Return the function from a state and this process's share of a batch to the next state.

    Its first call compiles the step and logs its memory. `teacher`: see `train_step`.
    """
    devices = mesh.data_mesh(recipe.fsdp)
    compiled: list[Any] = []

    def advance(state, batch):
        batch = mesh.shard_batch(batch, devices)
        if not compiled:
            step = jitted_step(recipe, state)
            compiled.append(memory.compiled_to_fit(step, state, batch, teacher))
            processes.wait_for_all("the step is compiled")
        return compiled[0](state, batch, teacher)

    return advance


def jitted_step(recipe: Recipe, state: TrainState) -> Any:
    """Return `train_step` under jit.

    It donates the old state's memory and preserves its sharding.
    """
    step = functools.partial(train_step, recipe=recipe)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, state), None
    return jax.jit(step, donate_argnums=0, out_shardings=shardings)


def teacher_of(config: ml_collections.ConfigDict, state: TrainState) -> Any:
    """Return the initial parameters if the objective learns from them.

    They are a copy, since steps donate their state.
    """
    if not objectives.needs_teacher(config.objective):
        return None
    return on_devices(config, jax.tree.map(jnp.copy, state.params))


def _run(
    config: ml_collections.ConfigDict,
    dataset: Dataset,
    model: TwoTowers,
    state: TrainState,
    advance: Callable[[TrainState, Batch], tuple[TrainState, dict[str, jax.Array]]],
    checkpoints: Checkpoints,
    log: RunLog,
    stop: StopRequest,
) -> TrainState:
    """Run the steps from a state to the last one, or until a stop is requested."""
    sizes, task, first = config.train, task_of(config), int(state.step)
    batch_at = batching.batch_at(config, dataset)

    def validate(step: int) -> None:
        figures = task.validate(model, state.average, dataset)
        log.write_validation(step, figures, task.HEADLINE)
        checkpoints.save(step, state, figures[task.HEADLINE])

    if not first and sizes.keep_start:
        validate(0)
    for step in range(first + 1, sizes.steps + 1):
        state, metrics = advance(state, batch_at(step - 1))
        log.add(step, metrics)
        stop.may_leave, stopping = False, stop.at(step)
        validating = step == sizes.steps or step % sizes.checkpoint_every == 0
        if validating or stopping or step % sizes.log_every == 0:
            try:
                log.write_train(examples_per_step=sizes.batch_matched + sizes.batch_unmatched)
            except NonFiniteStep as bad:
                raise bad_step.recorded(bad, config, dataset, log.workdir) from None
        if validating:
            validate(step)
        elif stopping:
            checkpoints.save(step, state, None)
        if stopping:
            break
    return state
