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


def alignment_metrics(x: jax.Array, y: jax.Array) -> dict[str, jax.Array]:
    """Return the modality gap and multi-kernel MMD of two unpaired sets, x [n, d] and y [m, d]."""
    return {"modality_gap": modality_gap(x, y), "mmd": losses.multi_kernel_mmd(x, y)}
