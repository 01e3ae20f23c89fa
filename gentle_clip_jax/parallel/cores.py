"""Number of cores that this process may use, and the limit of one core for LAPACK."""

import functools
import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def one_core_for_lapack(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Limit LAPACK to one core until the arrays of a function's result are computed.

    If both XLA and LAPACK use every core, they wait for each other and take a hundred times as
    long. XLA computes after the function has returned, so that its result is waited for.
    """

    @functools.wraps(function)
    def limited(*args: Parameters.args, **settings: Parameters.kwargs) -> Result:
        import jax  # takes a second to load; what only counts cores does without

        with threadpool_limits(limits=1, user_api="blas"):
            return jax.block_until_ready(function(*args, **settings))

    return limited


def count_cores() -> int:
    """Return the number of cores that this process is bound to, or of all cores."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
