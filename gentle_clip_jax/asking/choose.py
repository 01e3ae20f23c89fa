"""`ask`: items that stand for all others, so that a pair of each tells the most."""

from collections.abc import Sequence

import numpy as np
from jax.typing import ArrayLike

from gentle_clip_jax.aligners import Aligner
from gentle_clip_jax.aligners.standardize import Standardizer

_COMPONENTS = 64
_DRAWN = 10  # every so many'th; a fifth cost 1 to 2 points more, on validation items
_RANDOM_FROM = 300  # pairs; beyond, representative ones are worth no more than others
_MOST_ITEMS = 20_000  # among which centres are sought
_STEPS = 30
_BLOCK = 4096


def ask(
    features: ArrayLike,
    number: int = 30,
    *,
    seed: int = 0,
    aligner: Aligner | None = None,
    other: ArrayLike | None = None,
    pairs: Sequence[int] | np.ndarray | None = None,
    side: str = "x",
) -> list[int]:
    """The items whose partners are worth asking for, the most telling first.

    k-means++ in the first 64 principal components of the standardised features, rows of unit
    length; of each cluster without a pair the item nearest to its centre, the largest cluster
    first. Every tenth is drawn at random, so that there is a fair sample even if the answers stop
    half-way; and so are all from 300 pairs on. The same list for the same arguments.

    Args:
      features: [n, d] raw features, a row an item.
      number: how many to ask for.
      seed: of the draws.
      aligner: if given, the clusters are those of its joint space.
      other: [m, dy] features of the other modality that help to find clusters, with an aligner.
      pairs: rows of the items that have a partner already: there are as many clusters as pairs and
        items that are not drawn together, and those with a pair are left out.
      side: "x" or "y", which of the aligner's the features are of.

    Returns:
      Rows of `features`, without those in `pairs`.

    Raises:
      ValueError: there are fewer items without a pair than asked for.

    Source: ours, measured by benchmarks/asking.py. k-means++: Arthur and Vassilvitskii 2007, SODA.

    >>> rows = np.concatenate([np.eye(2) * 5 + 0.1 * i for i in np.eye(2)])
    >>> len(ask(rows, 2))
    2
    """
    rows = np.asarray(features)
    old = np.unique(np.asarray([] if pairs is None else pairs, dtype=int))
    free = np.setdiff1d(np.arange(len(rows)), old)
    if rows.ndim != 2 or not 1 <= number <= len(free):
        raise ValueError(
            f"{len(free)} items have no pair yet: ask for 1 to {len(free)} of them, not {number}."
        )
    rng = np.random.default_rng(seed)
    chosen = min(number - number // _DRAWN, max(0, _RANDOM_FROM - len(old)))
    telling: list[int] = []
    if chosen:
        space, others = _space(rows, aligner, other, side)
        telling = _representative(space, others, old, chosen, len(old) + chosen, rng)
    rest = rng.permutation(np.setdiff1d(free, telling))[: number - len(telling)].tolist()
    return _interleaved(telling, rest)


def _interleaved(telling: list[int], drawn: list[int]) -> list[int]:
    """Every tenth is drawn; where there are more of them, they come last."""
    asked, others = [], _DRAWN - 1
    for start in range(0, max(len(telling), 1), others):
        asked += telling[start : start + others]
        if drawn and len(asked) % _DRAWN == others:
            asked.append(drawn.pop(0))
    return asked + drawn


def _space(
    rows: np.ndarray, aligner: Aligner | None, other: ArrayLike | None, side: str
) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows of the items and of others, in which clusters are sought."""
    if aligner is None:
        space = _components(Standardizer.of(rows).rows(rows))
        return space, space[:0]
    embed, embed_other = aligner.embed_x, aligner.embed_y
    if side == "y":
        embed, embed_other = embed_other, embed
    space = np.asarray(embed(rows))
    return space, space[:0] if other is None else np.asarray(embed_other(other))


def _components(rows: np.ndarray) -> np.ndarray:
    """Unit rows of the first principal components."""
    rows = rows - rows.mean(axis=0)
    if rows.shape[1] > _COMPONENTS:
        _, axes = np.linalg.eigh(rows.T @ rows)
        rows = rows @ axes[:, ::-1][:, :_COMPONENTS]
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


def _representative(
    space: np.ndarray,
    others: np.ndarray,
    old: np.ndarray,
    chosen: int,
    clusters: int,
    rng: np.random.Generator,
) -> list[int]:
    """The items nearest to the centres of the largest clusters without a pair."""
    both = np.concatenate([space, others])
    some = both[np.sort(rng.permutation(len(both))[:_MOST_ITEMS])]
    centers = _centers(some, min(clusters, len(some)), rng)
    member, distance = _nearest(space, centers)
    size = np.bincount(member, minlength=len(centers))
    size[np.unique(member[old])] = 0
    largest = np.argsort(-size, kind="stable")[:chosen]
    found = []
    for cluster in largest[size[largest] > 0]:
        items = np.flatnonzero(member == cluster)
        found.append(int(items[np.argmin(distance[items])]))
    return found


def _centers(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Centres [count, d] of rows [n, d]: k-means++, then Lloyd's algorithm."""
    first = [int(rng.integers(len(rows)))]
    near = np.sum(np.square(rows - rows[first[0]]), axis=1)
    while len(first) < count and near.sum() > 0:
        first.append(int(rng.choice(len(rows), p=near / near.sum())))
        near = np.minimum(near, np.sum(np.square(rows - rows[first[-1]]), axis=1))
        near[first[-1]] = 0
    centers, member = rows[first], np.full(len(rows), -1)
    for _ in range(_STEPS):
        before, (member, _) = member, _nearest(rows, centers)
        if np.array_equal(before, member):
            break
        sums = np.zeros_like(centers)
        np.add.at(sums, member, rows)
        size = np.bincount(member, minlength=len(centers))[:, None]
        centers = np.where(size > 0, sums / np.maximum(size, 1), centers).astype(rows.dtype)
    return centers


def _nearest(rows: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest centre of each row, and its squared distance but for the row's own square."""
    square, members, distances = np.sum(np.square(centers), axis=1), [], []
    for start in range(0, len(rows), _BLOCK):
        distance = square - 2 * rows[start : start + _BLOCK] @ centers.T
        member = np.argmin(distance, axis=1)
        members.append(member)
        distances.append(distance[np.arange(len(member)), member])
    return np.concatenate(members), np.concatenate(distances)
