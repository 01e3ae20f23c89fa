"""One formula for JAX's arrays, where it is compiled, and for NumPy's, where it runs as it is.

Few pairs of a few thousand items are fitted in less time than compiling for their number takes.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np

from gentle_clip_jax.losses import pairwise
from gentle_clip_jax.parallel.cores import one_core_for_lapack

Array = Any  # jax.Array or np.ndarray
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def is_numpy(tree: Any) -> bool:
    """Return whether all arrays of a pytree are NumPy's."""
    arrays = [leaf for leaf in jax.tree.leaves(tree) if hasattr(leaf, "__array_namespace__")]
    return all(isinstance(array, np.ndarray | np.generic) for array in arrays)


def compiled_for_jax(
    *, static_argnames: str | Sequence[str] = ()
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Compile a function for JAX's arrays alone; for NumPy's, LAPACK takes one core."""

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        compiled = jax.jit(function, static_argnames=static_argnames)
        plain = one_core_for_lapack(function)

        @functools.wraps(function)
        def call(*args: Parameters.args, **settings: Parameters.kwargs) -> Result:
            return (plain if is_numpy(args) else compiled)(*args, **settings)

        return call

    return decorate


def scan(
    step: Callable[[Any, Any], tuple[Any, Any]], state: Any, items: Any, length: int | None = None
) -> tuple[Any, Any]:
    """Return the last state and all results of `jax.lax.scan`, by a loop for NumPy's arrays."""
    if not is_numpy((state, items)):
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
        return jax.nn.logsumexp(values, axis=axis)
    top = np.max(values, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    shifted = values - top
    return np.log(np.sum(np.exp(shifted, out=shifted), axis=axis)) + np.squeeze(top, axis)


def unit_rows(rows: Array) -> Array:
    """Return rows [n, k] of length 1; a row of zeros stays one."""
    if not is_numpy(rows):
        return pairwise.normalize(rows)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


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
