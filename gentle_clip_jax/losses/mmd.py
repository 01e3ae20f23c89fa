"""Maximum mean discrepancy, a distance between the distributions of two sets."""

import jax
import jax.numpy as jnp

from gentle_clip_jax.losses import arguments, pairwise
from gentle_clip_jax.losses.distance import compare


def bandwidth_ladder(
    x: jax.Array,
    y: jax.Array,
    *,
    num: int = 5,
    ratio: float = 2.0,
    where_x: jax.Array | None = None,
    where_y: jax.Array | None = None,
) -> jax.Array:
    """Return squared bandwidths [num]: a geometric ladder around the rows' mean squared distance.

    sigma_k^2 = m ratio^(k - (num - 1) / 2), m = the mean of ||a - b||^2 over all pairs of distinct
    rows of both sets, which is twice their total variance and so costs O((n + m) d). A constant
    under differentiation.

    Args:
      x: [n, d] embeddings.
      y: [m, d] embeddings.
      num: the number of rungs.
      ratio: the ratio of neighbouring rungs.
      where_x: [n] bool, the valid rows.
      where_y: [m] bool.

    Source: Long et al. 2015, arXiv 1502.02791, for a family of kernels around a data scale.

    >>> bandwidth_ladder(jnp.zeros((1, 2)), jnp.ones((1, 2)), num=3).round(3).tolist()
    [1.0, 2.0, 4.0]
    """
    arguments.rows(x=x, y=y)  # one of the two may be empty
    arguments.masks(x.shape[:1], where_x=where_x)
    arguments.masks(y.shape[:1], where_y=where_y)
    arguments.whole(1, num=num)
    arguments.positive(ratio=ratio)
    x, where_x = pairwise.rows(x, where_x)
    y, where_y = pairwise.rows(y, where_y)
    sets = (x, where_x), (y, where_y)
    mean_distance = 2 * (pairwise.total_variance(*sets) + pairwise.floor(*sets))
    exponents = jnp.arange(num, dtype=x.dtype) - (num - 1) / 2
    return jax.lax.stop_gradient(mean_distance * jnp.asarray(ratio, x.dtype) ** exponents)


def multi_kernel_mmd(
    x: jax.Array,
    y: jax.Array,
    *,
    squared_bandwidths: jax.Array | None = None,
    where_x: jax.Array | None = None,
    where_y: jax.Array | None = None,
    block_size: int | None = None,
) -> jax.Array:
    """Return the unbiased squared MMD under the mean of several Gaussian kernels.

    mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_ij k(x_i, y_j),
    k(a, b) = mean_u exp(-||a - b||^2 / (2 sigma_u^2)).

    Its expectation is 0 for equal distributions, so single values may be slightly negative.

    Args:
      x: [n, d] embeddings.
      y: [m, d] embeddings.
      squared_bandwidths: [u] sigma_u^2; `bandwidth_ladder(x, y)` if not given.
      where_x: [n] bool, the valid rows; 0 is returned if a set has fewer than two.
      where_y: [m] bool.
      block_size: rows of a tile: None to choose, 0 for one tile.

    Source: Gretton et al. 2012, JMLR 13, equation 3; arXiv 2406.05766, section 3.

    >>> x = jnp.array([[0.0], [1.0]])
    >>> round(float(multi_kernel_mmd(x, x + 9, squared_bandwidths=jnp.array([0.5]))), 4)
    0.7358
    """
    arguments.two_sets(x, y, where_x, where_y)
    arguments.block(block_size)
    x, where_x = pairwise.rows(x, where_x)
    y, where_y = pairwise.rows(y, where_y)
    if squared_bandwidths is None:
        rates, squarings = ladder_rates(bandwidth_ladder(x, y, where_x=where_x, where_y=where_y))
    else:
        arguments.positive_each(1, squared_bandwidths=squared_bandwidths)
        rates, squarings = 0.5 / jnp.asarray(squared_bandwidths, x.dtype), 0
    passes = compare(
        x, y, where_x, where_y, rates=rates, squarings=squarings, block_size=block_size
    )
    kernels = rates.shape[0] * (1 + squarings)
    within_x, within_y, between = (one.totals[0] / kernels for one in passes)
    return mmd_of_totals(within_x, within_y, between, where_x, where_y)


def ladder_rates(ladder: jax.Array) -> tuple[jax.Array, int]:
    """Return the rate [1] of a ladder's widest kernel, and the squarings to all others."""
    return 0.5 / ladder[-1:], ladder.shape[0] - 1


def mmd_of_totals(
    within_x: jax.Array,
    within_y: jax.Array,
    between: jax.Array,
    where_x: jax.Array,
    where_y: jax.Array,
) -> jax.Array:
    """Return the squared MMD from a kernel's sums over distinct rows of x, of y, and over both."""
    n, m = pairwise.count(where_x, between.dtype), pairwise.count(where_y, between.dtype)

    def mean(total: jax.Array, pairs: jax.Array) -> jax.Array:
        return total / jnp.maximum(pairs, 1)

    value = mean(within_x, n * (n - 1)) + mean(within_y, m * (m - 1)) - 2 * mean(between, n * m)
    return jnp.where((n > 1) & (m > 1), value, 0)
