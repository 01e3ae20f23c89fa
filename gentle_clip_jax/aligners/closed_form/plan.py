"""The entropic plan between two sets of embedded rows, as a transported covariance."""

from gentle_clip_jax.aligners.closed_form.arrays import Array, log_sum_exp, scan

_BLOCK = 128  # rows in a block of the kernel: 50 MB of 100,000 columns
_HELD = 4096 * 4096  # cosines of a kernel that is stored whole, which is several times as fast


def transported_covariance(
    embedded_x: Array,
    embedded_y: Array,
    x: Array,
    y: Array,
    *,
    epsilon: float,
    iterations: int,
) -> Array:
    """Return X^T P Y [dx, dy], P the entropic plan [n, m] between unit rows [n, k] and [m, k].

    The last half step of Sinkhorn's algorithm makes the row sums of P exactly 1 / n. The kernel of
    a small plan is stored whole, that of a large one is made in blocks of rows in every iteration;
    both agree but for rounding. Time grows with n m, memory of large plans with n + m.
    """
    # ott-jax 0.6 has this in blocks, but not on the versions of jax that we run on.
    if len(x) * len(y) <= _HELD:
        return _held(embedded_x @ embedded_y.T / epsilon, x, y, iterations)
    return _in_blocks(embedded_x / epsilon, embedded_y, x, y, iterations)


def _held(exponents: Array, x: Array, y: Array, iterations: int) -> Array:
    """Return it from all cosines [n, m] in units of epsilon."""
    # The largest number of every row and column of the kernel becomes 1, so that products are safe.
    xp = exponents.__array_namespace__()
    exponents = exponents - xp.max(exponents, axis=1, keepdims=True)
    largest = xp.max(exponents, axis=0)
    kernel = xp.exp(exponents - largest[None, :])
    tiny = xp.finfo(kernel.dtype).tiny

    def balance(columns: Array, _: None) -> tuple[Array, None]:
        rows = 1 / xp.maximum(kernel @ columns, tiny)
        return 1 / xp.maximum(rows @ kernel, tiny), None

    columns, _ = scan(balance, xp.exp(largest), None, length=max(iterations, 1))
    sums = xp.maximum(kernel @ columns, tiny)
    return x.T @ (kernel @ (columns[:, None] * y) / sums[:, None]) / len(x)


def _in_blocks(embedded_x: Array, embedded_y: Array, x: Array, y: Array, iterations: int) -> Array:
    """Return it from rows whose products are cosines in units of epsilon, a pass an iteration."""
    xp = x.__array_namespace__()
    rows, tiny = _blocks(embedded_x), xp.finfo(x.dtype).tiny
    # Rows that pad the last block have no share in any column.
    padding = xp.where(xp.arange(rows.shape[0] * _BLOCK) < len(x), 0, -xp.inf).astype(x.dtype)

    def begin(sums: Array, block: tuple[Array, Array]) -> tuple[Array, Array]:
        exponents = block[0] @ embedded_y.T
        exponents_x = block[1] - log_sum_exp(exponents, axis=1)
        of_block = log_sum_exp(exponents + exponents_x[:, None], axis=0)
        return xp.logaddexp(sums, of_block), exponents_x

    nothing = xp.full_like(embedded_y[:, 0], -xp.inf)
    sums, exponents_x = scan(begin, nothing, (rows, padding.reshape(-1, _BLOCK)))

    def kernel(rows: Array, exponents: Array) -> Array:
        return xp.exp(rows @ embedded_y.T + exponents[:, None] - sums[None, :])

    def balance(columns: Array, _: None) -> tuple[Array, None]:
        def add(total: Array, block: tuple[Array, Array]) -> tuple[Array, None]:
            of_block = kernel(*block)
            return total + (1 / xp.maximum(of_block @ columns, tiny)) @ of_block, None

        total, _ = scan(add, xp.zeros_like(columns), (rows, exponents_x))
        return 1 / xp.maximum(total, tiny), None

    columns, _ = scan(balance, xp.ones_like(sums), None, length=max(iterations - 1, 0))

    carried = columns[:, None] * y

    def carry(_: None, block: tuple[Array, Array]) -> tuple[None, Array]:
        of_block = kernel(*block)
        return None, of_block @ carried / xp.maximum(of_block @ columns, tiny)[:, None]

    _, planned = scan(carry, None, (rows, exponents_x))
    return x.T @ planned.reshape(-1, y.shape[1])[: len(x)] / len(x)


def _blocks(rows: Array) -> Array:
    """Split rows [n, d] into [count, _BLOCK, d], padded with zeros."""
    count, xp = -(-len(rows) // _BLOCK), rows.__array_namespace__()
    padded = xp.pad(rows, ((0, count * _BLOCK - len(rows)), (0, 0)))
    return padded.reshape(count, _BLOCK, rows.shape[1])
