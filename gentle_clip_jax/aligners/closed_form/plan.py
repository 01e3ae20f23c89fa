"""The entropic plan between two sets of embedded rows, as a transported covariance."""

import jax
import jax.numpy as jnp

_BLOCK = 128  # rows in a block of the kernel: 50 MB of 100,000 columns
_HELD = 4096 * 4096  # cosines of a kernel that is stored whole, which is several times as fast


def transported_covariance(
    embedded_x: jax.Array,
    embedded_y: jax.Array,
    x: jax.Array,
    y: jax.Array,
    *,
    epsilon: float,
    iterations: int,
) -> jax.Array:
    """Return X^T P Y [dx, dy], P the entropic plan [n, m] between unit rows [n, k] and [m, k].

    The last half step of Sinkhorn's algorithm makes the row sums of P exactly 1 / n. The kernel of
    a small plan is stored whole, that of a large one is made in blocks of rows in every iteration;
    both agree but for rounding. Time grows with n m, memory of large plans with n + m.
    """
    # ott-jax 0.6 has this in blocks, but not on the versions of jax that we run on.
    if len(x) * len(y) <= _HELD:
        return _held(embedded_x @ embedded_y.T / epsilon, x, y, iterations)
    return _in_blocks(embedded_x / epsilon, embedded_y, x, y, iterations)


def _held(exponents: jax.Array, x: jax.Array, y: jax.Array, iterations: int) -> jax.Array:
    """Return it from all cosines [n, m] in units of epsilon."""
    # One step in logarithms brings the kernel's columns to 1: later steps change
    # little, so that products are safe.
    exponents = exponents - jax.nn.logsumexp(exponents, axis=1)[:, None]
    kernel = jnp.exp(exponents - jax.nn.logsumexp(exponents, axis=0)[None, :])
    tiny = jnp.finfo(kernel.dtype).tiny

    def balance(columns: jax.Array, _: None) -> tuple[jax.Array, None]:
        rows = 1 / jnp.maximum(kernel @ columns, tiny)
        return 1 / jnp.maximum(rows @ kernel, tiny), None

    columns, _ = jax.lax.scan(balance, jnp.ones_like(kernel[0]), length=max(iterations - 1, 0))
    sums = jnp.maximum(kernel @ columns, tiny)
    return x.T @ (kernel @ (columns[:, None] * y) / sums[:, None]) / len(x)


def _in_blocks(
    embedded_x: jax.Array, embedded_y: jax.Array, x: jax.Array, y: jax.Array, iterations: int
) -> jax.Array:
    """Return it from rows whose products are cosines in units of epsilon, a pass an iteration."""
    rows, tiny = _blocks(embedded_x), jnp.finfo(x.dtype).tiny
    # Rows that pad the last block have no share in any column.
    padding = jnp.where(jnp.arange(rows.shape[0] * _BLOCK) < len(x), 0, -jnp.inf).astype(x.dtype)

    def begin(sums: jax.Array, block: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        exponents = block[0] @ embedded_y.T
        exponents_x = block[1] - jax.nn.logsumexp(exponents, axis=1)
        of_block = jax.nn.logsumexp(exponents + exponents_x[:, None], axis=0)
        return jnp.logaddexp(sums, of_block), exponents_x

    nothing = jnp.full_like(embedded_y[:, 0], -jnp.inf)
    sums, exponents_x = jax.lax.scan(begin, nothing, (rows, padding.reshape(-1, _BLOCK)))

    def kernel(rows: jax.Array, exponents: jax.Array) -> jax.Array:
        return jnp.exp(rows @ embedded_y.T + exponents[:, None] - sums[None, :])

    def balance(columns: jax.Array, _: None) -> tuple[jax.Array, None]:
        def add(total: jax.Array, block: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
            of_block = kernel(*block)
            return total + (1 / jnp.maximum(of_block @ columns, tiny)) @ of_block, None

        total, _ = jax.lax.scan(add, jnp.zeros_like(columns), (rows, exponents_x))
        return 1 / jnp.maximum(total, tiny), None

    columns, _ = jax.lax.scan(balance, jnp.ones_like(sums), length=max(iterations - 1, 0))

    carried = columns[:, None] * y

    def carry(_: None, block: tuple[jax.Array, jax.Array]) -> tuple[None, jax.Array]:
        of_block = kernel(*block)
        return None, of_block @ carried / jnp.maximum(of_block @ columns, tiny)[:, None]

    _, planned = jax.lax.scan(carry, None, (rows, exponents_x))
    return x.T @ planned.reshape(-1, y.shape[1])[: len(x)] / len(x)


def _blocks(rows: jax.Array) -> jax.Array:
    """Split rows [n, d] into [count, _BLOCK, d], padded with zeros."""
    count = -(-len(rows) // _BLOCK)
    padded = jnp.pad(rows, ((0, count * _BLOCK - len(rows)), (0, 0)))
    return padded.reshape(count, _BLOCK, rows.shape[1])
