"""No pair: Gromov-Wasserstein of POT between random items, then maps along its plan."""

import numpy as np
from few_pairs.package import standardized

LABEL = "Gromov-Wasserstein (POT), no pair"
WITHOUT_PAIRS = True
ITEMS, DIRECTIONS = 500, 32


def fit(x, y, unmatched_x, unmatched_y, seed):
    import ot

    sides, scales = [], []
    for rows in (unmatched_x[:ITEMS], unmatched_y[:ITEMS]):  # which are shuffled
        mean, scale = standardized(rows)
        sides.append((rows - mean) / scale)
        scales.append((mean, scale))
    distances = [ot.dist(rows, rows, metric="euclidean") for rows in sides]
    plan = ot.gromov.gromov_wasserstein(
        *(one / one.mean() for one in distances), *(ot.unif(len(rows)) for rows in sides)
    )
    left, _, right = np.linalg.svd(sides[0].T @ plan @ sides[1], full_matrices=False)
    maps = left[:, :DIRECTIONS], right[:DIRECTIONS].T
    return tuple(
        lambda rows, of=of, map_=map_: (rows - of[0]) / of[1] @ map_
        for of, map_ in zip(scales, maps)
    )
