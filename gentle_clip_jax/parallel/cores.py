"""The cores that this process may use."""

import os

from threadpoolctl import threadpool_limits

# A decorator: in what it decorates, LAPACK takes one core. Where XLA runs beside it both would take
# every core, and wait for each other a hundred times as long.
one_core_for_lapack = threadpool_limits.wrap(limits=1, user_api="blas")


def count_cores() -> int:
    """Return the number of cores that this process is bound to, or of all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
