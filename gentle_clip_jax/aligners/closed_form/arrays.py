"""One formula for JAX's arrays, where it is compiled, and for NumPy's, where it runs as it is.

Few pairs of a few thousand items are fitted, and a saved aligner maps as many, in less time than
compiling for their number takes. JAX is loaded only for its own arrays.
"""

import dataclasses
import functools
import itertools
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np

from gentle_clip_jax.parallel.cores import one_core_for_lapack

Array = Any  # jax.Array or np.ndarray
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
_FEW = 4096  # rows that NumPy fits and maps without JAX, which would be slower to start


def leaves(tree: Any) -> Iterator[Any]:
    """Yield what tuples, lists, dictionaries and data classes hold, also inside, but None."""
    if isinstance(tree, Mapping):
        parts = tree.values()
    elif isinstance(tree, tuple | list):
        parts = tree
    elif dataclasses.is_dataclass(tree):
        parts = vars(tree).values()
    else:
        parts = ()
        if tree is not None:
            yield tree
    for part in parts:
        yield from leaves(part)


def is_numpy(tree: Any) -> bool:
    """Return whether all arrays of a tree are NumPy's."""
    arrays = [leaf for leaf in leaves(tree) if hasattr(leaf, "__array_namespace__")]
    return all(isinstance(array, np.ndarray | np.generic) for array in arrays)


def is_traced(array: Any) -> bool:
    """Return whether JAX traces a function of the array."""
    if isinstance(array, np.ndarray) or "jax" not in sys.modules:
        return False
    from jax import core

    return isinstance(array, core.Tracer)


def to_map(rows: Any) -> Array:
    """Return rows [n, d] as they are mapped: NumPy's stay if they are few, all others are JAX's."""
    if isinstance(rows, np.ndarray) and len(rows) <= _FEW:
        return rows
    import jax.numpy as jnp

    return jnp.asarray(rows)


def to_fit(*sets: np.ndarray) -> list[Array]:
    """Return items as they are fitted: all NumPy's if each set has few rows, else all JAX's."""
    if all(math.prod(items.shape[:-1]) <= _FEW for items in sets):
        return [*sets]
    import jax.numpy as jnp

    return [jnp.asarray(items) for items in sets]


def compiled(
    function: Callable[Parameters, Result], *, static_argnames: str | Sequence[str] = ()
) -> Callable[Parameters, Result]:
    """Compile a function, as `jax.jit` does, but load JAX when it is first called."""

    @functools.cache
    def jitted() -> Callable[Parameters, Result]:
        import jax

        return jax.jit(function, static_argnames=static_argnames)

    @functools.wraps(function)
    def call(*args: Parameters.args, **settings: Parameters.kwargs) -> Result:
        return jitted()(*args, **settings)

    return call


def compiled_for_jax(
    *, static_argnames: str | Sequence[str] = ()
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Compile a function for JAX's arrays alone; for NumPy's, LAPACK takes one core."""

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        by_jax = compiled(function, static_argnames=static_argnames)
        plain = one_core_for_lapack(function)

        @functools.wraps(function)
        def call(*args: Parameters.args, **settings: Parameters.kwargs) -> Result:
            return (plain if is_numpy(args) else by_jax)(*args, **settings)

        return call

    return decorate


def scan(
    step: Callable[[Any, Any], tuple[Any, Any]], state: Any, items: Any, length: int | None = None
) -> tuple[Any, Any]:
    """Return the last state and all results of `jax.lax.scan`, by a loop for NumPy's arrays."""
    if not is_numpy((state, items)):
        import jax

        return jax.lax.scan(step, state, items, length=length)
    rows = itertools.repeat(None, length or 0) if items is None else zip(*items)
    results = []
    for row in rows:
        state, result = step(state, row)
        results.append(result)
    return state, None if not results or results[0] is None else np.stack(results)


def log_sum_exp(values: Array, *, axis: int) -> Array:
    """Return the logarithm of the sum of exponentials along an axis, which is dropped."""
    if not is_numpy(values):
        import jax

        return jax.nn.logsumexp(values, axis=axis)
    top = np.max(values, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    shifted = values - top
    return np.log(np.sum(np.exp(shifted, out=shifted), axis=axis)) + np.squeeze(top, axis)


def unit_rows(rows: Array) -> Array:
    """Return rows [n, k] of length 1; a row of zeros stays one."""
    if not is_numpy(rows):
        from gentle_clip_jax.losses import pairwise

        return pairwise.normalize(rows)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


def concatenated(parts: Sequence[Array], *, axis: int = 0) -> Array:
    """Return arrays of one kind as one along an axis."""
    return parts[0].__array_namespace__().concatenate(parts, axis=axis)


def leading_singular(matrix: Array, count: int) -> tuple[Array, Array, Array]:
    """Return the first `count` singular vectors [m, k] and [n, k] of [m, n], and values [k].

    Of NumPy's float32 by the products of its columns in float64, which is as precise as a
    decomposition in float32 and four times as fast; vectors without a value are then 0.
    """
    xp = matrix.__array_namespace__()
    if not is_numpy(matrix) or matrix.dtype != np.float32:
        left, values, right = xp.linalg.svd(matrix, full_matrices=False)
        return left[:, :count], values[:count], right[:count].T
    if len(matrix) < len(matrix.T):
        right, values, left = leading_singular(matrix.T, count)
        return left, values, right
    precise = matrix.astype(np.float64)
    squares, right = np.linalg.eigh(precise.T @ precise)
    values, right = np.sqrt(np.maximum(squares[::-1][:count], 0)), right[:, ::-1][:, :count]
    least = max(np.finfo(np.float32).eps * values[0], np.finfo(np.float32).tiny)
    left = precise @ right / np.maximum(values, least)
    left, values, right = (of.astype(np.float32) for of in (left, values, right))
    return left, values, right


def inverse_triangular(lower: Array) -> Array:
    """Return the inverse of a lower triangular matrix [d, d]."""
    if is_numpy(lower):
        from scipy import linalg  # slow to load
    else:
        from jax.scipy import linalg
    eye = lower.__array_namespace__().eye(len(lower), dtype=lower.dtype)
    return linalg.solve_triangular(lower, eye, lower=True)


def shrunk(covariance: Array, shrinkage: Any) -> Array:
    """Return a covariance [d, d] with so many times its mean variance added to the diagonal.

    1 is added where nothing varies, so that it has an inverse.
    """
    xp, width = covariance.__array_namespace__(), len(covariance)
    ridge = shrinkage * xp.trace(covariance) / width
    ridge = xp.where(ridge > 0, ridge, 1).astype(covariance.dtype)
    return covariance + ridge * xp.eye(width, dtype=covariance.dtype)


def similarity(x: Array, y: Array) -> Array:
    """Return the inner products x_i . y_j [n, m] of x [n, d] and y [m, d]."""
    if is_numpy((x, y)):
        return x @ y.T
    from gentle_clip_jax.losses import pairwise

    return pairwise.similarity(x, y)


def softmax(values: Array) -> Array:
    """Return the softmax of each row of values [n, m]."""
    if not is_numpy(values):
        import jax

        return jax.nn.softmax(values, axis=1)
    shares = np.exp(values - np.max(values, axis=1, keepdims=True))
    return shares / np.sum(shares, axis=1, keepdims=True)


def top_k(values: Array, count: int) -> tuple[Array, Array]:
    """Return the greatest values [n, count] of each row [n, m], unsorted, and their columns."""
    if not is_numpy(values):
        import jax

        return jax.lax.top_k(values, count)
    columns = np.argpartition(values, values.shape[1] - count, axis=1)[:, -count:]
    return np.take_along_axis(values, columns, axis=1), columns


def least_of_greatest(values: Array, count: int) -> Array:
    """Return the least [n, 1] of the `count` greatest values of each row [n, m]."""
    xp = values.__array_namespace__()
    return -xp.partition(-values, count - 1, axis=1)[:, count - 1, None]  # faster than a sort


def centred(rows: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Return the mean [d] of rows [n, d], and the rows around it.

    weights: [n] of the rows. The mean is then the weighted one, and a row is multiplied by the root
    of its weight over the mean weight, so that products of rows are sums of weighted ones.
    """
    xp = rows.__array_namespace__()
    if weights is None:
        mean = xp.mean(rows, axis=0)
        return mean, rows - mean[None, :]
    share = weights / xp.sum(weights)
    mean = share @ rows
    return mean, (rows - mean[None, :]) * xp.sqrt(share * len(rows))[:, None]
