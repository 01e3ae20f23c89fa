"""Kernel densities of embeddings, and the divergence of two sets' densities (SDD)."""

import jax
import jax.numpy as jnp

from gentle_clip_jax.losses import arguments, kernels, pairwise
from gentle_clip_jax.losses.distance import compare
from gentle_clip_jax.losses.tiles import Log, Reduced, reduce_pairs


def kernel_density(
    query: jax.Array,
    data: jax.Array,
    *,
    bandwidth: float = 0.5,
    where: jax.Array | None = None,
    block_size: int | None = None,
) -> jax.Array:
    """Return the kernel density [n] of each query under the data, relative to a kernel's peak.

    p(q; D) = mean_j exp(-||q - D_j||^2 / (4 h^2 V(D))), V(D) = the total variance of D.

    Args:
      query: [n, d] embeddings.
      data: [m, d] embeddings.
      bandwidth: h, a kernel's deviation in units of the rows' root mean squared distance.
      where: [m] bool, the valid rows of data; 0 is returned if there are none.
      block_size: rows of a tile: None to choose, 0 for one tile.

    Source: arXiv 2406.05766, section 3, with a mean for the sum.

    >>> data = jnp.array([[-1.0], [1.0]])
    >>> [round(p, 2) for p in kernel_density(jnp.zeros((1, 1)), data).tolist()]
    [0.61]
    """
    arguments.rows(query=query, data=data)
    arguments.not_empty(query=query, data=data)
    arguments.masks(data.shape[:1], where=where)
    arguments.positive(bandwidth=bandwidth)
    arguments.block(block_size)
    query, _ = pairwise.rows(query)
    data, where = pairwise.rows(data, where)
    variance = pairwise.total_variance((data, where)) + pairwise.floor((data, where))
    center = jax.lax.stop_gradient(pairwise.center((data, where)))[None, :]
    query, data = query - center, jnp.where(where[:, None], data - center, 0)
    square = jnp.sum(jnp.square(query), axis=1)
    left = {
        "where": jnp.ones_like(square, bool),
        "square": square,
        "inverse_scale": jnp.full_like(square, 1 / (4 * bandwidth**2 * variance)),
    }
    right = {"where": where, "square": jnp.sum(jnp.square(data), axis=1)}
    kernel = kernels.Distance(density=Log(columns=False))
    pairs = reduce_pairs(kernel, query, left, data, right, block_size=block_size)
    num_rows = pairwise.count(where, query.dtype)
    density = jnp.exp(pairs.rows[0][0]) / jnp.maximum(num_rows, 1)
    return jnp.where(jnp.isfinite(query).all(axis=1), density, jnp.nan)


def semantic_density_loss(
    x: jax.Array,
    y: jax.Array,
    *,
    bandwidth: float = 0.5,
    item_x: jax.Array | None = None,
    item_y: jax.Array | None = None,
    where_x: jax.Array | None = None,
    where_y: jax.Array | None = None,
    block_size: int | None = None,
) -> jax.Array:
    """Return the stable SDD, a symmetric divergence of the two sets' densities.

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
      block_size: rows of a tile: None to choose, 0 for one tile.

    Source: arXiv 2406.05766, section 3, made independent of the batch size.

    >>> x = jnp.array([[0.0], [1.0], [2.0]])
    >>> bool(semantic_density_loss(x, x + 1) < semantic_density_loss(x, x + 2))
    True
    """
    arguments.two_sets(x, y, where_x, where_y)
    arguments.items(x.shape[0], item_x=item_x)
    arguments.items(y.shape[0], item_y=item_y)
    arguments.positive(bandwidth=bandwidth)
    arguments.block(block_size)
    x, where_x = pairwise.rows(x, where_x)
    y, where_y = pairwise.rows(y, where_y)
    inverse_scale, spread = density_scale(x, y, where_x, where_y, bandwidth)
    passes = compare(
        x,
        y,
        where_x,
        where_y,
        inverse_scale=inverse_scale,
        item_x=item_x,
        item_y=item_y,
        block_size=block_size,
    )
    counted = item_x is not None or item_y is not None
    return sdd_of_passes(*passes, where_x, where_y, counted=counted) * spread


def density_scale(
    x: jax.Array, y: jax.Array, where_x: jax.Array, where_y: jax.Array, bandwidth: float
) -> tuple[jax.Array, jax.Array]:
    """Return 1 / s, and the sum of the inverse squared spans."""
    least = pairwise.floor((x, where_x), (y, where_y))
    variance_x = pairwise.total_variance((x, where_x)) + least
    variance_y = pairwise.total_variance((y, where_y)) + least
    scale = 2 * bandwidth**2 * (variance_x + variance_y)
    return 1 / scale, 1 / (12 * variance_x) + 1 / (12 * variance_y)


def sdd_of_passes(
    within_x: Reduced,
    within_y: Reduced,
    between: Reduced,
    where_x: jax.Array,
    where_y: jax.Array,
    *,
    counted: bool = False,
) -> jax.Array:
    """Return the sum of J in both directions from the moments and log counts of each pass."""
    logs = slice(2 if counted else 1)
    own_x, own_y = within_x.rows[logs], within_y.rows[logs]
    of_x = _divergence(own_x, between.rows[logs], where_x, where_x, where_y)
    return of_x + _divergence(own_y, between.columns[logs], where_y, where_y, where_x)


def _divergence(
    own: list[list[jax.Array]],
    other: list[list[jax.Array]],
    queries: jax.Array,
    where_own: jax.Array,
    where_other: jax.Array,
) -> jax.Array:
    """Return J over the queries that have a neighbour in their own set and one in the other."""
    dtype = own[0][0].dtype
    log_p, error_p, has_neighbours = _log_density(own, pairwise.count(where_own, dtype) - 1)
    log_q, error_q, met = _log_density(other, pairwise.count(where_other, dtype))
    p, q = jnp.exp(log_p), jnp.exp(log_q)
    noise = (p + q) * (error_p + error_q) / 2
    return pairwise.mean((p - q) * (log_p - log_q) - noise, queries & has_neighbours & met)


def _log_density(
    moments: list[list[jax.Array]], neighbours: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return the log of the mean kernel [n], its squared relative error, and where defined."""
    (log_sum, log_square_sum), *counted = moments
    # Rows without any neighbour carry a huge finite number that must not meet a product.
    count = jnp.round(jnp.exp(counted[0][0])) if counted else jnp.full_like(log_sum, neighbours)
    defined, log_count = count > 0, jnp.log(jnp.maximum(count, 1))
    log_mean = jnp.where(defined, log_sum - log_count, 0)
    log_square = jnp.where(defined, log_square_sum - log_count, 0)
    relative_variance = jnp.expm1(jnp.maximum(log_square - 2 * log_mean, 0))
    return log_mean, relative_variance / jnp.maximum(count - 1, 1), defined
