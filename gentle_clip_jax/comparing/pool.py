"""Pools of frozen features for comparisons, with their test sets."""

from typing import NamedTuple

import numpy as np

from gentle_clip_jax.aligners import Problem
from gentle_clip_jax.data.pairing import separate
from gentle_clip_jax.features.collection import Collection

OWN = "held-out pairs"  # test set of the user's data


class Retrieval(NamedTuple):
    """Retrieval test set: rows x [n, dx] and y [m, dy], partners if their ids are equal.

    Rows whose id is in only one modality are wrong answers, not queries.
    texts [m]: rows of y with one text are the same caption; or None.
    labels: kind of each row of x [n] and of y [m], "" for a row without; or None.
    """

    x: np.ndarray
    x_ids: np.ndarray
    y: np.ndarray
    y_ids: np.ndarray
    texts: np.ndarray | None = None
    labels: tuple[np.ndarray, np.ndarray] | None = None


class ZeroShot(NamedTuple):
    """Zero-shot test set: rows x [n, dx], names of classes [c, dy], labels of rows [n]."""

    x: np.ndarray
    classes: np.ndarray
    labels: np.ndarray


class Pool(NamedTuple):
    """Items to sample pairs from, and test sets; all features are raw.

    x: [n, j, dx] and y: [n, k, dy]: j and k rows an item; sources [n]: the data set of each.
    unmatched_x: [u, j, dx] and unmatched_y: [v, k, dy]: items of one modality alone.
    classes: [c, dx] and [c, dy]: the classifier that x's encoder was trained with, and the names
      of its classes; or None.
    """

    x: np.ndarray
    y: np.ndarray
    sources: np.ndarray
    unmatched_x: np.ndarray
    unmatched_y: np.ndarray
    retrieval: dict[str, Retrieval]
    zero_shot: dict[str, ZeroShot]
    classes: tuple[np.ndarray, np.ndarray] | None = None


def own_pool(x: Collection, y: Collection, pairs: np.ndarray, *, seed: int) -> Pool:
    """Make a pool of a user's features; a third of the pairs [k, 2] becomes the test set.

    Held-out items are ranked among all held-out items and up to 1,000 unmatched ones. Their ids
    there are "pair k", k the place in `pairs`, for every seed.

    Raises:
      ValueError: there are fewer than nine pairs, too few for fits and tests.
    """
    if len(pairs) < 9:
        raise ValueError(
            f"{len(pairs)} pairs are too few to compare by: a third is held out; give 9 or more."
        )
    order = np.random.default_rng(seed).permutation(len(pairs))
    places = order[: len(pairs) // 3]
    held_out, training = pairs[places], pairs[order[len(places) :]]
    sides, tests, labels = [], [], []
    for side, rows in enumerate((x, y)):
        unmatched = np.setdiff1d(rows.ids, pairs[:, side])
        sides += [rows.of_items(ids) for ids in (training[:, side], unmatched)]
        names = {id_: f"pair {k}" for k, id_ in zip(places, held_out[:, side])}
        names |= {id_: f"unmatched {'xy'[side]} {id_}" for id_ in unmatched[:1000]}
        asked = np.isin(rows.ids, [*names])
        tests += [rows.features[asked], np.array([names[id_] for id_ in rows.ids[asked]])]
        labels += [] if rows.labels is None else [rows.labels[asked]]
    (own_x, unmatched_x, own_y, unmatched_y), sources = sides, np.repeat("own", len(training))
    both = (labels[0], labels[1]) if len(labels) == 2 else None
    retrieval = {OWN: Retrieval(*tests, labels=both)}
    return Pool(own_x, own_y, sources, unmatched_x, unmatched_y, retrieval, {})


def draw(pool: Pool, num_pairs: int, *, seed: int, unmatched: str) -> Problem:
    """Sample the problem of some pairs, and of the unmatched items of each modality.

    unmatched: removal of the other partners, "shuffled", "disjoint" or "shifted" between data
      sets; see `pairing.separate`.
    """
    matched, x, y = separate(
        len(pool.x), num_pairs, seed=seed, unmatched=unmatched, sources=pool.sources
    )
    unmatched_x = np.concatenate([pool.unmatched_x, pool.x[x]])
    unmatched_y = np.concatenate([pool.unmatched_y, pool.y[y]])
    return Problem(pool.x[matched], pool.y[matched], unmatched_x, unmatched_y, classes=pool.classes)
