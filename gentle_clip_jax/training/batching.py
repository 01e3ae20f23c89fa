"""Batches of a run, with the sizes and the seed of its config."""

from collections.abc import Callable

import jax
import ml_collections
import numpy as np

from gentle_clip_jax.data import batches
from gentle_clip_jax.data.batches import Batch, Dataset


def batch_at(
    config: ml_collections.ConfigDict, dataset: Dataset, *, whole: bool = False
) -> Callable[[int], Batch]:
    """Return the function from a step to this process's share of its batch, or to all of it."""
    return batches.batches(
        dataset,
        **_sizes(config),
        max_damaged=config.train.max_damaged,
        process_index=0 if whole else jax.process_index(),
        process_count=1 if whole else jax.process_count(),
    )


def rows_at(
    config: ml_collections.ConfigDict, dataset: Dataset
) -> Callable[[int], dict[str, np.ndarray]]:
    """Return the function from a step to the row numbers of its batch, by set."""
    return batches.batch_rows(dataset, **_sizes(config))


def _sizes(config: ml_collections.ConfigDict) -> dict[str, int]:
    sizes = config.train
    return {
        "seed": config.seed,
        "num_matched": sizes.batch_matched,
        "num_unmatched": sizes.batch_unmatched,
    }
