"""Similarities and distances between the rows of two sets: the one place that decides precision."""

import jax
import jax.numpy as jnp


def rows(x: jax.Array, where: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
    """Returns x [n, d] in float32 (float64 stays) with its padding zeroed, and its mask [n]."""
    # The lowest precision in which 1 - 1e-6 differs from 1, as near-collapsed sets need.
    x = x.astype(jnp.float64 if x.dtype == jnp.float64 else jnp.float32)
    if where is None:
        return x, jnp.ones(x.shape[0], bool)
    return jnp.where(where[:, None], x, 0), where


def normalize(x: jax.Array) -> jax.Array:
    """Scales the rows of x [n, d] to unit length; a zero row stays zero, and so does its gradient.

    >>> normalize(jnp.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    x, _ = rows(x)
    squared = jnp.sum(jnp.square(x), axis=1, keepdims=True)
    positive = squared > 0
    # The inner where keeps rsqrt's infinite slope at 0 out of the gradient.
    return jnp.where(positive, x * jax.lax.rsqrt(jnp.where(positive, squared, 1)), 0)


def similarity(x: jax.Array, y: jax.Array) -> jax.Array:
    """Inner products x_i . y_j [n, m] of x [n, d] and y [m, d]."""
    return jnp.matmul(x, y.T, precision=jax.lax.Precision.HIGHEST)


def squared_distance(x: jax.Array, y: jax.Array) -> jax.Array:
    """Squared distances ||x_i - y_j||^2 [n, m] of x [n, d] and y [m, d], never negative."""
    x_norm = jnp.sum(jnp.square(x), axis=1)
    y_norm = jnp.sum(jnp.square(y), axis=1)
    return jnp.maximum(x_norm[:, None] + y_norm[None, :] - 2 * similarity(x, y), 0)


def squared_distance_within(x: jax.Array) -> jax.Array:
    """Squared distances ||x_i - x_j||^2 [n, n] of x [n, d], exactly 0 on the diagonal."""
    return jnp.where(jnp.eye(x.shape[0], dtype=bool), 0, squared_distance(x, x))


def mean(values: jax.Array, where: jax.Array) -> jax.Array:
    """Mean of the values [...] where the mask [...] holds; 0, not NaN, where it holds nowhere."""
    count = jnp.sum(where, dtype=values.dtype)
    return jnp.sum(jnp.where(where, values, 0)) / jnp.maximum(count, 1)


def log_sum_exp(logits: jax.Array, where: jax.Array) -> jax.Array:
    """log sum_j exp(logits_ij) [n] over the j in the mask [n, m]; huge and negative if none."""
    # A finite fill, unlike -inf, has a zero gradient even in rows that are masked throughout.
    fill = jnp.finfo(logits.dtype).min / 2
    return jax.nn.logsumexp(jnp.where(where, logits, fill), axis=1)


def total_variance(x: jax.Array, where: jax.Array) -> jax.Array:
    """Unbiased variance of the valid rows of x [n, d], summed over dimensions; 0 below two."""
    count = jnp.sum(where, dtype=x.dtype)
    center = jnp.sum(jnp.where(where[:, None], x, 0), axis=0) / jnp.maximum(count, 1)
    deviation = jnp.where(where[:, None], x - center[None, :], 0)
    return jnp.sum(jnp.square(deviation)) / jnp.maximum(count - 1, 1)


def floor(x: jax.Array, where: jax.Array) -> jax.Array:
    """The least variance of the rows of x [n, d] that counts: 1e-4 of their mean squared length."""
    # The absolute part is for zeros alone; its inverse square, in gradients, must fit float32.
    return 1e-4 * mean(jnp.sum(jnp.square(x), axis=1), where) + 1e-15


def distinct(where: jax.Array) -> jax.Array:
    """Mask [n, n] of the pairs of two different valid rows, of a mask of rows [n]."""
    return where[:, None] & where[None, :] & ~jnp.eye(where.shape[0], dtype=bool)
