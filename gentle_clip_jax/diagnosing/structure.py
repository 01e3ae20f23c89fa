"""Alignment without pairs, by the shapes of both sets: a test of its prospects."""

from typing import NamedTuple

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.optimize import quadratic_assignment
from scipy.spatial.distance import cdist

from gentle_clip_jax.diagnosing.finding import Finding, histogram, number, unknown
from gentle_clip_jax.diagnosing.sample import Sample
from gentle_clip_jax.diagnosing.two_sample import Permutation

NAME, TITLE = "structure", "Alignment without pairs"
_CLUSTERS = 12
_MAX_ITEMS, _LEAST_ITEMS = 800, 60
_LEAST_PAIRS = 30
_MOSTLY = 0.5
_NULLS, _RESTARTS = 99, 4
_RANDOM_MATCHES = 999


class Match(NamedTuple):
    """The best match [k] of x's clusters with y's, and the correlation of their distances."""

    cluster_y: np.ndarray
    correlation: float


def finding(sample: Sample, rng: np.random.Generator) -> Finding:
    """Match clusters by their distances, and check the match with the pairs, if any."""
    x = np.concatenate([sample.one_x[: _MAX_ITEMS // 2], sample.unmatched_x])[:_MAX_ITEMS]
    y = np.concatenate([sample.one_y[: _MAX_ITEMS // 2], sample.unmatched_y])[:_MAX_ITEMS]
    if min(len(x), len(y)) < _LEAST_ITEMS:
        return unknown(NAME, TITLE, f"It needs {_LEAST_ITEMS} items of each modality.")
    (of_x, centers_x), (of_y, centers_y) = clusters(x), clusters(y)
    if min(len(centers_x), len(centers_y)) < _CLUSTERS:
        return unknown(NAME, TITLE, f"A set has fewer than {_CLUSTERS} distinct items.")
    match, test = structure_test(centers_x, centers_y, rng)
    numbers = {
        "clusters": len(centers_x),
        "distance_correlation": number(test.value),
        "distance_correlation_chance": number(float(np.mean(test.null))),
        "p_structure": number(test.p_value),
    }
    pictures = [
        histogram(
            "Match of the structures, by chance and here",
            "correlation of distances between clusters",
            test.null,
            {"here": test.value},
        )
    ]
    value = f"r {test.value:.2f}, p {test.p_value:.2f}"
    n = min(len(sample.x), _MAX_ITEMS // 2)
    if n < _LEAST_PAIRS:
        better = test.p_value < 0.05
        level = "unknown" if better else "warning"
        sentence = "The shapes of both sets match " + (
            "better than by chance, which does not yet make the match right."
            if better
            else "no better than by chance."
        )
    else:
        hits = hit_test(of_x[:n], of_y[:n], match.cluster_y, rng)
        chance = float(np.mean(hits.null))
        numbers |= {
            "pair_hits": number(hits.value),
            "pair_hits_chance": number(chance),
            "p_hits": number(hits.p_value),
        }
        level = "good" if hits.p_value < 0.05 and hits.value > _MOSTLY else "warning"
        sentence = (
            f"Matching clusters by the shapes of both sets alone puts {hits.value:.0%} of the "
            f"pairs into matching clusters; a random match would put {chance:.0%}."
        )
    chance = f"r {numbers['distance_correlation_chance']:.2f}"
    return Finding(NAME, TITLE, value, chance, sentence, level, numbers, pictures)


def clusters(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Ward's clusters [n] of the rows [n, d], numbered from 0, and their centres [k, d]."""
    number_of = fcluster(linkage(rows, "ward"), _CLUSTERS, "maxclust") - 1
    centers = [rows[number_of == i].mean(axis=0) for i in range(number_of.max() + 1)]
    return number_of, np.array(centers, float)


def structure_test(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator
) -> tuple[Match, Permutation]:
    """Test if the centres x [k, dx] match y [k, dy] better than by chance.

    Null: a random rotation of the centres in the space of clusters, which preserves all variances.
    Matches are by FAQ (Vogelstein et al. 2015, PLOS ONE 10).
    """
    best = match_distances(cdist(x, x), cdist(y, y), rng)
    null = [
        match_distances(cdist(x, x), cdist(z, z), rng).correlation
        for z in (_turned(y, rng) for _ in range(_NULLS))
    ]
    return best, Permutation(best.correlation, np.array(null))


def match_distances(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> Match:
    """Return the permutation of b [k, k] that correlates best with a [k, k] off the diagonal."""
    a, b = _standardised(a), _standardised(b)
    results = [
        quadratic_assignment(a, b, options={"maximize": True, "rng": rng, "P0": start})
        for start in ["barycenter", *["randomized"] * _RESTARTS]
    ]
    best = max(results, key=lambda result: result.fun)
    return Match(best.col_ind, float(best.fun / (len(a) * (len(a) - 1))))


def hit_test(
    of_x: np.ndarray, of_y: np.ndarray, match: np.ndarray, rng: np.random.Generator
) -> Permutation:
    """Return the share of pairs whose clusters a match joins, and that of random matches."""
    matches = [match, *(rng.permutation(len(match)) for _ in range(_RANDOM_MATCHES))]
    value, *null = (np.mean(one[of_x] == of_y) for one in matches)
    return Permutation(float(value), np.array(null))


def _standardised(distance: np.ndarray) -> np.ndarray:
    off = ~np.eye(len(distance), dtype=bool)
    spread = distance[off].std()
    return np.where(off, (distance - distance[off].mean()) / (spread if spread > 0 else 1), 0)


def _turned(centers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rotate the centres [k, d] at random in the space of clusters, around their mean."""
    k = len(centers)
    ones = np.ones((k, 1))
    basis = np.linalg.qr(np.hstack([ones, rng.normal(size=(k, k - 1))]))[0][:, 1:]
    other = np.linalg.qr(np.hstack([ones, rng.normal(size=(k, k - 1))]))[0][:, 1:]
    return basis @ (other.T @ centers)
