"""Kernel densities of embeddings, and the divergence of two sets' densities (SDD)."""

import jax
import jax.numpy as jnp

from gentle_clip_jax.losses import pairwise


def kernel_density(
    query: jax.Array,
    data: jax.Array,
    *,
    bandwidth: float = 0.5,
    where: jax.Array | None = None,
) -> jax.Array:
    """Kernel density [n] of each query under the data, relative to the density at a kernel's peak.

    p(q; D) = mean_j exp(-||q - D_j||^2 / (4 h^2 V(D))), V(D) = the total variance of D.

    Args:
      query: [n, d] embeddings.
      data: [m, d] embeddings.
      bandwidth: h, a kernel's deviation in units of the rows' root mean squared distance.
      where: [m] bool, the valid rows of data; 0 is returned if there are none.

    Source: arXiv 2406.05766, section 3, with a mean for the sum.

    >>> data = jnp.array([[-1.0], [1.0]])
    >>> [round(p, 2) for p in kernel_density(jnp.zeros((1, 1)), data).tolist()]
    [0.61]
    """
    query, _ = pairwise.rows(query)
    data, where = pairwise.rows(data, where)
    variance = pairwise.total_variance(data, where) + pairwise.floor(data, where)
    scale = 4 * bandwidth**2 * variance
    kept = jnp.broadcast_to(where[None, :], (query.shape[0], data.shape[0]))
    log_density, _ = _log_density(query, data, scale, kept)
    return jnp.where(jnp.any(where), jnp.exp(log_density), 0)


def semantic_density_loss(
    x: jax.Array,
    y: jax.Array,
    *,
    bandwidth: float = 0.5,
    item_x: jax.Array | None = None,
    item_y: jax.Array | None = None,
    where_x: jax.Array | None = None,
    where_y: jax.Array | None = None,
) -> jax.Array:
    """Stable SDD: a two-way divergence of the two sets' densities, small where they are alike.

    (J(X; Y) + J(Y; X)) (1 / r(X) + 1 / r(Y)),   r(D) = 12 V(D), the squared span of a uniform set,
    J(X; Y) = mean_{q in X} (p - p') (log p - log p') - (p + p') (e + e') / 2,
    p = mean_{j: X_j != q} exp(-||q - X_j||^2 / s), p' the same under Y, s = 2 h^2 (V(X) + V(Y)),

    where e, e' are the squared relative standard errors of p and p': the last term removes what
    sampling noise alone adds to the product. Independent of the batch size, and 0 in expectation
    for equal distributions, so single values may be slightly negative. docs/method.md derives it.

    Args:
      x: [n, d] embeddings.
      y: [m, d] embeddings.
      bandwidth: h, a kernel's deviation in units of the rows' root mean squared distance.
      item_x: [n] int; rows with one item number (two views, a pair) leave out each other's kernel.
      item_y: [m] int.
      where_x: [n] bool, the valid rows.
      where_y: [m] bool.

    Source: arXiv 2406.05766, section 3, made independent of the batch size.

    >>> x = jnp.array([[0.0], [1.0], [2.0]])
    >>> bool(semantic_density_loss(x, x + 1) < semantic_density_loss(x, x + 2))
    True
    """
    x, where_x = pairwise.rows(x, where_x)
    y, where_y = pairwise.rows(y, where_y)
    least = pairwise.floor(jnp.concatenate([x, y]), jnp.concatenate([where_x, where_y]))
    variance_x = pairwise.total_variance(x, where_x) + least
    variance_y = pairwise.total_variance(y, where_y) + least
    scale = 2 * bandwidth**2 * (variance_x + variance_y)
    within_x, within_y = pairwise.distinct(where_x), pairwise.distinct(where_y)
    between = where_x[:, None] & where_y[None, :]
    if item_x is not None:
        within_x &= item_x[:, None] != item_x[None, :]
    if item_y is not None:
        within_y &= item_y[:, None] != item_y[None, :]
    if item_x is not None and item_y is not None:
        between &= item_x[:, None] != item_y[None, :]
    divergence = _divergence(x, x, y, scale, within_x, between)
    divergence += _divergence(y, x, y, scale, between.T, within_y)
    return divergence * (1 / (12 * variance_x) + 1 / (12 * variance_y))


def _divergence(
    query: jax.Array,
    x: jax.Array,
    y: jax.Array,
    scale: jax.Array,
    where_x: jax.Array,
    where_y: jax.Array,
) -> jax.Array:
    """J over the queries that have a neighbour in x and one in y, under the masks [n, .]."""
    log_p, error_p = _log_density(query, x, scale, where_x)
    log_q, error_q = _log_density(query, y, scale, where_y)
    p, q = jnp.exp(log_p), jnp.exp(log_q)
    noise = (p + q) * (error_p + error_q) / 2
    queries = jnp.any(where_x, axis=1) & jnp.any(where_y, axis=1)
    return pairwise.mean((p - q) * (log_p - log_q) - noise, queries)


def _log_density(
    query: jax.Array, data: jax.Array, scale: jax.Array, where: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Log of the mean kernel [n], and the squared relative standard error of that mean [n]."""
    count = jnp.sum(where, axis=1, dtype=query.dtype)
    exponents = -pairwise.squared_distance(query, data) / scale
    log_count = jnp.log(jnp.maximum(count, 1))
    # Rows without any neighbour carry a huge finite number that must not meet a product.
    neighbours = count > 0
    log_mean = jnp.where(neighbours, pairwise.log_sum_exp(exponents, where) - log_count, 0)
    log_square = jnp.where(neighbours, pairwise.log_sum_exp(2 * exponents, where) - log_count, 0)
    relative_variance = jnp.expm1(jnp.maximum(log_square - 2 * log_mean, 0))
    return log_mean, relative_variance / jnp.maximum(count - 1, 1)
