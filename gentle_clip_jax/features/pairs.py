"""Collections and their pairs: items that share a partner become one item."""

import dataclasses
import logging
import os
import pathlib
from typing import NamedTuple

import numpy as np

from gentle_clip_jax.data.pairs import SHEET as SHEET
from gentle_clip_jax.data.pairs import Pairs
from gentle_clip_jax.data.pairs import filled_cells as filled_cells
from gentle_clip_jax.data.pairs import read_pairs as read_pairs
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.storage.records import read_record

_log = logging.getLogger(__name__)


class Matched(NamedTuple):
    """Collections of both modalities, and the ids [k, 2] of the k matched items.

    No item is in two pairs. Items that pairs connect, such as photographs of one object and texts
    of one photograph, have the least id of them, so that no split separates them.
    """

    x: Collection
    y: Collection
    pairs: np.ndarray


def read_matched(pairs: Pairs, x: Collection, y: Collection) -> Matched:
    """Read pairs as `read_pairs` does, but an item may be in several pairs.

    The pairs come in an order that depends on their ids alone, so that folds, and with them all
    results, are the same however the lines of a file are sorted.
    """
    ids = read_pairs(pairs, x.ids, y.ids, several=True)
    warn_stale(pairs, x, y)
    item = _joined(ids)
    count = item.max() + 1
    if count == len(ids):
        return Matched(x, y, _in_canonical_order(ids))
    source = f" of {pairs}" if isinstance(pairs, str | os.PathLike) else ""
    _log.info(
        f"The {len(ids):,} pairs{source} are of {count:,} items, as items that "
        "share a partner count as one."
    )
    joined, names = [], []
    for column, rows in enumerate((x, y)):
        name = _least(ids[:, column], item)
        names.append(name)
        of = dict(zip(ids[:, column].tolist(), name[item].tolist()))
        new = np.array([of.get(id_, id_) for id_ in rows.ids.tolist()]).view(type(rows.ids))
        joined.append(dataclasses.replace(rows, ids=new))
    return Matched(joined[0], joined[1], _in_canonical_order(np.stack(names, axis=1)))


def warn_stale(pairs: Pairs, x: Collection, y: Collection) -> None:
    """Warn if pairs are a table of `match`, which was made with other features or items."""
    if not isinstance(pairs, str | os.PathLike):
        return
    try:
        built_from = read_record(pathlib.Path(pairs).with_name("matches.json"))["built_from"]
        sides = (built_from["x"], x, "x"), (built_from["y"], y, "y")
    except (OSError, ValueError, LookupError, TypeError):
        return  # a table of a person's own
    for digests, rows, side in sides:
        if digests != rows.sha256:
            _log.warning(
                f"{pairs} was made with other features or items of {side} than those of "
                f"{rows.name}: run gentle-clip match again."
            )


def _in_canonical_order(pairs: np.ndarray) -> np.ndarray:
    from gentle_clip_jax.evaluation.splits import canonical_order  # loads jax

    return pairs[canonical_order(["\0".join(pair) for pair in pairs.tolist()])]


def _least(ids: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Return the least of the ids [k] of each item."""
    order = np.argsort(ids, kind="stable")
    return ids[order[np.unique(item[order], return_index=True)[1]]]


def _joined(pairs: np.ndarray) -> np.ndarray:
    """Return the item number [k], from 0, of each of k pairs [k, 2]."""
    from scipy import sparse  # slow to load

    x, y = (np.unique(ids, return_inverse=True)[1] for ids in pairs.T)
    y = y + x.max() + 1
    size = y.max() + 1
    graph = sparse.coo_array((np.ones(len(x)), (x, y)), shape=(size, size))
    return sparse.csgraph.connected_components(graph, directed=False)[1][x]
