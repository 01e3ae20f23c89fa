"""Choice of the next item to ask about, and of the 48 likely or ten different items to show."""

import warnings
from typing import Literal, NamedTuple

import numpy as np
from scipy.cluster.vq import kmeans2

GRID, TEN = 48, 10
Mode = Literal["grid", "ten"]
RANDOM_EVERY = 5
_CLUSTERS = 64
_TEMPERATURE, _TEMPERATURE_OF_TEN = 0.1, 0.12
_SPREAD = 0.25  # 0 confirms more pairs, but they are more alike: see docs/results/closed.md
_BLOCK = 512


class Question(NamedTuple):
    """A screen: the number of a y, those of x with the nearest first, and how y was chosen.

    screen: counts screens, so that an answer to an earlier one is detected. sampling: "chance" (by
    gain) or "random" with a grid; "ten" with ten different x to choose from; see `Answer` for the
    others. asked: the modality of the item asked about; if it is "x", `y` is the number of an
    x, and `x` are numbers of y.
    """

    screen: int
    y: int
    x: tuple[int, ...]
    sampling: str
    asked: str = "y"


class Ranking(NamedTuple):
    """Unit rows of all items by one fit, and what the queue derives from them.

    x [n, k], y [m, k]: unit rows. gain [m]: right matches that a screen of each y should add, only
    for ordering: it is not calibrated. cluster [m]: of the joint space.
    """

    x: np.ndarray
    y: np.ndarray
    gain: np.ndarray
    cluster: np.ndarray


def ranked(x: np.ndarray, y: np.ndarray, free: np.ndarray, *, seed: int = 0) -> Ranking:
    """Return the ranking of unit rows x [n, k] and y [m, k]; free [n]: x without a partner.

    A screen adds a right match if its grid has the partner, and if `match` would not have found it:
    the partner is not the nearest x. The gain is the product of both chances, by a softmax over the
    free x at a temperature of 0.1.
    """
    gain = [_gain(y[i : i + _BLOCK], x[free]) for i in range(0, len(y), _BLOCK)]
    return Ranking(x, y, np.concatenate(gain), clusters(y, seed=seed))


def next_item(
    ranking: Ranking, unasked: np.ndarray, place: int, *, seed: int = 0
) -> tuple[int, str]:
    """Return the number of the next y, and whether it was chosen by "chance" or at "random".

    It has the most gain, divided by the fourth root of 1 + the number of asked y of its cluster:
    the gain alone would ask for more and more y that are alike.

    Args:
      unasked: [m] bool, True for at least one y to choose from. The others, which have an answer
        or a partner, count for their clusters.
      place: number of screens answered before.
      seed: of the random choices.
    """
    choices = np.flatnonzero(unasked)
    if place % RANDOM_EVERY == RANDOM_EVERY - 1:
        return int(np.random.default_rng((seed, place)).choice(choices)), "random"
    asked = np.bincount(ranking.cluster[~unasked], minlength=ranking.cluster.max() + 1)
    gain = ranking.gain / (1 + asked[ranking.cluster]) ** _SPREAD
    return int(choices[np.argmax(gain[choices])]), "chance"


def next_of_ten(
    group: np.ndarray, unasked: np.ndarray, place: int, *, seed: int = 0
) -> tuple[int, str]:
    """Return the next y to show with ten different x, and "ten"; see `next_item`.

    It is sampled at random from the groups [m] with the fewest known partners: the confidence of a
    fit to a dozen pairs is not reliable yet.
    """
    choices = np.flatnonzero(unasked)
    known = np.bincount(group[~unasked], minlength=group.max() + 1)[group[choices]]
    choices = choices[known == known.min()]
    return int(np.random.default_rng((seed, place, TEN)).choice(choices)), "ten"


def grid(ranking: Ranking, y: int, free: np.ndarray) -> np.ndarray:
    """Return the numbers of the 48 free x nearest to an item, nearest first."""
    candidates = np.flatnonzero(free)
    cosines = ranking.x[candidates] @ ranking.y[y]
    return candidates[np.argsort(-cosines, kind="stable")[:GRID]]


def ten(ranking: Ranking, y: int, free: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the nearest free x of each of the ten likeliest groups [n], likeliest first.

    The likelihood of a group is its softmax mass at a temperature of 0.12.
    """
    candidates = np.flatnonzero(free)
    cosines = ranking.x[candidates] @ ranking.y[y]
    group = group[candidates]
    mass = np.bincount(group, np.exp((cosines - cosines.max()) / _TEMPERATURE_OF_TEN))
    order = np.argsort(-cosines, kind="stable")
    groups, first = np.unique(group[order], return_index=True)
    likeliest = np.argsort(-mass[groups], kind="stable")[:TEN]
    return candidates[order[first[likeliest]]]


def kind_of_screen(sampling: str) -> Mode:
    """Return the kind of a screen: "ten" or "grid"."""
    return "ten" if sampling == "ten" else "grid"


def clusters(rows: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Return the cluster [n] of each unit row [n, k]; 64 clusters, or fewer for few rows."""
    count = max(1, min(_CLUSTERS, len(rows) // 4))
    rows = rows.astype(np.float64)
    first = rows[np.random.default_rng(seed).choice(len(rows), count, replace=False)]
    # A cluster that loses its last item keeps its centre, and needs no warning.
    with warnings.catch_warnings(action="ignore"):
        return kmeans2(rows, first, iter=10, minit="matrix")[1]


def _gain(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    if not len(x):
        return np.zeros(len(y), np.float32)
    cosines = y @ x.T
    weights = np.exp((cosines - cosines.max(axis=1, keepdims=True)) / _TEMPERATURE)
    every, in_grid = weights.sum(axis=1), weights
    if len(x) > GRID:
        in_grid = np.partition(weights, -GRID, axis=1)[:, -GRID:]
    return in_grid.sum(axis=1) / every * (1 - 1 / every)  # the nearest x weighs 1
