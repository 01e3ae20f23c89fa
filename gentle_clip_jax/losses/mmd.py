"""Maximum mean discrepancy: how far apart two sets are as distributions."""

import jax
import jax.numpy as jnp

from gentle_clip_jax.losses import pairwise


def bandwidth_ladder(
    x: jax.Array,
    y: jax.Array,
    *,
    num: int = 5,
    ratio: float = 2.0,
    where_x: jax.Array | None = None,
    where_y: jax.Array | None = None,
) -> jax.Array:
    """Squared bandwidths [num]: a geometric ladder around the mean squared distance of the rows.

    sigma_k^2 = m ratio^(k - (num - 1) / 2), m = the mean of ||a - b||^2 over all pairs of distinct
    rows of both sets, which is twice their total variance and so costs O((n + m) d). A constant
    under differentiation.

    Args:
      x: [n, d] embeddings.
      y: [m, d] embeddings.
      num: the number of rungs.
      ratio: between neighbouring rungs.
      where_x: [n] bool, the valid rows.
      where_y: [m] bool.

    Source: Long et al. 2015, arXiv 1502.02791, for a family of kernels around a data scale.

    >>> bandwidth_ladder(jnp.zeros((1, 2)), jnp.ones((1, 2)), num=3).round(3).tolist()
    [1.0, 2.0, 4.0]
    """
    x, where_x = pairwise.rows(x, where_x)
    y, where_y = pairwise.rows(y, where_y)
    both, where = jnp.concatenate([x, y]), jnp.concatenate([where_x, where_y])
    mean_distance = 2 * (pairwise.total_variance(both, where) + pairwise.floor(both, where))
    exponents = jnp.arange(num, dtype=x.dtype) - (num - 1) / 2
    return jax.lax.stop_gradient(mean_distance * jnp.asarray(ratio, x.dtype) ** exponents)


def multi_kernel_mmd(
    x: jax.Array,
    y: jax.Array,
    *,
    squared_bandwidths: jax.Array | None = None,
    where_x: jax.Array | None = None,
    where_y: jax.Array | None = None,
) -> jax.Array:
    """Unbiased squared MMD under the mean of several Gaussian kernels.

    mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_ij k(x_i, y_j),
    k(a, b) = mean_u exp(-||a - b||^2 / (2 sigma_u^2)).

    Its expectation is 0 for equal distributions, so single values may be slightly negative.

    Args:
      x: [n, d] embeddings.
      y: [m, d] embeddings.
      squared_bandwidths: [u] sigma_u^2; `bandwidth_ladder(x, y)` if not given.
      where_x: [n] bool, the valid rows; 0 is returned if a set has fewer than two.
      where_y: [m] bool.

    Source: Gretton et al. 2012, JMLR 13, equation 3; arXiv 2406.05766, section 3.

    >>> x = jnp.array([[0.0], [1.0]])
    >>> round(float(multi_kernel_mmd(x, x + 9, squared_bandwidths=jnp.array([0.5]))), 4)
    0.7358
    """
    x, where_x = pairwise.rows(x, where_x)
    y, where_y = pairwise.rows(y, where_y)
    if squared_bandwidths is None:
        squared_bandwidths = bandwidth_ladder(x, y, where_x=where_x, where_y=where_y)
    rates = 0.5 / squared_bandwidths.astype(x.dtype)

    def mean_kernel(distance: jax.Array, where: jax.Array) -> jax.Array:
        kernels = (jnp.exp(-rate * distance) for rate in rates)
        return pairwise.mean(sum(kernels, start=jnp.zeros_like(distance)), where) / rates.shape[0]

    within_x = mean_kernel(pairwise.squared_distance(x, x), pairwise.distinct(where_x))
    within_y = mean_kernel(pairwise.squared_distance(y, y), pairwise.distinct(where_y))
    between = mean_kernel(pairwise.squared_distance(x, y), where_x[:, None] & where_y[None, :])
    defined = (jnp.sum(where_x) > 1) & (jnp.sum(where_y) > 1)
    return jnp.where(defined, within_x + within_y - 2 * between, 0)
