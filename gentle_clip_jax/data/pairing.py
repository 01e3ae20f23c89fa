"""Seeded splits: held-out groups, and matched / unmatched items."""

import numpy as np


def hold_out_groups(groups: np.ndarray, num_items: int, *, seed: int) -> np.ndarray:
    """Boolean mask [n] of exactly `num_items` items such that no group is on both sides.

    Groups are visited in a seeded order and taken whole whenever they still fit.

    Raises:
      ValueError: fewer items than asked for, or no union of whole groups has that size.
    """
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    taken, left = np.zeros(len(sizes), bool), num_items
    for group in np.random.default_rng(seed).permutation(len(sizes)):
        if sizes[group] <= left:
            taken[group] = True
            left -= sizes[group]
    if left:
        raise ValueError(
            f"Cannot hold out {num_items} of {len(groups)} items in whole groups: "
            f"{left} are missing; hold out fewer."
        )
    return taken[codes]


def choose_matched(num_items: int, fraction: float, *, seed: int) -> np.ndarray:
    """Boolean mask [num_items] with round(fraction * num_items) matched items, chosen by seed."""
    if not 0.0 <= fraction <= 1.0:
        raise ValueError(f"The matched fraction must lie in [0, 1], got {fraction}.")
    mask = np.zeros(num_items, bool)
    order = np.random.default_rng(seed).permutation(num_items)
    mask[order[: round(fraction * num_items)]] = True
    return mask
