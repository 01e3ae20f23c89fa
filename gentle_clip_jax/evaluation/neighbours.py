"""Measures of single-cell integration: nearness of true matches, and transfer of labels.

Of two modalities in one space; cosines measure nearness. Memory is linear in the number of rows.
"""

from collections.abc import Iterator

import numpy as np
from jax.typing import ArrayLike

_SCORES = 2**24  # cosines in a block
_TIE = 1e-9


def foscttm(x: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Return the fraction of samples closer than the true match, for each pair [n].

    #{j : cos(x_i, y_j) > cos(x_i, y_i)} / (n - 1), averaged with that from y_i;
    0 is perfect, 0.5 chance.

    Args:
      x: embeddings [n, d].
      y: those of the same items in the other modality, row by row.

    Raises:
      ValueError: there are fewer than two items, the shapes differ, or a number is not finite.

    Source: Liu et al. 2019, WABI, Jointly Embedding Multiple Single-Cell Omics Measurements. A tie
    counts half, so that a model that maps everything to one point is at chance, not perfect.

    >>> foscttm(np.eye(3), np.eye(3)).tolist()
    [0.0, 0.0, 0.0]
    """
    x, y = _unit("x", x), _unit("y", y)
    if x.shape != y.shape or len(x) < 2:
        raise ValueError(f"x is {x.shape} and y {y.shape}: give two items or more, row by row.")
    own = np.sum(x * y, axis=1)
    closer = np.zeros(len(x))
    for queries, gallery in ((x, y), (y, x)):
        for rows, cosines in _blocks(queries, gallery):
            beyond = cosines - own[rows, None]
            tie = np.abs(beyond) <= _TIE
            closer[rows] += np.sum((beyond > 0) & ~tie, axis=1) + (np.sum(tie, axis=1) - 1) / 2
    return closer / (2 * (len(x) - 1))


def label_transfer(
    x: ArrayLike, y: ArrayLike, labels_x: ArrayLike, labels_y: ArrayLike, *, neighbours: int = 5
) -> np.ndarray:
    """Return 1 for each row of y [m] whose nearest rows of x vote for its label, else 0.

    Of labels with equally many votes the nearest counts.

    Args:
      x: embeddings [n, d] with labels [n] that vote.
      y: embeddings [m, d] with labels [m] to predict.
      labels_x, labels_y: strings or integers.
      neighbours: k, number of rows of x that vote.

    Raises:
      ValueError: there are not as many labels as rows, or a number is not finite.

    Source: Cao, Bai et al. 2020, Bioinformatics (UnionCom), with k = 5.

    >>> label_transfer(np.eye(2), np.eye(2), ["a", "b"], ["a", "a"], neighbours=1).tolist()
    [1.0, 0.0]
    """
    x, y = _unit("x", x), _unit("y", y)
    labels_x, labels_y = np.asarray(labels_x), np.asarray(labels_y)
    if labels_x.shape != (len(x),) or labels_y.shape != (len(y),):
        raise ValueError(
            f"There are {len(x)} rows of x and {len(y)} of y with {labels_x.size} and "
            f"{labels_y.size} labels: give one for each row."
        )
    predicted = []
    for _, cosines in _blocks(y, x):
        nearest = labels_x[np.argsort(-cosines, axis=1, kind="stable")[:, :neighbours]]
        votes = np.sum(nearest[:, :, None] == nearest[:, None, :], axis=2)
        predicted.append(nearest[np.arange(len(nearest)), np.argmax(votes, axis=1)])
    return (np.concatenate(predicted) == labels_y).astype(np.float64)


def _unit(name: str, rows: ArrayLike) -> np.ndarray:
    rows = np.asarray(rows, np.float64)
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise ValueError(f"{name} must be finite embeddings [n, d]; its shape is {rows.shape}.")
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)


def _blocks(queries: np.ndarray, gallery: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield cosines [b, m] of a block of queries, and its slice."""
    size = max(1, _SCORES // len(gallery))
    for start in range(0, len(queries), size):
        rows = slice(start, start + size)
        yield rows, queries[rows] @ gallery.T
