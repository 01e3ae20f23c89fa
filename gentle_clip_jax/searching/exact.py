"""Exact search: every row is compared, block by block."""

import numpy as np

_BLOCK = 65536  # rows of the gallery whose cosines are in memory at once


def nearest(queries: np.ndarray, gallery: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the gallery nearest to each query, nearest first, and their cosines.

    Args:
      queries: [n, d] unit rows.
      gallery: [m, d] unit rows; memory is linear in n.
      num: number of results; all m if there are fewer.

    Returns:
      Rows [n, num] int and cosines [n, num]; of equal cosines the first row comes first.

    Raises:
      ValueError: num is not 1 or more.

    >>> nearest(np.eye(2)[:1], np.eye(2)[[1, 0]], 1)[0]
    array([[1]])
    """
    check_num(num)
    num = min(num, len(gallery))
    rows, scores = np.zeros((len(queries), 0), int), np.zeros((len(queries), 0), queries.dtype)
    for start in range(0, len(gallery), _BLOCK):
        block = queries @ gallery[start : start + _BLOCK].T
        best = _best(block, num)
        rows = np.concatenate([rows, best + start], axis=1)
        scores = np.concatenate([scores, np.take_along_axis(block, best, axis=1)], axis=1)
        best = _best(scores, num)
        rows, scores = (np.take_along_axis(array, best, axis=1) for array in (rows, scores))
    return rows, scores


def check_num(num: int) -> None:
    """Raise ValueError if a number of results is not a whole number from 1."""
    if not isinstance(num, int | np.integer) or num < 1:
        raise ValueError(f"num is {num!r}: give the number of results, 1 or more.")


def _best(scores: np.ndarray, num: int) -> np.ndarray:
    """Return the columns [n, num] of the highest scores; of equal scores the first column first."""
    num = min(num, scores.shape[1])
    return np.stack([_best_of_row(row, num) for row in scores])


def _best_of_row(scores: np.ndarray, num: int) -> np.ndarray:
    # Only what reaches the last of the best is sorted; of those equal to it the first are taken.
    least = scores[np.argpartition(-scores, num - 1)[:num]].min()
    above, equal = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
    columns = np.sort(np.concatenate([above, equal[: num - len(above)]]))
    return columns[np.argsort(-scores[columns], kind="stable")]
