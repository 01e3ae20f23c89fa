"""Whether a config fits itself: the limits of its keys, and what keys ask of each other."""

import math

import ml_collections
from flax import traverse_util

from gentle_clip_jax import objectives
from gentle_clip_jax.tasks import task_of

# What a key must be at least, where its task has it; a batch may leave out matched or unmatched
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


def check(config: ml_collections.ConfigDict) -> None:
    """Raises ValueError, in one sentence, where a config cannot be trained."""
    values = traverse_util.flatten_dict(config.to_dict(), sep=".")
    for key, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"config.{key} must be a finite number, not {value}.")
    for key, least in _LEAST.items():
        if key in values and not values[key] >= least:
            raise ValueError(f"config.{key} must be at least {least}, not {values[key]}.")
    if config.model.dtype not in ("float32", "bfloat16"):
        raise ValueError(
            f"config.model.dtype must be float32 or bfloat16, not {config.model.dtype}."
        )
    task_of(config).check(config)
    _check_objective(config)
    _check_batch(config)


def _check_objective(config: ml_collections.ConfigDict) -> None:
    name = config.objective
    if name not in objectives.OBJECTIVES:
        known = ", ".join(objectives.OBJECTIVES)
        raise ValueError(f"config.objective must be one of {known}, not {name}.")
    has_pairs = config.train.batch_matched and config.data.matched_fraction
    if objectives.needs_pairs(name, config.loss) and not has_pairs:
        remedy = "raise config.data.matched_fraction and config.train.batch_matched"
        if name.startswith("gentle_clip"):
            raise ValueError(
                "There are no matched pairs but config.loss.clip_weight is "
                f"{config.loss.clip_weight:g}: {remedy}, or set the weight to 0."
            )
        raise ValueError(f"There are no matched pairs, which {name} learns from: {remedy}.")
    if objectives.needs_teacher(name) and not config.train.batch_unmatched:
        raise ValueError(
            f"The objective {name} learns from unmatched items: raise config.train.batch_unmatched."
        )


def _check_batch(config: ml_collections.ConfigDict) -> None:
    rows = config.train.batch_matched + config.train.batch_unmatched
    if not rows:
        raise ValueError("config.train.batch_matched and batch_unmatched are both 0: raise one.")
    if rows % config.train.microbatches:
        raise ValueError(
            f"A batch of {rows} rows cannot be cut into config.train.microbatches="
            f"{config.train.microbatches} equal parts."
        )
