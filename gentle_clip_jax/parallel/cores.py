"""Number of cores that this process may use, and the limit of one core for LAPACK."""

import os

from threadpoolctl import threadpool_limits

# A decorator that limits LAPACK to one core: if both XLA and LAPACK use every core, they wait for
# each other and take a hundred times as long.
one_core_for_lapack = threadpool_limits.wrap(limits=1, user_api="blas")


def count_cores() -> int:
    """Return the number of cores that this process is bound to, or of all cores."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
