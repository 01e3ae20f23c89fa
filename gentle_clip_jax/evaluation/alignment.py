"""Geometry of two modalities in their shared space; every function works under jit."""

import jax
import jax.numpy as jnp

from gentle_clip_jax import losses
from gentle_clip_jax.losses import pairwise


def modality_gap(x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the distance between the means of x [n, d] and y [m, d], from 0 to 2 for unit rows.

    || mean_i x_i - mean_j y_j ||. Source: Liang et al., Mind the Gap (arXiv 2203.02053), eq. 1.

    >>> f"{modality_gap(jnp.eye(2), -jnp.eye(2)):.3f}"
    '1.414'
    """
    (x, _), (y, _) = pairwise.rows(x), pairwise.rows(y)
    return jnp.linalg.norm(jnp.mean(x, axis=0) - jnp.mean(y, axis=0))


def pair_distance(x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the mean squared distance of matched rows x [n, d] and y [n, d]; 4 at most for units.

    mean_i ||x_i - y_i||^2. Source: the alignment of Wang and Isola (arXiv 2005.10242), alpha = 2.
    """
    (x, _), (y, _) = pairwise.rows(x), pairwise.rows(y)
    return jnp.mean(jnp.sum(jnp.square(x - y), axis=1))


def uniformity(x: jax.Array) -> jax.Array:
    """Return the uniformity of the rows x [n, d] on the sphere: 0 if equal, lower if spread out.

    log mean_{i != j} exp(-2 ||x_i - x_j||^2); 0 for one row. Source: Wang and Isola
    (arXiv 2005.10242), t = 2.
    """
    x, _ = pairwise.rows(x)
    n = x.shape[0]
    kernel = jnp.exp(-2 * pairwise.squared_distance_within(x))
    return jnp.log((jnp.sum(kernel) - n) / (n * (n - 1))) if n > 1 else jnp.zeros((), x.dtype)


def alignment_metrics(x: jax.Array, y: jax.Array) -> dict[str, jax.Array]:
    """Return the modality gap and multi-kernel MMD of two unpaired sets, x [n, d] and y [m, d]."""
    return {"modality_gap": modality_gap(x, y), "mmd": losses.multi_kernel_mmd(x, y)}
