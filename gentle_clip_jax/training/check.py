"""Checks that involve several keys of a config, such as an objective that needs pairs."""

import ml_collections

from gentle_clip_jax.losses import objectives
from gentle_clip_jax.tasks import task_of
from gentle_clip_jax.tasks.check_keys import check_keys


def check(config: ml_collections.ConfigDict) -> None:
    """Raise ValueError, in one sentence, if a config cannot be trained."""
    if "task" not in config:
        raise ValueError("The config cannot be trained, as it names no task: set config.task.")
    check_keys(config)
    task_of(config).check(config)
    _check_objective(config)
    _check_batch(config)


def _check_objective(config: ml_collections.ConfigDict) -> None:
    name = config.objective
    if name not in objectives.OBJECTIVES:
        names = ", ".join(objectives.OBJECTIVES)
        raise ValueError(f"config.objective must be one of {names}, not {name}.")
    has_partners = config.data.matched_fraction or config.data.get("pairs")
    has_pairs = config.train.batch_matched and has_partners
    if objectives.needs_pairs(name, config.loss) and not has_pairs:
        remedy = "raise config.data.matched_fraction and config.train.batch_matched"
        if name.startswith("gentle_clip"):
            raise ValueError(
                "There are no matched pairs but config.loss.clip_weight is "
                f"{config.loss.clip_weight:g}: {remedy}, or set the weight to 0."
            )
        raise ValueError(f"The objective {name} needs matched pairs, but there are none: {remedy}.")
    if objectives.needs_teacher(name) and not config.train.batch_unmatched:
        raise ValueError(
            f"The objective {name} needs unmatched items: raise config.train.batch_unmatched."
        )


def _check_batch(config: ml_collections.ConfigDict) -> None:
    rows = config.train.batch_matched + config.train.batch_unmatched
    if not rows:
        raise ValueError("config.train.batch_matched and batch_unmatched are both 0: raise one.")
    if rows % config.train.microbatches:
        raise ValueError(
            f"A batch of {rows} rows cannot be cut into config.train.microbatches="
            f"{config.train.microbatches} equal parts: choose a divisor of {rows}."
        )
