"""Forecast of the time and memory that a fit to large sets takes."""

import time

import jax
import jax.numpy as jnp

from gentle_clip_jax.aligners import Problem
from gentle_clip_jax.aligners.problem import PLAN_ITEMS
from gentle_clip_jax.aligners.settings import GentleTransport, Transport
from gentle_clip_jax.parallel.cores import count_cores

# What a pair of items takes beside its products, in products: in the plan of a part and in one of
# all, which no cache holds; what more a product takes that seeks neighbours; what all else takes;
# and how often the features are in memory, beside how many GiB. By docs/results/speed.md.
_PART_PAIR, _WHOLE_PAIR, _NEIGHBOUR, _REST = 520, 1200, 1.2, 1.4e12
_COPIES, _GIB = 5, 0.8


def time_and_memory(problem: Problem) -> str | None:
    """Return a sentence on the time and memory of a fit; None if one plan holds all items."""
    counts = [
        min(len(items), problem.plan_items) for items in (problem.unmatched_x, problem.unmatched_y)
    ]
    plans = max(-(-count // PLAN_ITEMS) for count in counts)
    if plans < 2 or not min(counts):
        return None
    parts, whole = (
        max(-(-count // size) for count in counts) * min(counts[0], size) * min(counts[1], size)
        for size in (PLAN_ITEMS, Transport.last_items)
    )
    width = Transport.dim + problem.y.shape[2]
    products = (Transport.rounds - Transport.last_rounds) * parts * (width + _PART_PAIR)
    products += Transport.last_rounds * whole * (width + _WHOLE_PAIR)
    products += _NEIGHBOUR * (len(problem.x) + counts[0]) * GentleTransport.bank_bytes / 4
    minutes = (products + _REST) * _seconds_a_product() / count_cores() / 60
    numbers = sum(items.size for items in (problem.unmatched_x, problem.unmatched_y))
    gib = _GIB + _COPIES * 4 * numbers / 2**30
    return (
        f"{counts[0]:,} and {counts[1]:,} unmatched items make {plans} plans in each of "
        f"{Transport.rounds - Transport.last_rounds} rounds and larger ones in "
        f"{Transport.last_rounds}: about {max(1, round(minutes))} min and {gib:.1f} GiB "
        "on this machine."
    )


def _seconds_a_product() -> float:
    """Measure the seconds of a core for one multiply-add of a matrix product.

    Of its own time, so that other work on the machine does not count.
    """
    rows, times = jnp.ones((2048, 512)), []
    for _ in range(3):
        begun = time.process_time()
        jax.block_until_ready(rows @ rows.T)
        times.append(time.process_time() - begun)
    return min(times) / (2048 * 2048 * 512)
