"""Batches: a few matched pairs and many unmatched items of each modality, as one pure function.

Batch k is a function of (seed, k) alone, whatever ran before it and however many processes load
it, so the state of the data is the step number.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

Batch = dict[str, dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Items of both modalities; row i of each is one item. `names` [n] says which are alike."""

    images: np.ndarray
    tokens: np.ndarray
    names: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


@dataclasses.dataclass(frozen=True)
class Task:
    """What there is to learn from, and what to be judged on.

    `unmatched_images` and `unmatched_tokens` are two sets: their rows have nothing to do with each
    other. `encode` turns texts into token ids; `classes` are the texts of zero-shot classes.
    """

    matched: Pairs
    unmatched_images: np.ndarray
    unmatched_tokens: np.ndarray
    validation: Pairs
    test: Pairs
    classes: list[str]
    encode: Callable[[Any], np.ndarray]
    vocab_size: int


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

    {"matched": {"images", "tokens"}, "unmatched": {"images", "tokens"}}: rows i of the matched
    arrays are a pair; the unmatched arrays are drawn apart. Each set is gone through in a new
    order every time round.

    Raises:
      ValueError: a set has fewer items than a batch takes from it.
    """
    share = {"process_index": process_index, "process_count": process_count}
    sources = {
        "matched": (len(task.matched), num_matched),
        "unmatched_images": (len(task.unmatched_images), num_unmatched),
        "unmatched_tokens": (len(task.unmatched_tokens), num_unmatched),
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
        result = {
            "matched": {"images": task.matched.images[pairs], "tokens": task.matched.tokens[pairs]}
        }
        if num_unmatched:
            result["unmatched"] = {
                "images": task.unmatched_images[rows["unmatched_images"](step)],
                "tokens": task.unmatched_tokens[rows["unmatched_tokens"](step)],
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
