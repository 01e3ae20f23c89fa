"""From a config to what it describes: the data, the towers, the optimizer, the first state."""

import json
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
from flax import traverse_util
from jax.experimental import multihost_utils

from gentle_clip_jax import optimizer
from gentle_clip_jax.data import batches as data_batches
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.files import write_json
from gentle_clip_jax.runs.folder import RunFolder, read_config
from gentle_clip_jax.tasks.captioned_images import task as captioned_images
from gentle_clip_jax.tasks.icons import task as icons
from gentle_clip_jax.tasks.objective import FORMS
from gentle_clip_jax.tasks.proteins import task as proteins

FIELDS: dict[str, Any] = {
    "icons": icons,
    "captioned_images": captioned_images,
    "proteins": proteins,
}

# What a key must be at least, where its field has it; a batch may leave out matched or unmatched
# rows, not both.
_LEAST = {
    "seed": 0,
    "data.split_seed": 0,
    "data.num_test": 1,
    "data.num_validation": 1,
    "data.num_classes": 1,
    "data.max_tokens": 1,
    "data.size": 4,
    "data.crop": 4,
    "data.stride": 1,
    "data.most_neighbours": 1,
    "train.steps": 1,
    "train.batch_matched": 0,
    "train.batch_unmatched": 0,
    "train.microbatches": 1,
    "train.max_skipped": 0,
    "train.max_damaged": 0,
    "train.log_every": 1,
    "train.checkpoint_every": 1,
    "optimizer.warmup_steps": 0,
    "model.image.width": 1,
    "model.image.depth": 0,
    "model.text.width": 1,
    "model.text.depth": 0,
    "model.embedding_dim": 1,
    "loss.temperature": 0.01,  # where CLIP's logit scale ends
}

# Keys that may change in a run, since good steps do not depend on them but for rounding.
_FREE = ("config.train.max_skipped", "config.train.max_damaged", "config.mesh.fsdp")


class TrainState(NamedTuple):
    """All that a run needs to go on; `average` is the moving average of `params`.

    `skipped` steps of the first `step` changed nothing, since their metrics were not finite.
    """

    step: jax.Array
    skipped: jax.Array
    params: Any
    average: Any
    opt_state: optax.OptState


def field_of(config: ml_collections.ConfigDict) -> Any:
    """The module in fields/ that a config names.

    Raises:
      ValueError: there is none of that name.
    """
    if config.field not in FIELDS:
        raise ValueError(f"config.field must be one of {', '.join(FIELDS)}, not {config.field}.")
    return FIELDS[config.field]


def load_task(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> data_batches.Task:
    """The data a config names; what had to be computed is kept in workdir/cache."""
    return field_of(config).load_task(config, workdir)


def batches(
    config: ml_collections.ConfigDict, task: data_batches.Task, *, whole: bool = False
) -> Callable[[int], data_batches.Batch]:
    """The function from a step to this process's share of that step's batch, or to the whole."""
    return data_batches.batches(
        task,
        **_batch_sizes(config),
        max_damaged=config.train.max_damaged,
        process_index=0 if whole else jax.process_index(),
        process_count=1 if whole else jax.process_count(),
    )


def batch_rows(
    config: ml_collections.ConfigDict, task: data_batches.Task
) -> Callable[[int], dict[str, np.ndarray]]:
    """The function from a step to the row numbers of its batch, by set."""
    return data_batches.batch_rows(task, **_batch_sizes(config))


def _batch_sizes(config: ml_collections.ConfigDict) -> dict[str, int]:
    sizes = config.train
    return {
        "seed": config.seed,
        "num_matched": sizes.batch_matched,
        "num_unmatched": sizes.batch_unmatched,
    }


def build_model(config: ml_collections.ConfigDict, task: data_batches.Task) -> TwoTowers:
    """The towers and heads a config describes."""
    return field_of(config).build_model(config, task)


def build_optimizer(config: ml_collections.ConfigDict) -> optax.GradientTransformation:
    """AdamW as the config sets it."""
    return optimizer.adamw(**config.optimizer, steps=config.train.steps)


def init_state(config: ml_collections.ConfigDict, task: data_batches.Task) -> TrainState:
    """The state before the first step, a function of the config and the data."""
    model = build_model(config, task)
    params = field_of(config).init_params(config, task, model)
    # A copy, since the step donates the state and a buffer can be given away only once.
    average = jax.tree.map(jnp.copy, params)
    opt_state = build_optimizer(config).init(params)
    return TrainState(jnp.int32(0), jnp.int32(0), params, average, opt_state)


def open_workdir(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> None:
    """Makes the run folder and its config.json, or makes sure that they are of this config.

    Raises:
      ValueError: the config contradicts itself, the folder cannot be written to, or it belongs to
        a run of another config.
    """
    _check(config)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        folder = RunFolder(workdir)
        started = folder.has_started
        if jax.process_index() == 0 and not started:
            write_json(folder.config, config.to_dict())
    except OSError as error:
        raise ValueError(
            f"Cannot write to the workdir {workdir} ({error.strerror}): choose another --workdir."
        ) from error
    multihost_utils.sync_global_devices("the workdir is there")
    asked = json.loads(json.dumps(config.to_dict()))  # in JSON a tuple is a list
    difference = _first_difference(read_config(workdir).to_dict(), asked)
    if difference:
        raise ValueError(
            f"{workdir} holds a run of another config ({difference}): "
            "choose another --workdir, or delete that folder."
        )


def _check(config: ml_collections.ConfigDict) -> None:
    values = traverse_util.flatten_dict(config.to_dict(), sep=".")
    for key, least in _LEAST.items():
        if key in values and not values[key] >= least:
            raise ValueError(f"config.{key} must be at least {least}, not {values[key]}.")
    if config.model.dtype not in ("float32", "bfloat16"):
        raise ValueError(
            f"config.model.dtype must be float32 or bfloat16, not {config.model.dtype}."
        )
    field_of(config).check(config)
    if config.loss.form not in FORMS:
        raise ValueError(
            f"config.loss.form must be one of {', '.join(FORMS)}, not {config.loss.form}."
        )
    if config.loss.clip_weight and not (
        config.train.batch_matched and config.data.matched_fraction
    ):
        raise ValueError(
            "There are no matched pairs but config.loss.clip_weight is "
            f"{config.loss.clip_weight:g}: raise config.data.matched_fraction and "
            "config.train.batch_matched, or set the weight to 0."
        )
    rows = config.train.batch_matched + config.train.batch_unmatched
    if not rows:
        raise ValueError("config.train.batch_matched and batch_unmatched are both 0: raise one.")
    if rows % config.train.microbatches:
        raise ValueError(
            f"A batch of {rows} rows cannot be cut into config.train.microbatches="
            f"{config.train.microbatches} equal parts."
        )


def _first_difference(old: dict, new: dict, prefix: str = "config") -> str:
    """The first key in which two nested configs differ, with both values; empty if none."""
    for key in sorted(old.keys() | new.keys()):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            if difference := _first_difference(a, b, f"{prefix}.{key}"):
                return difference
        elif a != b and f"{prefix}.{key}" not in _FREE:
            return f"{prefix}.{key} was {a}, is {b}"
    return ""
