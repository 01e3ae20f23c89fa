"""Features of one space on both sides: its identity, and regression that shrinks towards it."""

import jax

from gentle_clip_jax.aligners.closed_form.arrays import (
    compiled_for_jax,
    concatenated,
    shrunk,
)
from gentle_clip_jax.aligners.closed_form.cca import Maps
from gentle_clip_jax.aligners.problem import Features


def identity(features: Features) -> Maps:
    """Return maps that keep the space: cosines of the features as they are."""
    width, dtype, xp = features.x.shape[2], features.x.dtype, features.x.__array_namespace__()
    zero, eye = xp.zeros(width, dtype), xp.eye(width, dtype=dtype)
    return Maps(zero, eye, zero, eye)


@compiled_for_jax()
def ridge_to_identity(features: Features, *, shrinkage: jax.Array | float) -> Maps:
    """Fit a regression of y on x that shrinks towards the identity, around the mean of each.

    argmin_W ||x W - y||^2 / n + r tr(Cxx) / d ||W - I||^2
    = I + (Cxx + r tr(Cxx) / d I)^-1 x^T (y - x) / n.

    Args:
      features: of one space; the means are those of all items, matched or not.
      shrinkage: r > 0, in units of the mean variance of a dimension.

    Source: Hoerl and Kennard 1970, Technometrics 12, with another prior mean.
    """
    items, xp = [rows.mean(axis=1) for rows in features], features.x.__array_namespace__()
    mean_x, mean_y = (concatenated(of).mean(axis=0) for of in (items[::2], items[1::2]))
    x, y = items[0] - mean_x[None, :], items[1] - mean_y[None, :]
    eye = xp.eye(x.shape[1], dtype=x.dtype)
    covariance = x.T @ x / len(x)
    change = x.T @ (y - x) / len(x)
    map_x = eye + xp.linalg.solve(shrunk(covariance, shrinkage), change)
    return Maps(mean_x, map_x, mean_y, eye)
