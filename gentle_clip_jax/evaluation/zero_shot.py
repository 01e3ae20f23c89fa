"""Zero-shot classification: an image belongs to the class whose text embedding is nearest."""

import numpy as np
from jax.typing import ArrayLike

from gentle_clip_jax.evaluation.intervals import Interval, Statistic, bootstrap_intervals
from gentle_clip_jax.evaluation.retrieval import ranks


def zero_shot_metrics(
    image: ArrayLike, class_embeddings: ArrayLike, labels: ArrayLike
) -> dict[str, float]:
    """Return the share of images [n, d] nearest to their own class of class_embeddings [c, d].

    labels [n] index the classes. A tie between classes counts as a miss. Source: Radford et al.,
    Learning Transferable Visual Models From Natural Language Supervision (arXiv 2103.00020), 3.1.

    Raises ValueError where `retrieval.ranks` does: for one, if a label names no class.

    >>> zero_shot_metrics(np.eye(3), np.eye(3), [0, 1, 0])
    {'zero_shot_accuracy': 0.6666666666666666}
    """
    statistic, num_items = _statistic(image, class_embeddings, labels)
    return {name: float(value) for name, value in statistic(np.ones(num_items, int)).items()}


def zero_shot_intervals(
    image: ArrayLike,
    class_embeddings: ArrayLike,
    labels: ArrayLike,
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return the metrics of `zero_shot_metrics` with bootstrap 95 % intervals over the images."""
    statistic, num_items = _statistic(image, class_embeddings, labels)
    return bootstrap_intervals(statistic, num_items, num_resamples=num_resamples, seed=seed)


def _statistic(
    image: ArrayLike, class_embeddings: ArrayLike, labels: ArrayLike
) -> tuple[Statistic, int]:
    class_ids = np.arange(len(np.asarray(class_embeddings)))
    right = ranks(image, class_embeddings, query_ids=labels, gallery_ids=class_ids) == 1

    def statistic(counts: np.ndarray) -> dict[str, np.ndarray]:
        return {"zero_shot_accuracy": counts @ right.astype(float) / counts.sum(-1)}

    return statistic, len(right)
