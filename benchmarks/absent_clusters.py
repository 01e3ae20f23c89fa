"""Whether a cluster of x that is absent from y can be found.

    python benchmarks/absent_clusters.py --data=DATA --work=WORK

The sets of benchmarks/lists.py. Each draw takes the partners of one cluster of x out of y, and
pairs of other clusters. Three figures of each cluster of x are ranked, the lowest first: the mean
cosine of its items with their nearest y; the sum over y of the probabilities that its partner is in
the cluster, per item of the cluster, at the temperature of cosines; and that at a quarter of it.
Prints the rank of the absent cluster.
"""

import argparse
import json
import pathlib

import jax
import numpy as np
from lists import load
from prediction_sets import PAIRS
from scipy import special

import gentle_clip_jax as gc
from gentle_clip_jax.aligners import METHODS
from gentle_clip_jax.aligners.refits import embedded, held_out_pairs
from gentle_clip_jax.evaluation.held_out_pairs import TEMPERATURES
from gentle_clip_jax.matching.calibration import grid, likeliest
from gentle_clip_jax.matching.groups import group

COUNTS, DRAWS, LEAST = (60, 200), 12, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    args = parser.parse_args()
    for name in PAIRS:
        x, y = load(args.work, args.data, name)
        clusters = group(x, jax.random.key(0), np.arange(len(x))).of_item
        for pairs in COUNTS:
            ranks = [ranked(x, y, clusters, pairs, draw) for draw in range(DRAWS)]
            print(json.dumps({"set": name, "pairs": pairs, "ranks": ranks}), flush=True)


def ranked(x, y, clusters: np.ndarray, pairs: int, draw: int) -> list[int]:
    """Return the ranks of the absent cluster, from 1, and the number of clusters."""
    rng, sizes = np.random.default_rng(draw), np.bincount(clusters)
    absent = rng.choice(np.flatnonzero(sizes >= LEAST))
    order = rng.permutation(len(x))
    known = order[clusters[order] != absent][:pairs]
    rest_x = np.setdiff1d(np.arange(len(x)), known)
    rest_y = rest_x[clusters[rest_x] != absent]
    problem = gc.Problem(x[known], y[known], x[rest_x], y[rest_y])
    fitted = METHODS["cca"].fit(problem)
    evidence = held_out_pairs(fitted, problem, jax.random.key(0))
    temperature = TEMPERATURES[likeliest(grid(evidence.to_x).partner)]
    rows = embedded(fitted, problem.unmatched_x, problem.unmatched_y)
    cosines = (rows.x @ rows.y.T).astype(float)
    member = np.eye(len(sizes))[clusters[rest_x]]  # [n, g]
    counts = member.sum(axis=0)
    figures = [cosines.max(axis=1) @ member]
    for part in (1, 4):
        figures.append(special.softmax(cosines * part / temperature, axis=0).sum(axis=1) @ member)
    values = [np.where(counts >= 5, of / np.maximum(counts, 1), np.inf) for of in figures]
    return [int(np.sum(of < of[absent])) + 1 for of in values] + [int(np.sum(counts >= 5))]


if __name__ == "__main__":
    main()
