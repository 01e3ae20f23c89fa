"""Similarities, distances and moments of rows: the one place that decides precision."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import AxisType

Axis = str | tuple[str, ...] | None

# JAX keeps traced programs for each value of such a context: a loss that was traced alone is never
# taken for one over an axis, nor the other way round.
_axis = jax.make_user_context(None)


def over_axis(loss: Callable, axis: str | tuple[str, ...]) -> Callable:
    """Return the loss of the whole batch, for use in a shard_map that splits the rows by `axis`.

    The returned function takes what the loss takes, each device its own rows, and returns the same
    value on every device. Blocks of rows travel in a ring: no device ever holds all of them.
    A count of rows, such as `num_matched`, is that of one device. The shard_map must check
    varying axes (`check_vma`, its default) for gradients to be those of the whole batch.
    """

    @functools.wraps(loss)
    def over_axis(*args, **kwargs):
        with _axis(axis):
            return loss(*args, **kwargs)

    return over_axis


def axis_name() -> Axis:
    """Return the mesh axis that splits the rows, inside a loss `over_axis`; None elsewhere."""
    return _axis.value


def forbid_axis(what: str) -> None:
    """Raise ValueError inside a loss `over_axis`, where a device has only its own rows."""
    if axis_name() is not None:
        raise ValueError(
            f"{what} takes all rows at once: leave shard_map out and call the loss under jit, "
            "with the rows sharded over an Auto mesh"
        )


def total(values: jax.Array) -> jax.Array:
    """Return the sum over all rows of values [n, ...], those on other devices included."""
    summed, axis = jnp.sum(values, axis=0), axis_name()
    return summed if axis is None else jax.lax.psum(summed, axis)


def numbers(n: int) -> jax.Array:
    """Return numbers [n] that identify n rows, also among the rows on other devices."""
    axis = axis_name()
    first = 0 if axis is None else n * jax.lax.axis_index(axis)
    return first + jnp.arange(n, dtype=jnp.int32)


def rows(x: jax.Array, where: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
    """Return x [n, d] in float32 (float64 stays) with its padding zeroed, and its mask [n].

    Raises:
      ValueError: the rows lie on a mesh with Explicit axes, where pairs have no sharding.
    """
    # The lowest precision in which 1 - 1e-6 differs from 1, as near-collapsed sets need.
    x = x.astype(jnp.float64 if x.dtype == jnp.float64 else jnp.float32)
    if any(kind == AxisType.Explicit for kind in jax.typeof(x).sharding.mesh.axis_types):
        raise ValueError(
            "losses need Auto mesh axes: make the mesh with axis_types=(AxisType.Auto,), or under "
            "jax.set_mesh(mesh) call jax.sharding.auto_axes(loss, out_sharding=PartitionSpec())"
        )
    if where is None:
        return x, jnp.ones_like(x, dtype=bool, shape=x.shape[:1])
    return jnp.where(where[:, None], x, 0), where


def normalize(x: jax.Array) -> jax.Array:
    """Scale the rows of x [n, d] to unit length; a zero row stays zero, and so does its gradient.

    >>> normalize(jnp.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    x, _ = rows(x)
    # Times a power of two, which changes no digit, squares of long and of short rows are in range.
    squared, most = jnp.sum(jnp.square(x), axis=1, keepdims=True), jnp.finfo(x.dtype).maxexp
    short, long = squared < 2.0 ** (-0.8 * most), squared > 2.0 ** (0.8 * most)
    step = 2.0 ** round(0.6 * most)
    x = x * jnp.where(short, step, jnp.where(long, 1 / step, jnp.ones_like(squared)))
    squared = jnp.sum(jnp.square(x), axis=1, keepdims=True)
    positive = ~(squared <= 0)  # NaN stays NaN, so that it is noticed
    # The inner where keeps rsqrt's infinite slope at 0 out of the gradient.
    return jnp.where(positive, x * jax.lax.rsqrt(jnp.where(positive, squared, 1)), 0)


def similarity(x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the inner products x_i . y_j [n, m] of x [n, d] and y [m, d]."""
    return jnp.matmul(x, y.T, precision=jax.lax.Precision.HIGHEST)


def squared_distance(x: jax.Array, y: jax.Array) -> jax.Array:
    """Return squared distances ||x_i - y_j||^2 [n, m] of x [n, d] and y [m, d], never negative."""
    x_norm = jnp.sum(jnp.square(x), axis=1)
    y_norm = jnp.sum(jnp.square(y), axis=1)
    return jnp.maximum(x_norm[:, None] + y_norm[None, :] - 2 * similarity(x, y), 0)


def squared_distance_within(x: jax.Array) -> jax.Array:
    """Return squared distances ||x_i - x_j||^2 [n, n] of x [n, d], exactly 0 on the diagonal."""
    return jnp.where(jnp.eye(x.shape[0], dtype=bool), 0, squared_distance(x, x))


def mean(values: jax.Array, where: jax.Array) -> jax.Array:
    """Return the mean of the values [n] where the mask [n] is true.

    Return 0, not NaN, if it is true nowhere.
    """
    return total(jnp.where(where, values, 0)) / jnp.maximum(count(where, values.dtype), 1)


def count(where: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """Return the number of rows that are valid in the mask [n]."""
    return total(where.astype(dtype))


Set = tuple[jax.Array, jax.Array]  # rows [n, d] and the mask [n] of the valid ones


def center(*sets: Set) -> jax.Array:
    """Return the mean [d] of the valid rows of all sets; zeros if there are none."""
    sums = [total(jnp.where(where[:, None], x, 0)) for x, where in sets]
    return sum(sums[1:], start=sums[0]) / jnp.maximum(_held(*sets), 1)


@jax.checkpoint  # rather than keep all deviations for the backward pass
def total_variance(*sets: Set) -> jax.Array:
    """Return the unbiased variance of the valid rows of all sets, summed over dimensions.

    Return 0 if there are fewer than two rows.
    """
    middle = center(*sets)[None, :]
    deviations = [jnp.where(where[:, None], x - middle, 0) for x, where in sets]
    squares = [total(jnp.sum(jnp.square(deviation), axis=1)) for deviation in deviations]
    return sum(squares[1:], start=squares[0]) / jnp.maximum(_held(*sets) - 1, 1)


def floor(*sets: Set) -> jax.Array:
    """Return the smallest variance to divide by: 1e-4 of the rows' mean squared length."""
    squares = [total(jnp.where(where, jnp.sum(jnp.square(x), axis=1), 0)) for x, where in sets]
    # The absolute part is for zeros alone; its inverse square, in gradients, must fit float32.
    return 1e-4 * sum(squares[1:], start=squares[0]) / jnp.maximum(_held(*sets), 1) + 1e-15


def _held(*sets: Set) -> jax.Array:
    counts = [count(where, x.dtype) for x, where in sets]
    return sum(counts[1:], start=counts[0])


def log_sum_exp(phi: jax.Array, axis: int, moments: int) -> list[jax.Array]:
    """Return log sum exp(phi) along an axis; with two moments log sum exp(2 phi) as well."""
    top = jax.lax.stop_gradient(jnp.max(phi, axis=axis, keepdims=True))
    e = jnp.exp(phi - top)
    top = jnp.squeeze(top, axis)
    first = top + jnp.log(jnp.sum(e, axis=axis))
    return [first] if moments == 1 else [first, 2 * top + jnp.log(jnp.sum(e * e, axis=axis))]


def log_sum_exp_slope(phi: jax.Array, logs: list[jax.Array], bars: list[jax.Array]) -> jax.Array:
    """Return the gradient in phi of sum_k bars[k] logs[k], where logs are its `log_sum_exp`."""
    share = jnp.exp(phi - logs[0])
    if len(logs) == 1:
        return bars[0] * share
    # The squared shares sum to at least 1 / n, so their normaliser is a safe exponential.
    return share * (bars[0] + 2 * bars[1] * jnp.exp(2 * logs[0] - logs[1]) * share)
