"""The training state: everything that a run needs to resume."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
import optax

from gentle_clip_jax import optimizer
from gentle_clip_jax.data.batches import Dataset
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.tasks.task import Task


class TrainState(NamedTuple):
    """The state after a step; `average` is the moving average of `params`.

    `skipped`: number of steps so far that changed nothing, since their metrics were not finite.
    """

    step: jax.Array
    skipped: jax.Array
    params: Any
    average: Any
    opt_state: optax.OptState


def build_optimizer(config: ml_collections.ConfigDict) -> optax.GradientTransformation:
    """Return AdamW with the settings of the config."""
    return optimizer.adamw(**config.optimizer, steps=config.train.steps)


def init_state(
    config: ml_collections.ConfigDict, task: Task, dataset: Dataset, model: TwoTowers
) -> TrainState:
    """Return the state before the first step, a function of the config and the data."""
    params = task.init_params(config, dataset, model)
    # A copy, since the step donates the state and a buffer can be given away only once.
    average = jax.tree.map(jnp.copy, params)
    opt_state = build_optimizer(config).init(params)
    return TrainState(jnp.int32(0), jnp.int32(0), params, average, opt_state)
