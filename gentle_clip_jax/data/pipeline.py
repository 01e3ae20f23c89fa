"""Batches: a few matched pairs and many unmatched items of each modality, as one pure function.

Batch k is a function of (seed, k) alone, whatever ran before it and however many processes load
it, so the state of the data is the step number.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

# Of one modality: an array, or a tree of arrays, with a row for each item. A leaf may also be what
# has a length and gives the array of some rows: [rows], such as images that are read when asked for.
Items = Any
Batch = dict[str, dict[str, Items]]


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Items of both modalities; row i of each is one item. `names` [n] says which are alike."""

    x: Items
    y: Items
    names: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


@dataclasses.dataclass(frozen=True)
class Task:
    """What there is to learn from, and what to be judged on.

    `unmatched_x` and `unmatched_y` are two sets: their rows have nothing to do with each other.
    `about` is what a field knows besides, such as its classes and how it makes tokens of words.
    """

    matched: Pairs
    unmatched_x: Items
    unmatched_y: Items
    validation: Pairs
    test: Pairs
    about: Any


def take(items: Items, rows: np.ndarray | slice) -> Items:
    """Some rows of items."""
    return jax.tree.map(lambda leaf: leaf[rows], items)


def count(items: Items) -> int:
    """How many rows items have."""
    return len(jax.tree.leaves(items)[0])


def batches(
    task: Task,
    *,
    seed: int,
    num_matched: int,
    num_unmatched: int,
    process_index: int = 0,
    process_count: int = 1,
) -> Callable[[int], Batch]:
    """Returns the function from a step to this process's share of that step's batch.

    {"matched": {"x", "y"}, "unmatched": {"x", "y"}}: rows i of the matched items are a pair; the
    unmatched items are drawn apart. Each set is gone through in a new order every time round.

    Raises:
      ValueError: a set has fewer items than a batch takes from it.
    """
    share = {"process_index": process_index, "process_count": process_count}
    sources = {
        "matched": (len(task.matched), num_matched),
        "unmatched_x": (count(task.unmatched_x), num_unmatched),
        "unmatched_y": (count(task.unmatched_y), num_unmatched),
    }
    rows = {}
    for offset, (name, (size, batch_size)) in enumerate(sources.items()):
        if batch_size > size:
            raise ValueError(
                f"A batch takes {batch_size} rows of {name.replace('_', ' ')} but there are only "
                f"{size}: lower config.train.batch_{name.split('_')[0]}."
            )
        rows[name] = _shuffled_rows(size, batch_size, seed=3 * seed + offset, **share)

    def batch(step: int) -> Batch:
        pairs = rows["matched"](step)
        result = {"matched": {"x": take(task.matched.x, pairs), "y": take(task.matched.y, pairs)}}
        if num_unmatched:
            result["unmatched"] = {
                "x": take(task.unmatched_x, rows["unmatched_x"](step)),
                "y": take(task.unmatched_y, rows["unmatched_y"](step)),
            }
        return result

    return batch


def _shuffled_rows(
    size: int, batch_size: int, *, seed: int, process_index: int, process_count: int
) -> Callable[[int], np.ndarray]:
    """The function from a step to this process's row numbers [batch_size / process_count]."""
    if not batch_size:
        return lambda step: np.zeros(0, np.int64)
    import grain

    order = grain.MapDataset.range(size).seed(seed).shuffle().repeat()
    share = range(process_index, batch_size, process_count)
    return lambda step: np.array([order[step * batch_size + i] for i in share], np.int64)
