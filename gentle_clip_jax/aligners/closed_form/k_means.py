"""k-means: a few centres that represent many rows."""

import functools

import jax
import jax.numpy as jnp

_BLOCK = 1024  # rows in a block of distances
_STEPS = 30


@functools.partial(jax.jit, static_argnames="count")
def k_means(rows: jax.Array, key: jax.Array, count: int) -> jax.Array:
    """Return centres [count, d] of rows [n, d] by Lloyd's algorithm, from random rows.

    Memory is linear in n. Source: Lloyd 1982, IEEE Transactions on Information Theory 28.
    """

    def step(centers: jax.Array, _: None) -> tuple[jax.Array, None]:
        square = jnp.sum(jnp.square(centers), axis=1)

        def nearest(row: jax.Array) -> jax.Array:
            return jnp.argmin(square - 2 * centers @ row)

        member = jax.lax.map(nearest, rows, batch_size=_BLOCK)
        size = jax.ops.segment_sum(jnp.ones_like(rows[:, 0]), member, count)
        means = jax.ops.segment_sum(rows, member, count) / jnp.maximum(size, 1)[:, None]
        return jnp.where(size[:, None] > 0, means, centers), None

    first = rows[jax.random.choice(key, len(rows), (count,), replace=False)]
    return jax.lax.scan(step, first, length=_STEPS)[0]
