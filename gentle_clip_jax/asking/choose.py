"""`items_to_ask`: items that stand for all others, so that a pair of each tells the most."""

from collections.abc import Sequence

import numpy as np
from jax.typing import ArrayLike

from gentle_clip_jax.aligners.standardize import Standardizer

_COMPONENTS = 48
_SHARPNESS = 8.0  # of the similarity; 5 and 10 do as well, on validation items
RANDOM_EVERY = (
    10  # one item in so many is random; a fifth cost 1 to 2 points more, on validation items
)
_RANDOM_FROM = 300  # pairs; beyond, representative items are no better than random ones
_MOST_ITEMS = 8192  # items compared with each other
_BLOCK = 1024


def items_to_ask(
    features: ArrayLike,
    number: int = 30,
    *,
    seed: int = 0,
    pairs: Sequence[int] | np.ndarray | None = None,
) -> list[int]:
    """Choose items to label, the most informative first: the rows of `asked_items`.

    >>> rows = np.concatenate([np.eye(2) * 5 + 0.1 * i for i in np.eye(2)])
    >>> len(items_to_ask(rows, 2))
    2
    """
    return [row for row, _ in asked_items(features, number, seed=seed, pairs=pairs)]


def asked_items(
    features: ArrayLike,
    number: int = 30,
    *,
    seed: int = 0,
    pairs: Sequence[int] | np.ndarray | None = None,
) -> list[tuple[int, bool]]:
    """Choose items to label, the most informative first, and say which are random.

    Each new item covers the most items not yet covered (facility location), with the similarity
    exp(8 cos - 8) in the first 48 principal components of the standardised features. Every tenth is
    random, so that there is a fair sample even if the answers stop half-way; and so are all from
    300 pairs on. The same list for the same arguments.

    Args:
      features: [n, d] raw features, a row an item.
      number: number of items.
      seed: of the random items.
      pairs: rows of the items that already have a partner; they cover similar items.

    Returns:
      Rows of `features`, without those in `pairs`, and whether each is a random one.

    Raises:
      ValueError: there are fewer items without a pair than asked for, or features are not finite.

    Source: facility location, greedily: Nemhauser, Wolsey and Fisher 1978, An Analysis of
    Approximations for Maximizing Submodular Set Functions; measured by benchmarks/asking.py.
    """
    rows = np.asarray(features)
    old = np.unique(np.asarray([] if pairs is None else pairs, dtype=int))
    free = np.setdiff1d(np.arange(len(rows)), old)
    if rows.ndim != 2 or not 1 <= number <= len(free):
        raise ValueError(
            f"{len(free)} items have no pair yet: ask for 1 to {len(free)} of them, not {number}."
        )
    if not np.isfinite(rows).all():
        raise ValueError("features holds numbers that are not finite: leave those items out.")
    rng = np.random.default_rng(seed)
    chosen = min(number - number // RANDOM_EVERY, max(0, _RANDOM_FROM - len(old)))
    telling: list[int] = []
    if chosen:
        space = _components(Standardizer.of(rows).rows(rows))
        telling = _representative(space, free, old, chosen, rng)
    rest = rng.permutation(np.setdiff1d(free, telling))[: number - len(telling)].tolist()
    return _interleaved(telling, rest)


def _interleaved(telling: list[int], sampled: list[int]) -> list[tuple[int, bool]]:
    """Insert a random item as every tenth; further random items come last."""
    asked, others = [], RANDOM_EVERY - 1
    for start in range(0, max(len(telling), 1), others):
        asked += [(row, False) for row in telling[start : start + others]]
        if sampled:
            asked.append((sampled.pop(0), True))
    return asked + [(row, True) for row in sampled]


def _components(rows: np.ndarray) -> np.ndarray:
    """Return unit rows of the first principal components."""
    rows = rows - rows.mean(axis=0)
    if rows.shape[1] > _COMPONENTS:
        _, axes = np.linalg.eigh(rows.T @ rows)
        rows = rows @ axes[:, ::-1][:, :_COMPONENTS]
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


def _representative(
    rows: np.ndarray, free: np.ndarray, old: np.ndarray, count: int, rng: np.random.Generator
) -> list[int]:
    """Choose unmatched items one by one, each of which covers the most items not yet covered.

    The gain of an item only falls as others are chosen (Minoux 1978): if a recomputed gain is still
    the largest, it is the largest of all.
    """
    free = _some(free, rng)
    others = rows[_some(np.arange(len(rows)), rng)]
    best = np.zeros(len(others), np.float32)
    for item in old:
        best = np.maximum(best, _alike(rows[item], others))
    blocks = (free[start : start + _BLOCK] for start in range(0, len(free), _BLOCK))
    adds = np.concatenate([_added(_alike(rows[block], others), best) for block in blocks])
    taken: list[int] = []
    while len(taken) < min(count, len(free)):
        i = int(np.argmax(adds))
        alike = _alike(rows[free[i]], others)
        adds[i] = _added(alike, best)
        if adds[i] == adds.max():
            taken.append(int(free[i]))
            best, adds[i] = np.maximum(best, alike), -1
    return taken


def _some(items: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.permutation(items)[:_MOST_ITEMS])


def _alike(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return similarities [..., m] of unit rows, 1 if equal, nearly 0 if opposite."""
    return np.exp(_SHARPNESS * (rows @ others.T - 1), dtype=np.float32)


def _added(alike: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Return the gain [...] of similarities [..., m] over the best so far [m]."""
    return np.sum(np.maximum(alike - best, 0), axis=-1)
