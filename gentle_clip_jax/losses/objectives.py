"""Training objectives: functions of a batch's embeddings.

Most objectives are CLIP on the few pairs plus a term on the unmatched items.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gentle_clip_jax import losses

Terms = dict[str, jax.Array]
Objective = Callable[..., tuple[jax.Array, Terms]]
_OF_GENTLE_CLIP = ("clip_weight", "mmd_weight", "sdd_weight", "ssl_weight", "ssl_temperature")
_OF_GENTLE_CLIP += ("sdd_bandwidth",)


class Embedded(NamedTuple):
    """A batch's embeddings, rows of unit length.

    x, y: [b, d] pairs.
    unmatched_x, unmatched_y: [u, d] and [v, d]; u and v may be 0.
    view_x, view_y: [b + u, d] and [b + v, d] second views, matched rows first; None without.
    teacher_x, teacher_y: [u, d] and [v, d] the unmatched rows, embedded with the initial
      parameters; None if no objective needs them.
    pair_x, pair_y: [b, e] rows by which pairs are contrasted instead of x and y, such as all
      residues of a protein; else None.
    """

    x: jax.Array
    y: jax.Array
    unmatched_x: jax.Array
    unmatched_y: jax.Array
    view_x: jax.Array | None = None
    view_y: jax.Array | None = None
    teacher_x: jax.Array | None = None
    teacher_y: jax.Array | None = None
    pair_x: jax.Array | None = None
    pair_y: jax.Array | None = None

    @property
    def every_x(self) -> jax.Array:
        """All rows of x [b + u, d], matched rows first."""
        return jnp.concatenate([self.x, self.unmatched_x])

    @property
    def every_y(self) -> jax.Array:
        """All rows of y [b + v, d], matched rows first."""
        return jnp.concatenate([self.y, self.unmatched_y])

    @property
    def pairs(self) -> tuple[jax.Array, jax.Array]:
        """Rows [b, e] of both modalities by which pairs are contrasted."""
        if self.pair_x is None or self.pair_y is None:
            return self.x, self.y
        return self.pair_x, self.pair_y


def clip(e: Embedded, *, temperature: jax.Array | float = 0.07) -> tuple[jax.Array, Terms]:
    """Return CLIP on the pairs only."""
    value = losses.clip_loss(*e.pairs, temperature=temperature)
    return value, {"clip": value}


def siglip(e: Embedded, *, temperature: jax.Array | float = 0.07) -> tuple[jax.Array, Terms]:
    """Return SigLIP on the pairs only; the bias gives a random pair its prior chance to match."""
    bias = -jnp.log(jnp.float32(max(len(e.x) - 1, 1)))
    value = losses.sigmoid_loss(*e.pairs, temperature=temperature, bias=bias)
    return value, {"siglip": value}


def gentle_clip(
    e: Embedded, *, temperature: jax.Array | float = 0.07, **weights: float
) -> tuple[jax.Array, Terms]:
    """Return CLIP, MMD, SDD and SSL in the stable forms.

    `losses.gentle_clip_loss` describes the weights.
    """
    return _gentle_clip(losses.gentle_clip_loss, e, temperature, weights)


def gentle_clip_official(
    e: Embedded, *, temperature: jax.Array | float = 0.05, **weights: float
) -> tuple[jax.Array, Terms]:
    """Return the same terms with the formulas and weights of the paper's public demo."""
    return _gentle_clip(losses.official.gentle_clip_loss, e, temperature, weights)


def hard_pl(e: Embedded, *, temperature: jax.Array | float = 0.07) -> tuple[jax.Array, Terms]:
    """Return CLIP, and pseudo-labels: the partner of the most similar matched row (Hard-PL)."""
    return _with_labels(e, temperature, losses.hard_labels)


def soft_pl(e: Embedded, *, temperature: jax.Array | float = 0.07) -> tuple[jax.Array, Terms]:
    """Return CLIP, and pseudo-labels: partners of matched rows, by similarity (Soft-PL)."""
    return _with_labels(
        e, temperature, functools.partial(losses.soft_labels, temperature=temperature)
    )


def s_clip(e: Embedded, *, temperature: jax.Array | float = 0.07) -> tuple[jax.Array, Terms]:
    """Return CLIP, and pseudo-labels: partners of matched rows, by a transport plan (S-CLIP)."""
    return _with_labels(
        e, temperature, functools.partial(losses.transport_labels, temperature=temperature)
    )


def plan_matching(
    e: Embedded,
    *,
    temperature: jax.Array | float = 0.07,
    weight: float = 1.0,
    epsilon: float = 0.05,
    teacher_epsilon: float = 0.02,
    iterations: int = 50,
) -> tuple[jax.Array, Terms]:
    """Return CLIP and the divergence from the initial transport plan of unmatched rows (SOTAlign).

    Raises:
      ValueError: there are no teacher rows, or a modality has no unmatched rows.
    """
    if e.teacher_x is None or e.teacher_y is None:
        raise ValueError("plan_matching needs rows of initial maps: give teacher_x and teacher_y.")
    if 0 in (len(e.unmatched_x), len(e.unmatched_y)):
        raise ValueError("plan_matching needs unmatched items of both modalities: give some.")
    target = losses.transport_plan(
        e.teacher_x, e.teacher_y, epsilon=teacher_epsilon, iterations=iterations
    )
    matching = losses.plan_matching_loss(
        e.unmatched_x, e.unmatched_y, target, epsilon=epsilon, iterations=iterations
    )
    value, terms = clip(e, temperature=temperature)
    return value + weight * matching, {**terms, "plan": matching}


def cauchy_schwarz(
    e: Embedded, *, temperature: jax.Array | float = 0.07, weight: float = 1.0
) -> tuple[jax.Array, Terms]:
    """Return CLIP plus the Cauchy-Schwarz divergence of all rows."""
    divergence = losses.cauchy_schwarz_divergence(e.every_x, e.every_y)
    value, terms = clip(e, temperature=temperature)
    return value + weight * divergence, {**terms, "cauchy_schwarz": divergence}


OBJECTIVES: dict[str, Objective] = {
    "clip": clip,
    "siglip": siglip,
    "gentle_clip": gentle_clip,
    "gentle_clip_official": gentle_clip_official,
    "hard_pl": hard_pl,
    "soft_pl": soft_pl,
    "s_clip": s_clip,
    "plan_matching": plan_matching,
    "cauchy_schwarz": cauchy_schwarz,
}
_WEIGHED = ("gentle_clip", "gentle_clip_official")


def weighed(name: str, settings: Mapping[str, Any]) -> Objective:
    """Return the objective of that name with the weights in config.loss.

    Raises:
      ValueError: there is no objective of that name.
    """
    if name not in OBJECTIVES:
        raise ValueError(f"There is no objective {name}: choose from {', '.join(OBJECTIVES)}.")
    if name not in _WEIGHED:
        return OBJECTIVES[name]
    return functools.partial(OBJECTIVES[name], **{key: settings[key] for key in _OF_GENTLE_CLIP})


def needs_pairs(name: str, settings: Mapping[str, Any]) -> bool:
    """Return whether the objective has a term on matched pairs."""
    return name not in _WEIGHED or bool(settings["clip_weight"])


def needs_views(name: str, settings: Mapping[str, Any]) -> bool:
    """Return whether the objective contrasts a second view of each item with the first."""
    return name in _WEIGHED and bool(settings["ssl_weight"])


def needs_teacher(name: str) -> bool:
    """Return whether the objective needs unmatched rows embedded with the initial parameters."""
    return name == "plan_matching"


def _gentle_clip(
    loss: Callable[..., tuple[jax.Array, Terms]],
    e: Embedded,
    temperature: jax.Array | float,
    weights: Mapping[str, float],
) -> tuple[jax.Array, Terms]:
    whole = e.pair_x is not None
    clip_weight = weights.get("clip_weight", 1.0)
    total, terms = loss(
        e.every_x,
        e.every_y,
        num_matched=len(e.x),
        temperature=temperature,
        x_view=e.view_x,
        y_view=e.view_y,
        **(dict(weights) | ({"clip_weight": 0.0} if whole else {})),
    )
    if whole and clip_weight:
        value, of_pairs = clip(e, temperature=temperature)
        total, terms = total + clip_weight * value, {**terms, **of_pairs}
    return total, terms


def _with_labels(
    e: Embedded,
    temperature: jax.Array | float,
    labels: Callable[[jax.Array, jax.Array], jax.Array],
) -> tuple[jax.Array, Terms]:
    total, terms = clip(e, temperature=temperature)
    pseudo = jnp.zeros_like(total)
    sides = ((e.unmatched_x, e.x, e.y), (e.unmatched_y, e.y, e.x))
    for query, support, partners in sides:
        if len(query) > 0:
            pseudo += losses.pseudo_label_loss(
                query, partners, labels(query, support), temperature=temperature
            )
    return total + pseudo, {**terms, "pseudo_labels": pseudo}
