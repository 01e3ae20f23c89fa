"""Both sides and their pairs: items that are in one pair with the same other item are one item."""

import pathlib
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gentle_clip_jax.data.embeddings import FeatureSet
from gentle_clip_jax.data.pairs import read_pairs


class Matched(NamedTuple):
    """Rows of either side, and the ids [k, 2] of the k matched items.

    No item is in two pairs. What pairs join, as photographs of one object and texts of one
    photograph are, has the id of the first of it, so that no split parts it.
    """

    x: FeatureSet
    y: FeatureSet
    pairs: np.ndarray


def read_matched(path: str | pathlib.Path | None, x: FeatureSet, y: FeatureSet) -> Matched:
    """The pairs of two sides, from a file or, of None, from equal ids.

    Errors are those of `read_pairs`, but an item may be in several pairs: says how many were
    joined.
    """
    pairs = read_pairs(path, x.ids, y.ids, several=True)
    item = _joined(pairs)
    first = np.unique(item, return_index=True)[1]
    if len(first) == len(pairs):
        return Matched(x, y, pairs)
    print(
        f"The {len(pairs):,} pairs of {path} are of {len(first):,} items: what shares a partner "
        "counts as one."
    )
    sides = []
    for column, rows in enumerate((x, y)):
        of = dict(zip(pairs[:, column].tolist(), pairs[first[item], column].tolist()))
        ids = np.array([of.get(id_, id_) for id_ in rows.ids.tolist()]).view(type(rows.ids))
        sides.append(rows._replace(ids=ids))
    return Matched(sides[0], sides[1], pairs[np.sort(first)])


def _joined(pairs: np.ndarray) -> np.ndarray:
    """The item [k], from 0, that each of k pairs [k, 2] is of."""
    x, y = (np.unique(ids, return_inverse=True)[1] for ids in pairs.T)
    y = y + x.max() + 1
    size = y.max() + 1
    graph = coo_array((np.ones(len(x)), (x, y)), shape=(size, size))
    return connected_components(graph, directed=False)[1][x]
