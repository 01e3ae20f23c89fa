"""Query smoothing: a typed text moves towards the texts of the collection before it is mapped.

Words, labels and prompts are unlike the captions that an aligner was fitted to.
"""

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from gentle_clip_jax.aligners.closed_form.arrays import unit_rows
from gentle_clip_jax.aligners.standardizer import Standardizer
from gentle_clip_jax.evaluation.nearest import greatest

if TYPE_CHECKING:
    from gentle_clip_jax.aligners.problem import Problem

NEIGHBOURS, TEMPERATURE = 100, 0.1
OF_CLASSES, MOST = 0.25, 0.75  # weights of the neighbours: of classes, and the largest
_ITEMS, _SINGLE = 4096, 1000  # stored items, and single texts whose typicality is measured
_LEAST = 300  # items, for the nearest to be a part of all


class QuerySmoothing(NamedTuple):
    """Texts of a modality, towards which queries are moved.

    mean [d]: of the texts, in raw features.
    texts [n, d]: float16, the mean text of each item minus the mean, in units of the largest entry.
    low, median: 5 % and 50 % quantiles of the typicality of single texts among the other items.

    The typicality v of a text is its mean cosine with its 100 nearest mean texts.
    """

    mean: np.ndarray
    texts: np.ndarray
    low: float
    median: float

    @classmethod
    def of(cls, problem: "Problem", side: str, *, seed: int = 0) -> Self | None:
        """Return the smoothing by the items of modality "x" or "y"; None of fewer than 300."""
        from gentle_clip_jax.aligners.standardize import standardized  # loads JAX

        matched, unmatched = getattr(problem, side), getattr(problem, f"unmatched_{side}")
        x, y, *_ = standardized(problem)
        mean = (x if side == "x" else y).mean
        first, count = len(matched), len(matched) + len(unmatched)
        if count < _LEAST:
            return None
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(count)[:_ITEMS]
        parts = matched[chosen[chosen < first]], unmatched[chosen[chosen >= first] - first]
        items = np.concatenate(parts) - mean
        texts = items.mean(axis=1)
        texts /= max(np.abs(texts).max(), np.finfo(texts.dtype).tiny)
        smoothing = cls(mean, texts.astype(np.float16), 0.0, 0.0)
        sample = rng.permutation(len(items))[:_SINGLE]
        single = items[sample, rng.integers(items.shape[1], size=len(sample))]
        cosines = smoothing._cosines(single)
        cosines[np.arange(len(sample)), sample] = -1  # the text's own item
        low, median = np.quantile(_nearest(cosines)[1].mean(axis=1), (0.05, 0.5)).tolist()
        return smoothing._replace(low=low, median=median)

    def moved(self, queries: np.ndarray, weight: float | None = None) -> np.ndarray:
        """Return queries [n, d], minus the mean, moved towards their nearest texts.

        (1 - w) q + w |q| unit(sum_j s_j t_j): t_j the 100 nearest texts, s the softmax of their
        cosines / 0.1; w the weight, or else 0.75 clip((median - v) / (median - low), 0, 1), so
        that a typical text stays as it is.

        Source: ours.
        """
        nearest, cosines = _nearest(self._cosines(queries))
        shares = np.exp((cosines - cosines[:, :1]) / TEMPERATURE)
        texts = np.asarray(self.texts)[nearest].astype(queries.dtype)
        neighbours = unit_rows(np.einsum("nk,nkd->nd", shares, texts))
        neighbours *= np.linalg.norm(queries, axis=1, keepdims=True)
        shortfall = self.median - cosines.mean(axis=1, keepdims=True)
        share = MOST * np.clip(shortfall / max(self.median - self.low, 1e-6), 0, 1)
        share = share if weight is None else np.full_like(share, weight)
        return (1 - share) * queries + share * neighbours

    def _cosines(self, queries: np.ndarray) -> np.ndarray:
        return unit_rows(queries) @ unit_rows(np.asarray(self.texts).astype(queries.dtype)).T


def smooth_queries(
    features: ArrayLike,
    name: str,
    standardizer: Standardizer,
    smoothing: QuerySmoothing | None,
    classes: bool,
) -> np.ndarray:
    """Return raw features [n, d] of queries, smoothed; see `Aligner.smooth_queries_x`."""
    rows = np.asarray(features)
    standardizer.standard(rows, name)  # raises for another shape, or numbers that are not finite
    if classes and len(rows) < 2:
        raise ValueError(f"{name} must hold two classes or more, not {len(rows)}.")
    if smoothing is None and not classes:
        return rows
    mean = np.asarray((smoothing or standardizer).mean)
    queries = rows - (rows.mean(axis=0, dtype=np.float64) if classes else mean)
    if smoothing is not None:
        queries = smoothing.moved(queries, OF_CLASSES if classes else None)
    return queries + mean


def _nearest(cosines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the nearest texts of each query and their cosines, nearest first."""
    nearest = greatest(cosines, min(NEIGHBOURS, cosines.shape[1]))
    return nearest, np.take_along_axis(cosines, nearest, axis=1)
