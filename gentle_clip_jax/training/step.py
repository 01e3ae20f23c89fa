"""One training step: views, embeddings, objective, gradients and update."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import optax

from gentle_clip_jax.data.batches import Batch, count
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.evaluation import alignment_metrics
from gentle_clip_jax.losses import objectives
from gentle_clip_jax.losses.objectives import Objective
from gentle_clip_jax.parallel import mesh
from gentle_clip_jax.tasks.rows import Rows
from gentle_clip_jax.tasks.task import Task
from gentle_clip_jax.training.train_state import TrainState, build_optimizer


@dataclasses.dataclass(frozen=True, eq=False)
class Recipe:
    """The fixed inputs of a training step, besides a state and a batch.

    views: function from a key and a batch to a random view of each item; see `Task.views`.
    has_views: whether the objective contrasts a second view with the first.
    temperature: a number, or None if it is learned.
    settings: settings of the task's loss; see `Task.loss`.
    microbatches: parts of a batch that pass through the towers one at a time.
    average_decay: decay of the moving average of the parameters.
    fsdp: number of devices that split the parameters.
    """

    task: Task
    model: TwoTowers
    objective: Objective
    optimizer: optax.GradientTransformation
    seed: int
    views: Callable[[jax.Array, Batch], tuple[Any, Any]]
    has_views: bool
    temperature: float | None
    settings: Mapping[str, Any]
    microbatches: int = 1
    average_decay: float = 0.98
    fsdp: int = 1


def recipe(config: ml_collections.ConfigDict, task: Task, model: TwoTowers) -> Recipe:
    """Return the recipe of a config."""
    loss, train = config.loss, config.train
    return Recipe(
        task=task,
        model=model,
        objective=objectives.weighed(config.objective, loss),
        optimizer=build_optimizer(config),
        seed=config.seed,
        views=lambda key, batch: task.views(key, batch, config),
        has_views=objectives.needs_views(config.objective, loss),
        temperature=None if loss.learn_temperature else loss.temperature,
        settings=loss,
        microbatches=train.microbatches,
        average_decay=train.average_decay,
        fsdp=config.mesh.fsdp,
    )


def train_step(
    state: TrainState, batch: Batch, teacher: Any = None, *, recipe: Recipe
) -> tuple[TrainState, dict[str, jax.Array]]:
    """Take one update from the views of a batch; return the new state and the metrics to log.

    `teacher`: the initial parameters, for objectives that need them.
    """
    model, (num_matched, num_rows) = recipe.model, _sizes(batch)
    view_key, dropout_key = jax.random.split(
        jax.random.fold_in(jax.random.key(recipe.seed), state.step)
    )
    inputs = random_views(view_key, batch, recipe)
    params = mesh.gathered(state.params, recipe.fsdp)
    taught = None
    if teacher is not None:
        unmatched = jax.tree.map(lambda rows: rows[num_matched:num_rows], inputs)
        taught = embed(model, mesh.gathered(teacher, recipe.fsdp), unmatched)

    def objective(params, x, y):
        temperature = jnp.asarray(model.apply({"params": params}, method=model.temperature))
        if recipe.temperature is not None:
            temperature = jnp.float32(recipe.temperature)
        rows = Rows(x, y, num_matched, recipe.has_views, taught)
        total, terms = recipe.task.loss(rows, temperature, recipe.objective, recipe.settings, model)
        first = slice(None, num_rows)
        metrics = {f"loss/{name}": value for name, value in {"total": total, **terms}.items()}
        metrics |= {f"alignment/{k}": v for k, v in alignment_metrics(x[first], y[first]).items()}
        return total, metrics | {"temperature": temperature}

    def embed_randomly(params, inputs, key):
        return embed(model, params, inputs, key)

    grads, metrics = gradients(
        params, inputs, dropout_key, embed_randomly, objective, recipe.microbatches
    )
    grads = mesh.gathered(grads, recipe.fsdp)
    updates, opt_state = recipe.optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    average = optax.incremental_update(params, state.average, 1 - recipe.average_decay)
    metrics["grad_norm"] = optax.tree.norm(grads)
    new = TrainState(state.step + 1, state.skipped, params, average, opt_state)
    return _unless_bad(new, state, metrics), metrics


def embed(
    model: TwoTowers, params: Any, inputs: tuple[Any, Any], key: jax.Array | None = None
) -> Any:
    """Return embeddings of both modalities' inputs, with dropout if there is a key for it."""
    keys = (None, None) if key is None else jax.random.split(key)
    return tuple(
        model.apply(
            {"params": params},
            rows,
            train=one is not None,
            method=method,
            rngs=None if one is None else {"dropout": one},
        )
        for rows, method, one in zip(inputs, (model.embed_x, model.embed_y), keys)
    )


def random_views(key: jax.Array, batch: Batch, recipe: Recipe) -> Any:
    """Return a view of each row of x and y, matched rows first.

    If SSL needs them, second views of all rows follow.
    """
    if not recipe.has_views:
        return recipe.views(key, batch)
    views = [recipe.views(one, batch) for one in jax.random.split(key)]
    return jax.tree.map(lambda *rows: jnp.concatenate(rows), *views)


def gradients(
    params: Any,
    inputs: tuple[jax.Array, ...],
    key: jax.Array,
    embed: Callable[..., tuple[jax.Array, ...]],
    objective: Callable[..., tuple[jax.Array, dict]],
    microbatches: int,
) -> tuple[Any, dict]:
    """Return gradients of objective(params, *embed(params, inputs, key)) and its metrics.

    Microbatches pass through the towers one at a time, forward and again backward, and only
    embeddings are stored for all of them; the objective still compares every row with every row.

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


def _sizes(batch: Batch) -> tuple[int, int]:
    """Return the numbers of matched rows and of all rows of each modality in a batch."""
    return count(batch["matched"]), sum(count(part) for part in batch.values())


def _unless_bad(new: TrainState, old: TrainState, metrics: dict[str, jax.Array]) -> TrainState:
    """Return the new state if all metrics are finite, else the old one, counted as skipped."""
    good = jnp.stack([jnp.isfinite(value) for value in metrics.values()]).all()
    guarded = jax.tree.map(lambda a, b: jnp.where(good, a, b), new, old)
    return guarded._replace(step=new.step, skipped=old.skipped + jnp.where(good, 0, 1))
