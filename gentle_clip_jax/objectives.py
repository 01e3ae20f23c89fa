"""What heads on frozen features are trained for: CLIP on the pairs, and what others add to it."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gentle_clip_jax import losses


class Embedded(NamedTuple):
    """A batch's embeddings, rows of unit length.

    x, y: [b, d] pairs.
    unmatched_x, unmatched_y: [u, d] and [v, d]; u and v may be 0.
    view_x, view_y: [b + u, d] and [b + v, d] second views, matched rows first.
    teacher_x, teacher_y: [u, d] and [v, d] the unmatched rows as the start embeds them; None
      without a start to learn from.
    """

    x: jax.Array
    y: jax.Array
    unmatched_x: jax.Array
    unmatched_y: jax.Array
    view_x: jax.Array
    view_y: jax.Array
    teacher_x: jax.Array | None
    teacher_y: jax.Array | None

    @property
    def all_x(self) -> jax.Array:
        """[b + u, d], matched rows first."""
        return jnp.concatenate([self.x, self.unmatched_x])

    @property
    def all_y(self) -> jax.Array:
        """[b + v, d], matched rows first."""
        return jnp.concatenate([self.y, self.unmatched_y])


Objective = Callable[[Embedded], jax.Array]


def clip(e: Embedded, *, temperature: float = 0.07) -> jax.Array:
    """CLIP of the pairs alone."""
    return losses.clip_loss(e.x, e.y, temperature=temperature)


def siglip(e: Embedded, *, temperature: float = 0.07) -> jax.Array:
    """SigLIP of the pairs alone; the bias gives a pair drawn at random its chance to match."""
    bias = -jnp.log(jnp.float32(max(len(e.x) - 1, 1)))
    return losses.sigmoid_loss(e.x, e.y, temperature=temperature, bias=bias)


def gentle_clip(
    e: Embedded,
    *,
    temperature: float = 0.07,
    mmd_weight: float = 1.0,
    sdd_weight: float = 1.0,
    ssl_weight: float = 0.15,
) -> jax.Array:
    """CLIP, MMD, SDD and SSL, in the stable forms and with `gentle_clip_loss`'s weights."""
    total, _ = losses.gentle_clip_loss(
        e.all_x,
        e.all_y,
        num_matched=len(e.x),
        temperature=temperature,
        x_view=e.view_x,
        y_view=e.view_y,
        mmd_weight=mmd_weight,
        sdd_weight=sdd_weight,
        ssl_weight=ssl_weight,
    )
    return total


def gentle_clip_official(e: Embedded) -> jax.Array:
    """The same terms as the paper's public demo computes and weighs them."""
    total, _ = losses.official.gentle_clip_loss(
        e.all_x, e.all_y, num_matched=len(e.x), x_view=e.view_x, y_view=e.view_y
    )
    return total


def hard_pl(e: Embedded, *, temperature: float = 0.07) -> jax.Array:
    """CLIP, and unmatched rows take the partner of the most similar matched row."""
    return _with_labels(e, temperature, losses.hard_labels)


def soft_pl(e: Embedded, *, temperature: float = 0.07) -> jax.Array:
    """CLIP, and unmatched rows take the partners of matched rows by their similarity."""

    def labels(query: jax.Array, support: jax.Array) -> jax.Array:
        return losses.soft_labels(query, support, temperature=temperature)

    return _with_labels(e, temperature, labels)


def s_clip(e: Embedded, *, temperature: float = 0.07) -> jax.Array:
    """CLIP, and unmatched rows take the partners of matched rows by a transport plan."""

    def labels(query: jax.Array, support: jax.Array) -> jax.Array:
        return losses.transport_labels(query, support, temperature=temperature)

    return _with_labels(e, temperature, labels)


def plan_matching(
    e: Embedded,
    *,
    temperature: float = 0.07,
    weight: float = 1.0,
    epsilon: float = 0.05,
    teacher_epsilon: float = 0.02,
    iterations: int = 50,
) -> jax.Array:
    """CLIP, and the unmatched rows' transport plan should be that of the start, as in SOTAlign."""
    if e.teacher_x is None or e.teacher_y is None:
        raise ValueError("plan_matching learns from the start: give `fit` a warm_start")
    if 0 in (len(e.unmatched_x), len(e.unmatched_y)):
        raise ValueError("plan_matching needs unmatched items of both modalities")
    target = losses.transport_plan(
        e.teacher_x, e.teacher_y, epsilon=teacher_epsilon, iterations=iterations
    )
    matching = losses.plan_matching_loss(
        e.unmatched_x, e.unmatched_y, target, epsilon=epsilon, iterations=iterations
    )
    return clip(e, temperature=temperature) + weight * matching


def cauchy_schwarz(e: Embedded, *, temperature: float = 0.07, weight: float = 1.0) -> jax.Array:
    """CLIP, and the Cauchy-Schwarz divergence of all rows."""
    divergence = losses.cauchy_schwarz_divergence(e.all_x, e.all_y)
    return clip(e, temperature=temperature) + weight * divergence


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


def _with_labels(
    e: Embedded, temperature: float, labels: Callable[[jax.Array, jax.Array], jax.Array]
) -> jax.Array:
    total = clip(e, temperature=temperature)
    sides = ((e.unmatched_x, e.x, e.y), (e.unmatched_y, e.y, e.x))
    for query, support, partners in sides:
        if len(query) > 0:
            total += losses.pseudo_label_loss(
                query, partners, labels(query, support), temperature=temperature
            )
    return total
