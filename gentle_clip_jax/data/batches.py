"""Batches: a few matched pairs and many unmatched items of each modality, as one pure function.

Batch k depends only on (seed, k), not on earlier batches or the number of processes, so the step
number is the whole state of the data.
"""

import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

_log = logging.getLogger(__name__)

# Items of one modality: an array, or a tree of arrays, with a row for each item. A leaf may also be
# any object with a length whose [rows] is an array, such as images that are read on access.
Items = Any
Batch = dict[str, dict[str, Items]]


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Pairs of items: row i of x and row i of y. Items with equal `names` [n] count as similar."""

    x: Items
    y: Items
    names: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Training items and evaluation items of a task.

    The rows of `unmatched_x` and `unmatched_y` are unrelated.
    `metadata` is the task's metadata, such as its classes and its tokenizer.
    """

    matched: Pairs
    unmatched_x: Items
    unmatched_y: Items
    validation: Pairs
    test: Pairs
    metadata: Any


def take(items: Items, rows: np.ndarray | slice) -> Items:
    """Return some rows of items."""
    return jax.tree.map(lambda leaf: leaf[rows], items)


def count(items: Items) -> int:
    """Return the number of rows of items."""
    return len(jax.tree.leaves(items)[0])


def batches(
    dataset: Dataset,
    *,
    seed: int,
    num_matched: int,
    num_unmatched: int,
    max_damaged: int = 0,
    process_index: int = 0,
    process_count: int = 1,
) -> Callable[[int], Batch]:
    """Return the function from a step to this process's share of that step's batch.

    {"matched": {"x", "y"}, "unmatched": {"x", "y"}}: rows i of the matched items are a pair; the
    unmatched items are independent samples. Each set is shuffled anew for every pass through it.
    The concatenated shares of all processes are the batch of a single process. An unreadable item
    is replaced by the next one of its set.

    Raises:
      ValueError: a set has fewer items than a batch takes from it; or, when a batch is computed,
        more than `max_damaged` items cannot be read.
    """
    share = {"process_index": process_index, "process_count": process_count}
    rows_at = batch_rows(dataset, seed=seed, num_matched=num_matched, num_unmatched=num_unmatched)
    read = ReadableRows(max_damaged)
    pairs = {"x": dataset.matched.x, "y": dataset.matched.y}

    def batch(step: int) -> Batch:
        rows = {name: _share(numbers, **share) for name, numbers in rows_at(step).items()}
        result = {"matched": read(pairs, rows["matched"])}
        if num_unmatched:
            result["unmatched"] = {
                "x": read(dataset.unmatched_x, rows["unmatched_x"]),
                "y": read(dataset.unmatched_y, rows["unmatched_y"]),
            }
        return result

    return batch


def batch_rows(
    dataset: Dataset, *, seed: int, num_matched: int, num_unmatched: int
) -> Callable[[int], dict[str, np.ndarray]]:
    """Return the function from a step to the row numbers of its batch, over all processes.

    {"matched", "unmatched_x", "unmatched_y"}: int64 [b] each.

    Raises:
      ValueError: a set has fewer items than a batch takes from it.
    """
    sources = {
        "matched": (len(dataset.matched), num_matched),
        "unmatched_x": (count(dataset.unmatched_x), num_unmatched),
        "unmatched_y": (count(dataset.unmatched_y), num_unmatched),
    }
    rows = {}
    for offset, (name, (size, batch_size)) in enumerate(sources.items()):
        if batch_size > size:
            raise ValueError(
                f"A batch takes {batch_size} rows of {name.replace('_', ' ')} but there are only "
                f"{size}: lower config.train.batch_{name.split('_')[0]}."
            )
        rows[name] = _shuffled_rows(size, batch_size, seed=3 * seed + offset)
    return lambda step: {name: rows_at(step) for name, rows_at in rows.items()}


class ReadableRows:
    """A reader of rows that replaces each unreadable row by the next readable one.

    It reports each unreadable item once.

    Raises:
      ValueError: more than `limit` items cannot be read.
    """

    def __init__(self, limit: int):
        self._limit = limit
        self._damaged: set[tuple[int, int]] = set()  # sets of items, and rows

    def __call__(self, items: Items, rows: np.ndarray) -> Items:
        try:
            return take(items, rows)
        except (OSError, ValueError):
            sound = [self._sound_row(items, int(row)) for row in rows]
            return take(items, np.array(sound, np.int64))

    def _sound_row(self, items: Items, row: int) -> int:
        for number in (np.arange(count(items)) + row) % count(items):
            if (id(items), int(number)) in self._damaged:
                continue
            try:
                take(items, np.array([number]))
                return int(number)
            except (OSError, ValueError) as error:
                self._note(items, int(number), error)
        raise ValueError("No item of a set can be read: check the files of the data set.")

    def _note(self, items: Items, row: int, error: Exception) -> None:
        self._damaged.add((id(items), row))
        if len(self._damaged) > self._limit:
            raise ValueError(
                f"{str(error).rstrip('.')}. More than config.train.max_damaged={self._limit} items "
                "cannot be read."
            ) from error
        _log.warning(f"{error} Skipped: {len(self._damaged)} of at most {self._limit}.")


def _share(rows: np.ndarray, process_index: int, process_count: int) -> np.ndarray:
    size = len(rows) // process_count
    if size * process_count != len(rows):
        raise ValueError(
            f"A batch of {len(rows)} rows cannot be split over {process_count} processes: make "
            f"config.train.batch_matched and batch_unmatched multiples of {process_count}."
        )
    return rows[process_index * size : (process_index + 1) * size]


def _shuffled_rows(size: int, batch_size: int, *, seed: int) -> Callable[[int], np.ndarray]:
    """Return the function from a step to row numbers [batch_size]."""
    if not batch_size:
        return lambda step: np.zeros(0, np.int64)
    import grain

    order = grain.MapDataset.range(size).seed(seed).shuffle().repeat()
    return lambda step: np.array(
        [order[step * batch_size + i] for i in range(batch_size)], np.int64
    )
