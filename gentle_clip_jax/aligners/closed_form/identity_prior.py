"""Features of one space on both sides: its identity, and regression that shrinks towards it."""

import jax
import jax.numpy as jnp

from gentle_clip_jax.aligners.closed_form.cca import Maps
from gentle_clip_jax.aligners.closed_form.plan import transported_covariance
from gentle_clip_jax.aligners.closed_form.transported import few_pairs_weight
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.aligners.settings import Transport
from gentle_clip_jax.losses import pairwise


def identity(features: Features) -> Maps:
    """Return maps that keep the space: cosines of the features as they are."""
    width = features.x.shape[2]
    zero, eye = jnp.zeros(width, features.x.dtype), jnp.eye(width, dtype=features.x.dtype)
    return Maps(zero, eye, zero, eye)


@jax.jit
def ridge_to_identity(features: Features, *, shrinkage: jax.Array | float) -> Maps:
    """Fit a regression of y on x that shrinks towards the identity, around the mean of each.

    argmin_W ||x W - y||^2 / n + r tr(Cxx) / d ||W - I||^2
    = I + (Cxx + r tr(Cxx) / d I)^-1 x^T (y - x) / n.

    Args:
      features: of one space; the means are those of all items, matched or not.
      shrinkage: r > 0, in units of the mean variance of a dimension.

    Source: Hoerl and Kennard 1970, Technometrics 12, with another prior mean.
    """
    mean_x, mean_y, (x, y, _, _) = _centred(features)
    map_x = _solved(x.T @ x / len(x), x.T @ (y - x) / len(x), shrinkage)
    return Maps(mean_x, map_x, mean_y, jnp.eye(len(mean_y), dtype=y.dtype))


@jax.jit(static_argnames="rounds")
def transported_to_identity(
    features: Features, start: Maps, *, shrinkage: jax.Array | float, rounds: int
) -> Maps:
    """Fit `ridge_to_identity` to the pairs and to a transport plan between the unmatched items.

    A round embeds the unmatched items by the current maps, finds the entropic plan P between them,
    and fits to moments (1 - w) of the pairs + w of the unmatched items, whose partners are P's;
    w = 0.5 + 0.3 s, s = 250 / (250 + n).

    Args:
      features: of one space, of matched and of unmatched items.
      start: maps of the first round.
      shrinkage: see `ridge_to_identity`.
      rounds: number of plans.
    """
    mean_x, mean_y, (x, y, rest_x, rest_y) = _centred(features)
    mix = Transport.mix + Transport.mix_few * few_pairs_weight(len(x))
    of_rest, eye = rest_x.T @ rest_x / len(rest_x), jnp.eye(len(mean_y), dtype=y.dtype)
    covariance = (1 - mix) * x.T @ x / len(x) + mix * of_rest
    fixed = (1 - mix) * x.T @ (y - x) / len(x) - mix * of_rest

    def refit(_: int, map_x: jax.Array) -> jax.Array:
        planned = transported_covariance(
            pairwise.normalize(rest_x @ map_x),
            pairwise.normalize(rest_y),
            rest_x,
            rest_y,
            epsilon=Transport.epsilon,
            iterations=Transport.iterations,
        )
        return _solved(covariance, fixed + mix * planned, shrinkage)

    return Maps(mean_x, jax.lax.fori_loop(0, rounds, refit, start.map_x), mean_y, eye)


def _centred(features: Features) -> tuple[jax.Array, jax.Array, list[jax.Array]]:
    """Return the means [d] of both modalities, and all items [n, d] around them."""
    items = [jnp.mean(rows, axis=1) for rows in features]
    means = [jnp.mean(jnp.concatenate(of), axis=0) for of in (items[::2], items[1::2])]
    return means[0], means[1], [of - mean[None, :] for of, mean in zip(items, means * 2)]


def _solved(covariance: jax.Array, change: jax.Array, shrinkage: jax.Array | float) -> jax.Array:
    """Return I + (C + r tr(C) / d I)^-1 change."""
    width = len(covariance)
    eye = jnp.eye(width, dtype=covariance.dtype)
    ridge = shrinkage * jnp.trace(covariance) / width
    # Items that are all alike change nothing.
    ridge = jnp.where(ridge > 0, ridge, 1)
    return eye + jax.scipy.linalg.solve(covariance + ridge * eye, change, assume_a="pos")
