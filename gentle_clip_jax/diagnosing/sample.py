"""Sample of matched and unmatched items of both modalities, for a diagnosis."""

from typing import NamedTuple

import numpy as np

from gentle_clip_jax.aligners.standardize import Standardizer
from gentle_clip_jax.features.collection import Collection

_MAX_PAIRS = 2000
_MAX_UNMATCHED = 10_000


class Sample(NamedTuple):
    """Features of two modalities, every dimension with mean 0 and variance 1 over the sample.

    Distributions are compared on one row of each item, for items have unequal numbers of rows and
    means are less spread than rows; maps are fitted to means, which have less noise.

    pair_ids: [n, 2] ids of the matched items in x and in y.
    x, y: [n, dx] and [n, dy] mean of each matched item's rows.
    one_x, one_y: [n, dx] and [n, dy] one row of each matched item.
    unmatched_x, unmatched_y: [u, dx] and [v, dy] one row of each item without a pair.
    """

    pair_ids: np.ndarray
    x: np.ndarray
    y: np.ndarray
    one_x: np.ndarray
    one_y: np.ndarray
    unmatched_x: np.ndarray
    unmatched_y: np.ndarray

    @property
    def constant(self) -> list[str]:
        """Return the modalities, "x" or "y", whose rows are all equal."""
        sides = {"x": (self.one_x, self.unmatched_x), "y": (self.one_y, self.unmatched_y)}
        return [name for name, groups in sides.items() if not any(map(np.any, groups))]


def draw(x: Collection, y: Collection, pair_ids: np.ndarray, rng: np.random.Generator) -> Sample:
    """Sample at most 2,000 pairs, and at most 10,000 items of each modality among the unpaired.

    Raises ValueError if an id of a pair is unknown, or in two pairs.
    """
    for name, rows, ids in (("x", x, pair_ids[:, 0]), ("y", y, pair_ids[:, 1])):
        if not np.isin(ids, rows.ids).all():
            raise ValueError(
                f"A pair has an id that {name} has not: {ids[~np.isin(ids, rows.ids)][0]}."
            )
        if len(np.unique(ids)) < len(ids):
            raise ValueError(f"An item of {name} is in two pairs; leave all but one out.")
    sampled = pair_ids[_some(len(pair_ids), _MAX_PAIRS, rng)]
    mean_x, one_x, unmatched_x = _modality(x, pair_ids[:, 0], sampled[:, 0], rng)
    mean_y, one_y, unmatched_y = _modality(y, pair_ids[:, 1], sampled[:, 1], rng)
    return Sample(sampled, mean_x, mean_y, one_x, one_y, unmatched_x, unmatched_y)


def _modality(
    rows: Collection, matched_ids: np.ndarray, sampled_ids: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return means and single rows of sampled matched items, and rows of unmatched items."""
    items, item_of = np.unique(rows.ids, return_inverse=True)
    # Of rows in the order of their ids, so that the order in a file does not matter.
    order = np.argsort(item_of, kind="stable")[rng.permutation(len(item_of))]
    some_row = order[np.unique(item_of[order], return_index=True)[1]]
    sampled = np.searchsorted(items, sampled_ids)
    free = np.flatnonzero(~np.isin(items, matched_ids))
    free = free[_some(len(free), _MAX_UNMATCHED, rng)]

    place = np.full(len(items), -1)
    place[sampled] = np.arange(len(sampled))
    wanted = np.flatnonzero(place[item_of] >= 0)
    every, one, unmatched = _scaled(
        rows.features[wanted], rows.features[some_row[sampled]], rows.features[some_row[free]]
    )
    mean = np.zeros((len(sampled), rows.features.shape[1]), np.float32)
    np.add.at(mean, place[item_of[wanted]], every)
    mean /= np.bincount(place[item_of[wanted]], minlength=len(sampled))[:, None].astype(np.float32)
    standardizer = Standardizer.of(one, unmatched)
    return standardizer.rows(mean), standardizer.rows(one), standardizer.rows(unmatched)


def _scaled(*groups: np.ndarray) -> list[np.ndarray]:
    """Scale rows in float32 by one power of two, so that the largest entry is near 1.

    The unit of the features then does not matter: float32 would round 1e-40, and overflow at 1e300.
    """
    largest = max((float(np.abs(rows).max(initial=0)) for rows in groups), default=0.0)
    exponent = -int(np.frexp(largest)[1])
    return [np.ldexp(rows.astype(np.float64), exponent).astype(np.float32) for rows in groups]


def _some(num: int, at_most: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(num)[:at_most]
