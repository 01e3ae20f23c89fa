"""Groups of y: predicted where the partner itself is uncertain."""

from typing import NamedTuple

import jax
import numpy as np

from gentle_clip_jax.aligners.closed_form.k_means import k_means
from gentle_clip_jax.aligners.closed_form.neighbours import smooth
from gentle_clip_jax.aligners.standardize import Standardizer

GROUPS = 30
WEIGHT, _NEIGHBOURS = 0.8, 20  # chosen on validation items
_BANK = 4096  # items in the bank of neighbours
_LEAST_ITEMS = 5  # average size of a group


class Groups(NamedTuple):
    """Groups of the items of y.

    of_item: [m] the group of each, from 0; central: [g] the item nearest to the mean of each group.
    """

    of_item: np.ndarray
    central: np.ndarray


def group(y: np.ndarray, key: jax.Array, order: np.ndarray | None = None) -> Groups:
    """Cluster items y [m, d] by k-means into 30 groups, fewer if their mean size were below five.

    The clustering sees the standardised features of y alone, not the joint space: the groups are
    the same for every fold, and independent of held-out pairs. Neighbour smoothing comes first, so
    that borders lie where items are sparse.

    Args:
      order: [m] items in the order in which random choices see them; as they are if not given.
    """
    order = np.arange(len(y)) if order is None else order
    rows = Standardizer.of(y).rows(y)[order]
    bank = rows[np.asarray(jax.random.permutation(key, len(rows)))[:_BANK]]
    rows = smoothed(rows, bank)
    count = max(1, min(GROUPS, len(rows) // _LEAST_ITEMS))
    centers = np.asarray(k_means(jax.numpy.asarray(rows), key, count))
    distance = np.sum(centers**2, axis=1)[None, :] - 2 * rows @ centers.T
    nonempty, member = np.unique(np.argmin(distance, axis=1), return_inverse=True)
    distance = distance[:, nonempty] + np.sum(rows**2, axis=1)[:, None]
    inside = np.where(member[:, None] == np.arange(len(nonempty))[None, :], distance, np.inf)
    return Groups(member[np.argsort(order)], order[np.argmin(inside, axis=0)])


def smoothed(rows: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """Smooth standardised rows [n, d] over their 20 nearest in a bank [b, d]."""
    return np.asarray(smooth(rows, bank, weight=WEIGHT, count=_NEIGHBOURS))
