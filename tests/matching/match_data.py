"""Made-up sets whose right matches are known."""

from typing import NamedTuple

import numpy as np


class Sets(NamedTuple):
    """x [n, dx] and y [n, dy], y[i] the partner of x[i]."""

    x: np.ndarray
    y: np.ndarray


def sets(n: int, *, noise: float, seed: int = 0, hidden: int = 6, clusters: int = 0) -> Sets:
    """Two noisy linear views of the same hidden vectors, in clusters if asked for."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, hidden))
    if clusters:
        z = 0.4 * z + 2 * rng.normal(size=(clusters, hidden))[rng.integers(clusters, size=n)]
    views = [z @ rng.normal(size=(hidden, d)) + noise * rng.normal(size=(n, d)) for d in (12, 10)]
    return Sets(*(view.astype(np.float32) for view in views))


def pairs(k: int) -> np.ndarray:
    """The first k rows of both."""
    return np.stack([np.arange(k)] * 2, axis=1)
