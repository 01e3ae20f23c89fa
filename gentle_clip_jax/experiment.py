"""From a config to what it describes: the data, the towers, the optimizer, the first state."""

import functools
import json
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
import optax

from gentle_clip_jax import losses, optimizer
from gentle_clip_jax.data import icons, pipeline
from gentle_clip_jax.encoders.heads import ProjectionHead
from gentle_clip_jax.encoders.text import TextTransformer
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.encoders.vit import VisionTransformer
from gentle_clip_jax.run_log import write_json

OBJECTIVES = {"stable": losses.gentle_clip_loss, "official": losses.official.gentle_clip_loss}


class TrainState(NamedTuple):
    """All that a run needs to go on; `average` is the moving average of `params`."""

    step: jax.Array
    params: Any
    average: Any
    opt_state: optax.OptState


def load_task(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> pipeline.Task:
    """The data a config names; what had to be computed is kept in workdir/cache."""
    return icons.load_task(workdir / "cache" / "icons.npz", seed=config.seed, **config.data)


def build_model(config: ml_collections.ConfigDict, vocab_size: int) -> TwoTowers:
    """The towers and heads a config describes."""
    dtype = jnp.dtype(config.model.dtype)
    head = functools.partial(
        ProjectionHead, config.model.embedding_dim, config.model.head_dropout, dtype
    )
    return TwoTowers(
        image_tower=VisionTransformer(**config.model.image, dtype=dtype),
        text_tower=TextTransformer(vocab_size, **config.model.text, dtype=dtype),
        image_head=head(),
        text_head=head(),
        init_temperature=config.loss.temperature,
    )


def build_optimizer(config: ml_collections.ConfigDict) -> optax.GradientTransformation:
    """AdamW as the config sets it."""
    return optimizer.adamw(**config.optimizer, steps=config.train.steps)


def init_state(config: ml_collections.ConfigDict, task: pipeline.Task) -> TrainState:
    """The state before the first step, a function of config.seed."""
    model = build_model(config, task.vocab_size)
    pairs = task.validation
    images, tokens = pixels(pairs.images[:1]), jnp.asarray(pairs.tokens[:1])
    params = jax.jit(model.init)(jax.random.key(config.seed), images, tokens)["params"]
    # A copy, since the step donates the state and a buffer can be given away only once.
    average = jax.tree.map(jnp.copy, params)
    return TrainState(jnp.int32(0), params, average, build_optimizer(config).init(params))


def pixels(images) -> jax.Array:
    """uint8 [b, height, width] -> float32 in [0, 1]."""
    return jnp.asarray(images).astype(jnp.float32) / 255


def open_workdir(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> None:
    """Makes the run folder and its config.json, or makes sure that they are of this config.

    Raises:
      ValueError: the config contradicts itself, the folder cannot be written to, or it belongs to
        a run of another config.
    """
    _check(config)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        path = workdir / "config.json"
        if not path.exists():
            write_json(path, config.to_dict())
    except OSError as error:
        raise ValueError(
            f"Cannot write to the workdir {workdir} ({error.strerror}): choose another --workdir."
        ) from error
    difference = _first_difference(read_config(workdir).to_dict(), config.to_dict())
    if difference:
        raise ValueError(
            f"{workdir} holds a run of another config ({difference}): "
            "choose another --workdir, or delete that folder."
        )


def read_config(workdir: pathlib.Path) -> ml_collections.ConfigDict:
    """The config of the run in a folder.

    Raises:
      ValueError: the folder holds no readable config.json.
    """
    path = workdir / "config.json"
    try:
        return ml_collections.ConfigDict(json.loads(path.read_text()))
    except FileNotFoundError as error:
        raise ValueError(
            f"{workdir} holds no run (no config.json): give the --workdir of gentle-clip train."
        ) from error
    except ValueError as error:
        raise ValueError(f"{path} cannot be read ({error}): delete it and train again.") from error


def _check(config: ml_collections.ConfigDict) -> None:
    if config.loss.form not in OBJECTIVES:
        raise ValueError(
            f"config.loss.form must be one of {', '.join(OBJECTIVES)}, not {config.loss.form}."
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
        elif a != b:
            return f"{prefix}.{key} was {a}, is {b}"
    return ""
