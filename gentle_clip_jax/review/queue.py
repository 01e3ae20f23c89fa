"""Which item to ask about next: a likely one of another cluster, and one of five at random."""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.cluster.vq import kmeans2

GRID = 48
RANDOM_EVERY = 5
_CLUSTERS = 64
_TEMPERATURE = 0.1
_BLOCK = 512


class Ranking(NamedTuple):
    """What one fitted aligner says of the items.

    x [n, k], y [m, k]: unit rows. chance [m]: how likely the grid of an item is to hold its
    partner, for ordering alone: it is no calibrated probability. cluster [m]: of the joint space.
    """

    x: np.ndarray
    y: np.ndarray
    chance: np.ndarray
    cluster: np.ndarray


def ranked(x: np.ndarray, y: np.ndarray, free: np.ndarray, *, seed: int = 0) -> Ranking:
    """The ranking of unit rows x [n, k] and y [m, k]; free [n]: which x have no partner yet.

    The chance is the softmax mass of the best 48 of the free x, at a temperature of 0.1.
    """
    count = max(1, min(_CLUSTERS, len(y) // 4))
    rng = np.random.default_rng(seed)
    first = y[rng.choice(len(y), count, replace=False)].astype(np.float64)
    # A cluster that loses its last item keeps its centre, and needs no warning.
    with warnings.catch_warnings(action="ignore"):
        cluster = kmeans2(y.astype(np.float64), first, iter=10, minit="matrix")[1]
    chance = [_chance(y[i : i + _BLOCK], x[free]) for i in range(0, len(y), _BLOCK)]
    return Ranking(x, y, np.concatenate(chance), cluster)


def next_item(
    ranking: Ranking, unasked: np.ndarray, place: int, *, seed: int = 0
) -> tuple[int, str]:
    """The number of the next y, and whether it was drawn by "chance" or at "random".

    Args:
      unasked: [m] bool, those to choose from: at least one. The others, which have an answer or a
        partner, count for their clusters.
      place: how many screens were answered before.
      seed: of those at random.
    """
    choices = np.flatnonzero(unasked)
    if place % RANDOM_EVERY == RANDOM_EVERY - 1:
        return int(np.random.default_rng((seed, place)).choice(choices)), "random"
    taken = np.bincount(ranking.cluster[~unasked], minlength=ranking.cluster.max() + 1)
    order = np.lexsort((choices, -ranking.chance[choices], taken[ranking.cluster[choices]]))
    return int(choices[order[0]]), "chance"


def grid(ranking: Ranking, y: int, free: np.ndarray, *, size: int = GRID) -> np.ndarray:
    """Numbers of the free x that are nearest to an item, nearest first."""
    candidates = np.flatnonzero(free)
    cosines = ranking.x[candidates] @ ranking.y[y]
    return candidates[np.argsort(-cosines, kind="stable")[:size]]


def _chance(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    if len(x) <= GRID:
        return np.ones(len(y), np.float32)
    cosines = y @ x.T
    weights = np.exp((cosines - cosines.max(axis=1, keepdims=True)) / _TEMPERATURE)
    best = np.partition(weights, -GRID, axis=1)[:, -GRID:]
    return best.sum(axis=1) / weights.sum(axis=1)
