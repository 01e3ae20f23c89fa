"""The cores that this process may use."""

import os


def count_cores() -> int:
    """How many there are: those that it is bound to, where the system says."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
