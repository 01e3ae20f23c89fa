"""The nearest items of the other modality, in blocks: memory is linear in both numbers."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

NEAREST = 48  # candidates on a screen of `gentle-clip review`
# Cosines of unit rows in float32 are rounded by 1e-7: closer ones tie.
TIE = 1e-6
_COSINES_PER_BLOCK = 2**23  # 32 MiB of float32


class Nearest(NamedTuple):
    """Nearest items of n queries.

    index: [n, c] nearest items of the other modality, nearest first, c at most 48.
    cosine: [n, c] with them.
    log_total: [n] log of the sum over all of the other modality of exp(cosine / T).
    groups: [n, g] share of each group of that sum, at a temperature of its own.
    """

    index: np.ndarray
    cosine: np.ndarray
    log_total: np.ndarray
    groups: np.ndarray

    def probability(self, cosine: np.ndarray, temperature: float) -> np.ndarray:
        """Return exp(cosine / T) / sum over all of the other modality, of cosines [n] or [n, c]."""
        log_total = self.log_total.reshape(-1, *[1] * (cosine.ndim - 1))
        # Cosines of one pair, computed twice, differ by rounding.
        return np.minimum(np.exp(cosine / temperature - log_total), 1)


def nearest(
    queries: np.ndarray,
    gallery: np.ndarray,
    temperature: float,
    *,
    group: np.ndarray | None = None,
    num_groups: int = 1,
    group_temperature: float = 1.0,
) -> Nearest:
    """Return the 48 nearest of unit rows gallery [m, k] to each of unit rows queries [n, k].

    Args:
      temperature: T.
      group: [m] the group of each row of the gallery, from 0; all are one if not given.
      num_groups: g.
      group_temperature: that of their shares.
    """
    group = np.zeros(len(gallery), int) if group is None else group
    member = np.eye(num_groups, dtype=np.float32)[group]
    count, parts = min(NEAREST, len(gallery)), []
    for _, cosines in blocks_of_cosines(queries, gallery):
        index = greatest(cosines, count)
        masses = np.exp(_below_top(cosines) / np.float32(group_temperature)) @ member
        parts.append(
            (
                index,
                np.take_along_axis(cosines, index, axis=1),
                log_total(cosines, temperature),
                masses / masses.sum(axis=1, keepdims=True),
            )
        )
    return Nearest(*(np.concatenate(part) for part in zip(*parts)))


def greatest(cosines: np.ndarray, count: int) -> np.ndarray:
    """Return the columns [n, count] of the greatest cosines [n, m], ties in their order."""
    some = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
    some.sort(axis=1)
    order = np.argsort(-np.take_along_axis(cosines, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)


def paired(queries: np.ndarray, gallery: np.ndarray, pairs: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return cosines [p] of pairs of unit rows, of queries [n, k] and of a gallery [m, k]."""
    blocks, size = [np.empty(0, np.float32)], max(1, _COSINES_PER_BLOCK // queries.shape[1])
    for start in range(0, len(pairs[0]), size):
        query, row = (of[start : start + size] for of in pairs)
        blocks.append(np.einsum("pk,pk->p", queries[query], gallery[row]))
    return np.concatenate(blocks)


def blocks_of_cosines(queries: np.ndarray, gallery: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield cosines [b, m] of some queries at a time, and the number of the first of them."""
    size = max(1, _COSINES_PER_BLOCK // len(gallery))
    for start in range(0, len(queries), size):
        yield start, queries[start : start + size] @ gallery.T


def _below_top(cosines: np.ndarray) -> np.ndarray:
    return cosines - cosines.max(axis=1, keepdims=True)


def log_total(cosines: np.ndarray, temperature: float) -> np.ndarray:
    """Return the logarithm [n] of the sums of exp(cosine / T) over the rows of cosines [n, m]."""
    sums = np.exp(_below_top(cosines) / np.float32(temperature)).sum(axis=1, dtype=np.float64)
    return cosines.max(axis=1) / temperature + np.log(sums)
