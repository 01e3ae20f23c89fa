"""Random splits into matched, held-out and unmatched items, and shuffling of unmatched items."""

import numpy as np


def hold_out_groups(groups: np.ndarray, num_items: int, *, seed: int) -> np.ndarray:
    """Return a mask [n] of exactly `num_items` held-out items that splits no group.

    Groups are visited in random order, and each is held out whole if it still fits.

    Raises:
      ValueError: there are fewer items, or the groups do not add up to that number.
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
            f"{left} are missing: hold out fewer."
        )
    return taken[codes]


def choose_matched(num_items: int, fraction: float, *, seed: int) -> np.ndarray:
    """Return a random mask [num_items] of round(fraction * num_items) matched items."""
    if not 0.0 <= fraction <= 1.0:
        raise ValueError(f"The matched fraction must lie in [0, 1], not {fraction}.")
    mask = np.zeros(num_items, bool)
    order = np.random.default_rng(seed).permutation(num_items)
    mask[order[: round(fraction * num_items)]] = True
    return mask


def hold_out_fifths(num_items: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the row numbers of a random fifth for validation and of another for test.

    >>> [len(rows) for rows in hold_out_fifths(60, seed=0)]
    [12, 12]
    """
    number = max(1, round(num_items / 5))
    order = np.random.default_rng(seed).permutation(num_items)
    return order[:number], order[number : 2 * number]


UNMATCHED = ("shuffled", "disjoint")


def own_order(num_items: int, *, seed: int) -> np.ndarray:
    """Return a random order [num_items] of unmatched y, unrelated to the order of x."""
    return np.random.default_rng(seed).permutation(num_items)


def separate(
    num_items: int,
    num_pairs: int,
    *,
    seed: int,
    unmatched: str = "shuffled",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the row numbers of the pairs, of the unmatched x, and of the unmatched y.

    Args:
      num_items: the number of items.
      num_pairs: the number of random pairs.
      seed: seed of all random choices.
      unmatched: "shuffled": x and y of all other items; "disjoint": x of one half of them and y of
        the other half, so that no unmatched item has its partner.

    Raises:
      ValueError: there are fewer items than pairs, or `unmatched` has another value.
    """
    if num_pairs > num_items:
        raise ValueError(f"There are only {num_items} items for {num_pairs} pairs: ask for fewer.")
    rng = np.random.default_rng(seed)
    order = rng.permutation(num_items)
    pairs, rest = order[:num_pairs], order[num_pairs:]
    if unmatched == "shuffled":
        of_x, of_y = rest, rest
    elif unmatched == "disjoint":
        of_x, of_y = rest[: len(rest) // 2], rest[len(rest) // 2 :]
    else:
        raise ValueError(f"unmatched must be one of {', '.join(UNMATCHED)}, not {unmatched}.")
    return pairs, of_x, rng.permutation(of_y)
