"""Training: from a config and a folder to a run that can be killed and taken up again."""

import functools
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import optax

from gentle_clip_jax.data import batches
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.evals import alignment_metrics
from gentle_clip_jax.parallel import memory, mesh, processes
from gentle_clip_jax.parallel.stop_request import StopRequest
from gentle_clip_jax.runs import provenance
from gentle_clip_jax.runs.lock import only_run_in
from gentle_clip_jax.runs.log import NonFiniteStep, RunLog
from gentle_clip_jax.training import bad_step, experiment
from gentle_clip_jax.training.checkpoints import Checkpoints
from gentle_clip_jax.training.experiment import TrainState


def train(config: ml_collections.ConfigDict, workdir: str | pathlib.Path) -> TrainState:
    """Trains until config.train.steps, from the newest sound checkpoint if there is one.

    Leaves in workdir: config.json, run.json, metrics.jsonl, checkpoints/ and cache/. SIGTERM and
    Ctrl-C end it after a step, with a checkpoint.

    Raises:
      ValueError: the config does not fit itself, the data, the devices or what workdir holds, or
        another run is going on there.
      FloatingPointError: in more than config.train.max_skipped steps a metric is not finite; the
        last good checkpoint stays.
      OSError: workdir cannot be written to.
      KeyboardInterrupt: Ctrl-C ended it.
    """
    workdir, steps = pathlib.Path(workdir), config.train.steps
    experiment.open_workdir(config, workdir)
    with StopRequest() as stop, only_run_in(workdir):
        with processes.one_after_the_first():
            task = experiment.load_task(config, workdir)
            model = experiment.build_model(config, task)
            state = experiment.init_state(config, task)
        state = on_devices(config, state)
        with Checkpoints(workdir / "checkpoints") as checkpoints:
            state = checkpoints.restore(state) or state
            done = {"first_step": int(state.step), "skipped": int(state.skipped)}
            about, limit = provenance.provenance(task), config.train.max_skipped
            with RunLog(workdir, config.seed, steps, limit, **done, about=about) as log:
                state = _run(config, task, model, state, checkpoints, log, stop)
    if stop.interrupted:
        raise KeyboardInterrupt
    return state


def on_devices(config: ml_collections.ConfigDict, state: TrainState) -> TrainState:
    """A state that every process has, spread over all devices as the config says."""
    return mesh.place(state, mesh.of_state(state, mesh.data_mesh(config.mesh.fsdp)))


def next_state(
    config: ml_collections.ConfigDict, model: TwoTowers
) -> Callable[[TrainState, batches.Batch], tuple[TrainState, dict[str, jax.Array]]]:
    """The function from a state and this process's share of a batch to the state after a step.

    Its first call compiles it, and says what memory that needs.
    """
    devices = mesh.data_mesh(config.mesh.fsdp)
    compiled: list[Any] = []

    def advance(state, batch):
        batch = mesh.shard_batch(batch, devices)
        if not compiled:
            compiled.append(memory.compiled_to_fit(jitted_step(config, model, state), state, batch))
            processes.wait_for_all("the step is compiled")
        return compiled[0](state, batch)

    return advance


def jitted_step(config: ml_collections.ConfigDict, model: TwoTowers, state: TrainState) -> Any:
    """`train_step` under jit; it takes over the memory of a state, which stays spread as it is."""
    step = functools.partial(train_step, config=config, model=model)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, state), None
    return jax.jit(step, donate_argnums=0, out_shardings=shardings)


def _run(
    config: ml_collections.ConfigDict,
    task: batches.Task,
    model: TwoTowers,
    state: TrainState,
    checkpoints: Checkpoints,
    log: RunLog,
    stop: StopRequest,
) -> TrainState:
    """The steps from a state to the last, or to where the run is asked to stop."""
    sizes, field, first = config.train, experiment.field_of(config), int(state.step)
    batch_at, advance = experiment.batches(config, task), next_state(config, model)
    if not first and sizes.keep_start:
        figures = field.validate(model, state.average, task)
        log.write_validation(0, figures, field.HEADLINE)
        checkpoints.save(0, state, figures[field.HEADLINE])
    for step in range(first + 1, sizes.steps + 1):
        state, metrics = advance(state, batch_at(step - 1))
        log.add(step, metrics)
        stop.may_leave, stopping = False, stop.at(step)
        validating = step == sizes.steps or step % sizes.checkpoint_every == 0
        if validating or stopping or step % sizes.log_every == 0:
            try:
                log.write_train(examples_per_step=sizes.batch_matched + sizes.batch_unmatched)
            except NonFiniteStep as bad:
                raise bad_step.dumped(bad, config, task, log.workdir) from None
        if validating:
            figures = field.validate(model, state.average, task)
            log.write_validation(step, figures, field.HEADLINE)
            checkpoints.save(step, state, figures[field.HEADLINE])
        elif stopping:
            checkpoints.save(step, state, None)
        if stopping:
            break
    return state


def train_step(
    state: TrainState, batch: batches.Batch, *, config: ml_collections.ConfigDict, model: TwoTowers
) -> tuple[TrainState, dict[str, jax.Array]]:
    """Views of the batch, its loss and gradients, one update; and what to log of them."""
    field = experiment.field_of(config)
    view_key, dropout_key = jax.random.split(
        jax.random.fold_in(jax.random.key(config.seed), state.step)
    )
    inputs = random_views(view_key, batch, config)
    params = mesh.gathered(state.params, config.mesh.fsdp)

    def embed(params, inputs, key) -> Any:
        return tuple(
            model.apply(
                {"params": params}, rows, train=True, method=method, rngs={"dropout": tower_key}
            )
            for rows, method, tower_key in zip(
                inputs, (model.embed_x, model.embed_y), jax.random.split(key)
            )
        )

    def objective(params, x, y):
        temperature = jnp.asarray(model.apply({"params": params}, method=model.temperature))
        if not config.loss.learn_temperature:
            temperature = jnp.float32(config.loss.temperature)
        num_matched = batches.count(batch["matched"])
        total, terms = field.objective(x, y, temperature, num_matched, config.loss)
        first = slice(None, num_rows(batch))
        metrics = {f"loss/{name}": value for name, value in {"total": total, **terms}.items()}
        metrics |= {f"alignment/{k}": v for k, v in alignment_metrics(x[first], y[first]).items()}
        return total, metrics | {"temperature": temperature}

    grads, metrics = gradients(
        params, inputs, dropout_key, embed, objective, config.train.microbatches
    )
    grads = mesh.gathered(grads, config.mesh.fsdp)
    updates, opt_state = experiment.build_optimizer(config).update(
        grads, state.opt_state, state.params
    )
    params = optax.apply_updates(state.params, updates)
    average = optax.incremental_update(params, state.average, 1 - config.train.average_decay)
    metrics["grad_norm"] = optax.tree.norm(grads)
    new = TrainState(state.step + 1, state.skipped, params, average, opt_state)
    return _unless_bad(new, state, metrics), metrics


def _unless_bad(new: TrainState, old: TrainState, metrics: dict[str, jax.Array]) -> TrainState:
    """The new state if all metrics are finite, else the old one, and one more step skipped."""
    good = jnp.stack([jnp.isfinite(value) for value in metrics.values()]).all()
    kept = jax.tree.map(lambda a, b: jnp.where(good, a, b), new, old)
    return kept._replace(step=new.step, skipped=old.skipped + jnp.where(good, 0, 1))


def num_rows(batch: batches.Batch) -> int:
    """Rows of each modality in a batch, matched and unmatched together."""
    return sum(batches.count(part) for part in batch.values())


def random_views(key: jax.Array, batch: batches.Batch, config: ml_collections.ConfigDict) -> Any:
    """A view of each row of x and y, matched rows first; a second follows where SSL needs it."""
    field = experiment.field_of(config)
    if not config.loss.ssl_weight:
        return field.views(key, batch, config)
    views = [field.views(one, batch, config) for one in jax.random.split(key)]
    return jax.tree.map(lambda *rows: jnp.concatenate(rows), *views)


def gradients(
    params: Any,
    inputs: tuple[jax.Array, ...],
    key: jax.Array,
    embed: Callable[..., tuple[jax.Array, ...]],
    objective: Callable[..., tuple[jax.Array, dict]],
    microbatches: int,
) -> tuple[Any, dict]:
    """Gradients of objective(params, *embed(params, inputs, key)) and the objective's metrics.

    With several microbatches the towers see one at a time, forward and again backward, and only
    embeddings are held for all of them; the objective still compares every row with every row.

    Source: Gao et al., GradCache (arXiv 2101.06983), section 3.
    """
    if microbatches == 1:
        return jax.grad(lambda p: objective(p, *embed(p, inputs, key)), has_aux=True)(params)

    # Every k-th row, so that a device has an equal share of each microbatch.
    def split(rows):
        return rows.reshape(-1, microbatches, *rows.shape[1:]).swapaxes(0, 1)

    def join(parts):
        return parts.swapaxes(0, 1).reshape(-1, *parts.shape[2:])

    chunks = jax.tree.map(split, inputs), jax.random.split(key, microbatches)
    embeddings = jax.lax.map(lambda chunk: embed(params, *chunk), chunks)
    argnums = tuple(range(1 + len(embeddings)))
    (grads, *cotangents), metrics = jax.grad(objective, argnums=argnums, has_aux=True)(
        params, *map(join, embeddings)
    )

    def add(grads, part):
        chunk, cotangent = part
        _, pull_back = jax.vjp(lambda p: embed(p, *chunk), params)
        return jax.tree.map(jnp.add, grads, pull_back(cotangent)[0]), None

    return jax.lax.scan(add, grads, (chunks, tuple(map(split, cotangents))))[0], metrics
