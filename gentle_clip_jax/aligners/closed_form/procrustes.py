"""Orthogonal Procrustes: rotations of both modalities into one space."""

import functools

import jax
import jax.numpy as jnp

from gentle_clip_jax.aligners.closed_form.cca import Maps
from gentle_clip_jax.aligners.settings import Procrustes
from gentle_clip_jax.evaluation import pairs


@functools.partial(jax.jit, static_argnames="dim")
def procrustes(x: jax.Array, y: jax.Array, *, dim: int = Procrustes.dim) -> Maps:
    """Fit orthogonal maps under which the pairs lie closest, of equal lengths or not.

    U S V^T = SVD(Cxy); the maps are the first columns of U and of V. Where dx = dy = dim, x U and
    y V differ by the rotation R = U V^T that minimises ||x R - y||. Columns without covariance,
    which few pairs or constant features leave, are zero.

    Args:
      x: [n, dx] features, float32 or float64.
      y: [n, dy] features; y[i] is the pair of x[i].
      dim: k, at most; no more than min(n, dx, dy) directions exist.

    Raises:
      ValueError: there are fewer than two pairs, or not as many rows in x as in y.

    Source: Schönemann 1966, Psychometrika 31; between lengths, Smith et al., arXiv 1702.03859.
    """
    pairs.count(x, y)
    mean_x, mean_y = jnp.mean(x, axis=0), jnp.mean(y, axis=0)
    # Few pairs span few directions: the SVD is then of a matrix [n, n], however long features are.
    basis_x, rows_x = jnp.linalg.qr((x - mean_x[None, :]).T)
    basis_y, rows_y = jnp.linalg.qr((y - mean_y[None, :]).T)
    left, covariances, right = jnp.linalg.svd(rows_x @ rows_y.T, full_matrices=False)
    least = max(x.shape + y.shape) * jnp.finfo(x.dtype).eps * covariances[0]
    has_covariance = (covariances > least)[None, :dim]
    map_x, map_y = basis_x @ left[:, :dim], basis_y @ right[:dim].T
    return Maps(
        mean_x, jnp.where(has_covariance, map_x, 0), mean_y, jnp.where(has_covariance, map_y, 0)
    )
