"""Methods of this package, called as a method of the benchmark is."""

import numpy as np

from few_pairs.protocol import Embed


def fit_method(
    name: str,
    x: np.ndarray,
    y: np.ndarray,
    unmatched_x: np.ndarray,
    unmatched_y: np.ndarray,
    seed: int,
) -> tuple[Embed, Embed]:
    """Fit the method of that name to a problem; see gentle_clip_jax.aligners."""
    import jax

    from gentle_clip_jax.aligners import Problem, align

    aligner = align(Problem(x, y, unmatched_x, unmatched_y), name, key=jax.random.key(seed))
    return aligner.embed_x, aligner.embed_y


def standardized(*sets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of the features of all given items, 1 for constants."""
    rows = np.concatenate(sets).astype(np.float64)
    deviation = rows.std(axis=0)
    return rows.mean(axis=0), np.where(deviation > 1e-9, deviation, 1.0)
