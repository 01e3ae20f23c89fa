"""What a fit to large sets will take, told before it begins."""

import time

import jax
import jax.numpy as jnp

from gentle_clip_jax.aligners import Problem
from gentle_clip_jax.aligners.closed_form.gentle import BANK_BYTES
from gentle_clip_jax.aligners.closed_form.transported import LAST_ITEMS, LAST_ROUNDS
from gentle_clip_jax.aligners.problem import PLAN_ITEMS
from gentle_clip_jax.parallel.cores import count_cores

_ROUNDS, _DIM = 8, 128
# What a pair of items takes beside its products, in products: in the plan of a part and in one of
# all, which no cache holds; what more a product takes that seeks neighbours; what all else takes;
# and how often the features are in memory, beside how many GiB. By docs/results/speed.md.
_PART_PAIR, _WHOLE_PAIR, _NEIGHBOUR, _REST = 520, 1200, 1.2, 1.4e12
_COPIES, _GIB = 5, 0.8


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
    width = _DIM + problem.y.shape[2]
    products = (_ROUNDS - LAST_ROUNDS) * parts * (width + _PART_PAIR)
    products += LAST_ROUNDS * whole * (width + _WHOLE_PAIR)
    products += _NEIGHBOUR * (len(problem.x) + counts[0]) * BANK_BYTES / 4
    minutes = (products + _REST) * _seconds_a_product() / count_cores() / 60
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
