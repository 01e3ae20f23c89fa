"""Buckets for items of mixed lengths: a few padded lengths, so that few programs are compiled."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Bucket(NamedTuple):
    """Items that are padded to the same `length`; indices [m] int, in their original order."""

    length: int
    indices: np.ndarray


def group_by_length(
    lengths: Sequence[int] | np.ndarray, num_buckets: int = 4, *, multiple: int = 32
) -> list[Bucket]:
    """Return at most `num_buckets` buckets, shortest first, with the least total padding.

    The length of a bucket is that of its longest item, rounded up to a multiple of `multiple`.
    Dynamic programming over the sorted lengths finds the optimal buckets.

    Raises:
      ValueError: a length, num_buckets or multiple is below 1.
    """
    lengths = np.asarray(lengths, np.int64)
    if num_buckets < 1 or multiple < 1:
        raise ValueError(f"num_buckets and multiple must be 1 or more: {num_buckets}, {multiple}.")
    if not len(lengths):
        return []
    if lengths.min() < 1:
        raise ValueError(f"Item {lengths.argmin()} has the length {lengths.min()}: remove it.")
    rounded = -(-lengths // multiple) * multiple
    sizes, counts = np.unique(rounded, return_counts=True)
    edges = _least_padding(sizes, counts, min(num_buckets, len(sizes)))
    which = np.searchsorted(edges, rounded)
    return [Bucket(int(edge), np.flatnonzero(which == i)) for i, edge in enumerate(edges)]


def pad(arrays: Sequence[np.ndarray], length: int, fill: float) -> np.ndarray:
    """Return b arrays [n_i, ...] stacked into one [b, length, ...], each padded with `fill`.

    Raises:
      ValueError: an array is longer than `length`.
    """
    first = arrays[0]
    stacked = np.full((len(arrays), length, *first.shape[1:]), fill, first.dtype)
    for number, (row, array) in enumerate(zip(stacked, arrays)):
        if len(array) > length:
            raise ValueError(f"Item {number} is longer than {length}: it has {len(array)}.")
        row[: len(array)] = array
    return stacked


def _least_padding(sizes: np.ndarray, counts: np.ndarray, num_buckets: int) -> np.ndarray:
    """Return the `num_buckets` of `sizes` [m] with the least padding, the last one among them."""
    total = np.concatenate([[0], np.cumsum(counts)])
    # cost[i, j]: slots, filled or not, of a bucket with the sizes i to j.
    cost = np.where(
        np.tri(len(sizes), dtype=bool).T, (total[None, 1:] - total[:-1, None]) * sizes, np.inf
    )
    best, previous = cost[0], []
    for _ in range(num_buckets - 1):
        # The sizes up to i - 1 are in buckets already, i to j make the next.
        options = np.concatenate([[0.0], best[:-1]])[:, None] + cost
        previous.append(options.argmin(axis=0))
        best = options.min(axis=0)
    last, edges = len(sizes) - 1, []
    for starts in [*previous[::-1], np.zeros(len(sizes), int)]:
        if last >= 0:
            edges.append(sizes[last])
            last = starts[last] - 1
    return np.array(edges[::-1])
