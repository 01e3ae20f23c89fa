"""What a fit to large sets will take, told before it begins."""

import os
import time

import jax
import jax.numpy as jnp

from gentle_clip_jax.aligners import Problem
from gentle_clip_jax.aligners.closed_form.gentle import BANK_BYTES
from gentle_clip_jax.aligners.closed_form.transported import LAST_ITEMS, LAST_ROUNDS
from gentle_clip_jax.aligners.problem import PLAN_ITEMS

_ROUNDS, _DIM = 8, 128
# As benchmarks/large_sets.py measures them: what the exponentials and iterations of a plan take of
# a pair of items, in products; how much longer all takes than plans and neighbours; and how often
# the features are in memory, beside how many GiB.
_OF_A_PAIR, _OVERHEAD, _COPIES, _GIB = 400, 1.3, 5, 0.8


def outlook(problem: Problem) -> str | None:
    """A sentence about time and memory; None if one plan holds all that are to be planned."""
    counts = [
        min(len(items), problem.plan_items) for items in (problem.unmatched_x, problem.unmatched_y)
    ]
    plans = max(-(-count // PLAN_ITEMS) for count in counts)
    if plans < 2 or not min(counts):
        return None
    parts, whole = (
        max(-(-count // size) for count in counts) * min(counts[0], size) * min(counts[1], size)
        for size in (PLAN_ITEMS, LAST_ITEMS)
    )
    pairs = (_ROUNDS - LAST_ROUNDS) * parts + LAST_ROUNDS * whole
    products = pairs * (_DIM + problem.y.shape[2] + _OF_A_PAIR)
    products += (len(problem.x) + counts[0]) * BANK_BYTES / 4
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    minutes = _OVERHEAD * products * _seconds_a_product() / (cores or 1) / 60
    numbers = sum(items.size for items in (problem.unmatched_x, problem.unmatched_y))
    gib = _GIB + _COPIES * 4 * numbers / 2**30
    return (
        f"{counts[0]:,} and {counts[1]:,} unmatched items make {plans} plans in each of "
        f"{_ROUNDS - LAST_ROUNDS} rounds and larger ones in {LAST_ROUNDS}: about "
        f"{max(1, round(minutes))} min and {gib:.1f} GiB on this machine."
    )


def _seconds_a_product() -> float:
    """What a core takes for a multiplication and an addition in a matrix product.

    Of its own time, so that other work on the machine does not count.
    """
    rows, times = jnp.ones((2048, 512)), []
    for _ in range(3):
        begun = time.process_time()
        jax.block_until_ready(rows @ rows.T)
        times.append(time.process_time() - begun)
    return min(times) / (2048 * 2048 * 512)
