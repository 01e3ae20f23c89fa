"""Metrics for sequences and structures: retrieval of crops, and transfer of class labels."""

import numpy as np

_CANDIDATES = 20  # nearest in length


def crop_figures(
    x: np.ndarray, y: np.ndarray, lengths: np.ndarray, distinct: np.ndarray
) -> dict[str, np.ndarray]:
    """Return retrieval metrics, averaged over all crops and, unless named otherwise, directions.

    crop_mrr is the mean of 1 / rank, where ties count against the query; crop_r1 is recall at 1;
    sequence_to_structure_r1 is recall at 1 in that direction. length_matched_mrr ranks the partner
    among the 20 items nearest in length, so that clues to a domain's length, such as the
    compactness of a crop, help little; chance is (ln 20 + 0.58) / 20.
    distinct_crop_mrr ranks distinct items among themselves.

    Args:
      x: [n, d] embeddings of the sequences, compared by their inner products.
      y: [n, d] embeddings of the structures; y[i] is the partner of x[i].
      lengths: [n] lengths of the whole domains in residues.
      distinct: [n] bool, a subset of mutually dissimilar items.
    """
    scores = np.asarray(x, np.float32) @ np.asarray(y, np.float32).T
    ranks = both_ranks(scores)
    near = both_ranks(scores, nearest_in_length(lengths, _CANDIDATES))
    among_distinct = both_ranks(scores[np.ix_(distinct, distinct)])
    return {
        "crop_mrr": np.mean(1 / ranks, axis=0),
        "crop_r1": np.mean(ranks == 1, axis=0),
        "sequence_to_structure_r1": (ranks[0] == 1).astype(float),
        "length_matched_mrr": np.mean(1 / near, axis=0),
        "distinct_crop_mrr": np.mean(1 / among_distinct, axis=0),
    }


def both_ranks(scores: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Return ranks [2, n] of the pairs (i, i): of x's rows among y, and of y's among x.

    rank_i = 1 + #{j != i : s_ij >= s_ii}, over the candidates of i.

    Args:
      scores: [n, n] similarity of x_i and y_j.
      where: [n, n] bool, whether j is a candidate of i; by default all are.
    """
    where = np.ones(scores.shape, bool) if where is None else where
    others = where & ~np.eye(len(scores), dtype=bool)
    own = np.diagonal(scores)[:, None]
    # A comparison with NaN is false, so that NaN counts against the query.
    return np.stack([1 + np.sum(others & ~(s < own), axis=1) for s in (scores, scores.T)])


def nearest_in_length(lengths: np.ndarray, candidates: int) -> np.ndarray:
    """Return [n, n] bool: whether j is i or one of the `candidates` - 1 nearest to it in length."""
    lengths = np.asarray(lengths)
    difference = np.abs(lengths[:, None] - lengths[None, :]).astype(float)
    np.fill_diagonal(difference, -1)
    order = np.argsort(difference, axis=1, kind="stable")[:, :candidates]
    where = np.zeros(difference.shape, bool)
    np.put_along_axis(where, order, True, axis=1)
    return where


def transferred(
    train_x: np.ndarray, train_labels: np.ndarray, y: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Return for each row of y whether its class has the nearest prototype, bool [m].

    A prototype is the mean of a class's unit rows of x, scaled to unit length.

    Args:
      train_x: [n, d] embeddings of one modality.
      train_labels: [n] classes of train_x.
      y: [m, d] embeddings of the other modality.
      labels: [m] classes of y; a class missing from train_labels counts as wrong.
    """
    classes = np.unique(train_labels)
    rows = _unit(train_x)
    prototypes = np.stack([rows[train_labels == label].mean(axis=0) for label in classes])
    nearest = np.argmax(_unit(y) @ _unit(prototypes).T, axis=1)
    return classes[nearest] == labels


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
