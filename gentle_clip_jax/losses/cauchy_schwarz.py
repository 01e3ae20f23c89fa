"""Cauchy-Schwarz divergence of two sets' densities: 0 if they are proportional."""

import jax
import jax.numpy as jnp

from gentle_clip_jax.losses import arguments, pairwise
from gentle_clip_jax.losses.distance import compare
from gentle_clip_jax.losses.mmd import bandwidth_ladder


def cauchy_schwarz_divergence(
    x: jax.Array,
    y: jax.Array,
    *,
    squared_bandwidth: jax.Array | None = None,
    where_x: jax.Array | None = None,
    where_y: jax.Array | None = None,
    block_size: int | None = None,
) -> jax.Array:
    """Return the Cauchy-Schwarz divergence of two kernel density estimates.

    log mean_{i != j} k(x_i, x_j) + log mean_{i != j} k(y_i, y_j) - 2 log mean_ij k(x_i, y_j),
    k(a, b) = exp(-||a - b||^2 / (2 sigma^2)).

    This is minus the log of the squared cosine of the two densities. A row's kernel with itself is
    left out, as in `multi_kernel_mmd`, so equal distributions give roughly 0, perhaps less.

    Args:
      x: [n, d] embeddings.
      y: [m, d] embeddings.
      squared_bandwidth: [] sigma^2; the middle of `bandwidth_ladder(x, y)` if not given.
      where_x: [n] bool, the valid rows; 0 is returned if a set has fewer than two.
      where_y: [m] bool.
      block_size: rows of a tile: None to choose, 0 for one tile.

    Source: Jenssen et al. 2006, J. Franklin Institute 343; for two modalities Yin et al. 2025,
    arXiv 2502.17028, who count a row's kernel with itself.

    >>> x = jnp.array([[0.0], [1.0]])
    >>> round(float(cauchy_schwarz_divergence(x, x + 9, squared_bandwidth=jnp.float32(1.0))), 2)
    65.77
    """
    arguments.two_sets(x, y, where_x, where_y)
    arguments.block(block_size)
    x, where_x = pairwise.rows(x, where_x)
    y, where_y = pairwise.rows(y, where_y)
    if squared_bandwidth is None:
        squared_bandwidth = bandwidth_ladder(x, y, num=1, where_x=where_x, where_y=where_y)[0]
    arguments.positive_each(0, squared_bandwidth=squared_bandwidth)
    inverse_scale = 0.5 / jnp.asarray(squared_bandwidth, x.dtype)
    passes = compare(x, y, where_x, where_y, inverse_scale=inverse_scale, block_size=block_size)
    within_x, within_y, between = (one.rows[0][0] for one in passes)
    n, m = pairwise.count(where_x, x.dtype), pairwise.count(where_y, x.dtype)
    within = _log_mean(within_x, n, n - 1) + _log_mean(within_y, m, m - 1)
    return jnp.where((n > 1) & (m > 1), within - 2 * _log_mean(between, n, m), 0)


def _log_mean(logs: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """Return log mean exp over rows x columns pairs, from log sum exp of each row [n]."""
    logs = logs - jnp.log(jnp.maximum(columns, 1))
    top, axis = jnp.max(jax.lax.stop_gradient(logs)), pairwise.axis_name()
    top = top if axis is None else jax.lax.pmax(top, axis)
    return top + jnp.log(pairwise.total(jnp.exp(logs - top)) / jnp.maximum(rows, 1))
