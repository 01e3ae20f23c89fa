"""Agreement of the similarities of matched items in both modalities, without a fitted map."""

import numpy as np

from gentle_clip_jax.diagnosing.finding import Finding, histogram, number, unknown
from gentle_clip_jax.diagnosing.sample import Sample
from gentle_clip_jax.diagnosing.two_sample import Permutation

NAME, TITLE = "agreement", "Neighbours and similarities of the pairs"
_MAX_PAIRS, _LEAST_PAIRS = 500, 8
_PERMUTATIONS = 199


def finding(sample: Sample, rng: np.random.Generator) -> Finding:
    """Compare mutual nearest neighbours and CKA of the pairs with random pairs."""
    x, y = sample.x[:_MAX_PAIRS], sample.y[:_MAX_PAIRS]
    if len(x) < _LEAST_PAIRS:
        return unknown(NAME, TITLE, f"It needs {_LEAST_PAIRS} pairs.")
    k = min(10, len(x) // 4)
    neighbors, cka = mutual_neighbors(x, y, k, rng), debiased_cka(x, y, rng)
    chance = float(np.mean(neighbors.null))
    related = min(neighbors.p_value, cka.p_value) < 0.025  # Bonferroni: two tests at 5 % together
    sentence = (
        f"Of an item's {k} nearest in x, {neighbors.value:.0%} are nearest in y too, where chance "
        f"makes it {chance:.0%}: the two modalities "
        + ("agree on what is alike." if related else "are not seen to agree on what is alike.")
    )
    return Finding(
        NAME,
        TITLE,
        f"{neighbors.value:.3f} mutual {k}-NN, {cka.value:.3f} CKA",
        f"{chance:.3f} mutual {k}-NN, 0 CKA",
        sentence,
        "good" if related else "warning",
        {
            "k": k,
            "mutual_knn": number(neighbors.value),
            "mutual_knn_chance": number(chance),
            "mutual_knn_p": number(neighbors.p_value),
            "cka": number(cka.value),
            "cka_p": number(cka.p_value),
            "pairs": len(x),
        },
        [
            _picture("Mutual nearest neighbours", "share of common neighbours", neighbors),
            _picture("CKA, debiased", "CKA", cka),
        ],
    )


def mutual_neighbors(x: np.ndarray, y: np.ndarray, k: int, rng: np.random.Generator) -> Permutation:
    """Return the mean share of the k nearest by cosine that x [n, dx] and y [n, dy] have in common.

    Source: Huh et al., The Platonic Representation Hypothesis (arXiv 2405.07987), appendix A.
    """
    return _permute(_neighbors(x, k) / (k * len(x)), _neighbors(y, k), rng)


def debiased_cka(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Permutation:
    """Return CKA of the cosines within x [n, dx] and y [n, dy], n > 3; 0 in expectation by chance.

    <A, B> / sqrt(<A, A> <B, B>) of the U-centred similarities A and B. Source: Kornblith et al.
    (arXiv 1905.00414), with the unbiased HSIC of Song et al. 2012, JMLR 13, equation 5.
    """
    a, b = (_u_centred(_cosines(rows)) for rows in (x, y))
    size = np.sqrt(np.sum(a * a) * np.sum(b * b))
    return _permute(a / size if size > 0 else a, b, rng)


def _permute(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> Permutation:
    """Return the sum of a * b, both [n, n], and the sums under permutations of b's items."""
    orders = (rng.permutation(len(b)) for _ in range(_PERMUTATIONS))
    null = [np.sum(a * b[np.ix_(order, order)]) for order in orders]
    return Permutation(float(np.sum(a * b)), np.array(null))


def _cosines(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.where(length > 0, length, 1)
    return (rows @ rows.T).astype(float)


def _neighbors(rows: np.ndarray, k: int) -> np.ndarray:
    """Return floats [n, n], 1 where column j is among the k nearest of row i."""
    cosines = _cosines(rows)
    np.fill_diagonal(cosines, -np.inf)
    nearest = np.argpartition(-cosines, k, axis=1)[:, :k]
    chosen = np.zeros_like(cosines)
    np.put_along_axis(chosen, nearest, 1, axis=1)
    return chosen


def _u_centred(similarity: np.ndarray) -> np.ndarray:
    n = len(similarity)
    similarity = similarity * ~np.eye(n, dtype=bool)
    mean = similarity.sum(axis=0) / (n - 2)
    centred = similarity - mean - mean[:, None] + mean.sum() / (n - 1)
    return centred * ~np.eye(n, dtype=bool)


def _picture(title: str, label: str, test: Permutation) -> dict:
    return histogram(f"{title}, by chance and here", label, test.null, {"here": test.value})
