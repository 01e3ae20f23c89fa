"""AdamW with warm-up and cosine decay, and separate learning rates for towers and heads."""

import functools
from collections.abc import Hashable

import jax
import optax


def learning_rate(peak: float, *, warmup_steps: int, steps: int) -> optax.Schedule:
    """Return a schedule: linear from 0 to `peak` over `warmup_steps`, then a half cosine to 0."""
    return optax.warmup_cosine_decay_schedule(0.0, peak, warmup_steps, max(steps, warmup_steps + 1))


def adamw(
    *,
    tower_learning_rate: float,
    head_learning_rate: float,
    language_learning_rate: float | None = None,
    weight_decay: float,
    max_grad_norm: float,
    warmup_steps: int,
    steps: int,
) -> optax.GradientTransformation:
    """Return AdamW after clipping of the global gradient norm.

    Weight decay applies to matrices, not to vectors and scalars such as biases, norms and the
    temperature. Parameters under a key "frozen" keep their values and need no moments.
    `language_learning_rate` applies under a key "language", the published part of a tower.
    """

    def group(peak: float) -> optax.GradientTransformation:
        schedule = learning_rate(peak, warmup_steps=warmup_steps, steps=steps)
        matrices = functools.partial(jax.tree.map, lambda leaf: leaf.ndim > 1)
        return optax.adamw(schedule, weight_decay=weight_decay, mask=matrices)

    groups: dict[Hashable, optax.GradientTransformation] = {
        "tower": group(tower_learning_rate),
        "head": group(head_learning_rate),
        "frozen": optax.set_to_zero(),
    }
    if language_learning_rate is not None:
        groups["language"] = group(language_learning_rate)
    labels = functools.partial(jax.tree_util.tree_map_with_path, _group_label)
    clip = optax.clip_by_global_norm(max_grad_norm)
    return optax.chain(clip, optax.partition(groups, labels))


def _group_label(path, _) -> str:
    """Return frozen or language under a key of that name, tower under *_tower, else head."""
    names = [part.key for part in path]
    if "frozen" in names:
        return "frozen"
    if "language" in names:
        return "language"
    return "tower" if names[0].endswith("_tower") else "head"
