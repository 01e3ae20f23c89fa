"""Splits of pairs into held-out and fitted ones."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

FOLDS = 5
_MANY, _FEW = 500, 100  # pairs; three folds from 500 pairs on, more repeats below 100


class Split(NamedTuple):
    """Row numbers of the held-out pairs, and of the rest, which are for the fit."""

    held: np.ndarray
    rest: np.ndarray


def canonical_order(keys: Sequence[str]) -> np.ndarray:
    """Return the order [n] of pairs that depends only on their keys, not on their lines.

    Pairs are sorted by a hash of their keys: the order is pseudo-random, independent of the order
    of the file, and an added pair leaves the relative order of the others unchanged.

    Args:
      keys: a text for each pair, such as both ids.

    >>> canonical_order(["a", "b", "c"]).tolist(), canonical_order(["c", "b", "a"]).tolist()
    ([0, 2, 1], [2, 0, 1])
    """
    digests = [hashlib.blake2b(key.encode("utf-8", "surrogatepass")).digest() for key in keys]
    return np.array(sorted(range(len(keys)), key=digests.__getitem__), int)


def folds(order: np.ndarray, count: int) -> Iterator[Split]:
    """Yield splits that hold out each pair at least once, all of one shape.

    Where `count` does not divide the number of pairs, folds overlap by a pair rather than differ in
    size: a jitted fit compiles once.

    Args:
      order: [n] row numbers of the pairs, from which folds are cut.
      count: number of folds; n, one pair at a time, where there are fewer pairs.
    """
    n = len(order)
    count = min(count, n)
    size = -(-n // count)
    for fold in range(count):
        rows = np.roll(order, -(fold * n // count))
        yield Split(rows[:size], rows[size:])


def repeated_folds(n: int, seed: int) -> list[Split]:
    """Return the splits by which methods are compared.

    Below 100 pairs there are 20 splits, from there on 10, from 500 on three; up to five pairs are
    each held out once.
    """
    count = min(FOLDS if n < _MANY else 3, n)
    repeats = 1 if n <= FOLDS or n >= _MANY else 4 if n < _FEW else 2
    rng = np.random.default_rng(seed)
    orders = (rng.permutation(n) for _ in range(repeats))
    return [split for order in orders for split in folds(order, count)]


def hold_out(order: np.ndarray, count: int) -> Split:
    """Hold out the first `count` pairs of an order."""
    return Split(order[:count], order[count:])
