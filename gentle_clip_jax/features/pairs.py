"""Collections and their pairs: items that share a partner become one item."""

import dataclasses
import os
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gentle_clip_jax.data.pairs import SHEET as SHEET
from gentle_clip_jax.data.pairs import Pairs
from gentle_clip_jax.data.pairs import read_pairs as read_pairs
from gentle_clip_jax.features.collection import Collection


class Matched(NamedTuple):
    """Collections of both modalities, and the ids [k, 2] of the k matched items.

    No item is in two pairs. Items that pairs connect, such as photographs of one object and texts
    of one photograph, have the id of the first of them, so that no split separates them.
    """

    x: Collection
    y: Collection
    pairs: np.ndarray


def read_matched(pairs: Pairs, x: Collection, y: Collection) -> Matched:
    """Read pairs as `read_pairs` does, but an item may be in several: say how many were joined."""
    ids = read_pairs(pairs, x.ids, y.ids, several=True)
    item = _joined(ids)
    first = np.unique(item, return_index=True)[1]
    if len(first) == len(ids):
        return Matched(x, y, ids)
    print(
        f"The {len(ids):,} pairs{_source(pairs)} are of {len(first):,} items: what shares a "
        "partner counts as one."
    )
    joined = []
    for column, rows in enumerate((x, y)):
        of = dict(zip(ids[:, column].tolist(), ids[first[item], column].tolist()))
        new = np.array([of.get(id_, id_) for id_ in rows.ids.tolist()]).view(type(rows.ids))
        joined.append(dataclasses.replace(rows, ids=new))
    return Matched(joined[0], joined[1], ids[np.sort(first)])


def _source(pairs: Pairs) -> str:
    return f" of {pairs}" if isinstance(pairs, str | os.PathLike) else ""


def _joined(pairs: np.ndarray) -> np.ndarray:
    """The item [k], from 0, that each of k pairs [k, 2] is of."""
    x, y = (np.unique(ids, return_inverse=True)[1] for ids in pairs.T)
    y = y + x.max() + 1
    size = y.max() + 1
    graph = coo_array((np.ones(len(x)), (x, y)), shape=(size, size))
    return connected_components(graph, directed=False)[1][x]
