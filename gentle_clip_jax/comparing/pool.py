"""Pools of frozen features for comparisons, with their test sets."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gentle_clip_jax.aligners import Problem
from gentle_clip_jax.data.pairing import separate
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.read import read
from gentle_clip_jax.storage import reading

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


def load_pool(
    features: str | pathlib.Path,
    *,
    train: Sequence[str],
    zero_shot: Mapping[str, str],
    excluded_labels: Sequence[str],
    evaluate: str,
) -> Pool:
    """Read features/SET/{images,captions,classes} for the sets that are named.

    If there is a features/encoder_classes.npz, as benchmarks/class_names.py writes it, its arrays
    `classifier` and `names` are the pool's classes.

    Args:
      features: the folder that holds one folder a set, each written by `gentle-clip encode`.
      train: sets whose split "train" is the pool, and on whose split `evaluate` retrieval is run.
      zero_shot: maps sets to the split to classify, "" for all their images.
      excluded_labels: classes to leave out.
      evaluate: "test", or "validation": the sets' split "val"; that classifies only the train sets.
    """
    root, split = pathlib.Path(features), {"validation": "val", "test": "test"}[evaluate]
    sets = {name: _read_pair(root / name) for name in train}
    pools = [_items(*pair, "train") for pair in sets.values()]
    retrieval = {name: _retrieval(*pair, split) for name, pair in sets.items()}
    if evaluate == "validation":
        zero_shot = {name: "val" for name in train if name in zero_shot}
    classified = {
        name: _zero_shot(root / name, split, excluded_labels) for name, split in zero_shot.items()
    }
    x, y = (np.concatenate(items) for items in zip(*pools))
    sources = np.repeat([*sets], [len(x) for x, _ in pools])
    classes = _encoder_classes(root / "encoder_classes.npz")
    return Pool(x, y, sources, x[:0], y[:0], retrieval, classified, classes)


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


Pair = tuple[Collection, Collection]  # images, a row each, and captions, several rows an image


def _read_pair(folder: pathlib.Path) -> Pair:
    return read(folder / "images"), read(folder / "captions")


def _items(x: Collection, y: Collection, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return features x [n, 1, dx] and y [n, k, dy] of a split's items."""
    chosen = _in_split(x, split) & np.isin(x.ids, y.ids)
    return x.features[chosen][:, None], y.of_items(x.ids[chosen])


def _in_split(rows: Collection, split: str) -> np.ndarray:
    if rows.splits is None:
        return np.ones(len(rows.ids), bool)
    return (rows.splits == split) | (split == "")


def _encoder_classes(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray] | None:
    if not path.exists():
        return None
    try:
        arrays = reading.read_arrays(path)
        return arrays["classifier"], arrays["names"]
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path} cannot be read ({error}): make it again.") from error


def _retrieval(x: Collection, y: Collection, split: str) -> Retrieval:
    of_x = _in_split(x, split) & np.isin(x.ids, y.ids)
    of_y = np.isin(y.ids, x.ids[of_x])
    texts = None if y.texts is None else y.texts[of_y]
    return Retrieval(x.features[of_x], x.ids[of_x], y.features[of_y], y.ids[of_y], texts)


def _zero_shot(folder: pathlib.Path, split: str, excluded: Sequence[str]) -> ZeroShot:
    x, classes = read(folder / "images"), read(folder / "classes")
    if x.labels is None:
        raise ValueError(f"{folder / 'images'} has no labels to classify: leave it out.")
    included = ~np.isin(classes.ids, excluded)
    names = classes.ids[included]
    chosen = _in_split(x, split) & np.isin(x.labels, names)
    order = np.argsort(names)
    labels = np.searchsorted(names[order], x.labels[chosen])
    return ZeroShot(x.features[chosen], classes.features[included][order], labels)
