"""Features in units of their own spread: what every aligner does to raw features first."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.aligners.problem import Features, Problem

_CONSTANT = 1e-5  # of the largest deviation; one feature of MiniLM is constant but for rounding
_ROUNDING = 4  # times the precision of the numbers, in units of the mean


class Standardizer(NamedTuple):
    """Takes rows [..., d] to (rows - mean) / deviation.

    mean [d], deviation [d]: float64, of all rows of matched and unmatched items. The deviation of a
      feature that is constant but for rounding is infinite, so that it becomes 0: divided by its
      own it would be as large as the others, and hold nothing but rounding.
    """

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, *groups: np.ndarray) -> "Standardizer":
        """Of the rows of several arrays [..., d] together."""
        rows = np.concatenate([np.asarray(items).reshape(-1, items.shape[-1]) for items in groups])
        if not len(rows):
            return cls(np.zeros(rows.shape[1]), np.ones(rows.shape[1]))
        mean = rows.mean(axis=0, dtype=np.float64)
        deviation = rows.std(axis=0, dtype=np.float64)
        rounding = _ROUNDING * np.finfo(rows.dtype).eps * np.abs(mean)
        varies = (deviation > _CONSTANT * deviation.max(initial=0)) & (deviation > rounding)
        return cls(mean, np.where(varies, deviation, np.inf))

    @property
    def finite_deviation(self) -> np.ndarray:
        """Deviation [d], 1 for a constant feature."""
        return np.where(np.isfinite(self.deviation), self.deviation, 1)

    def rows(self, rows: np.ndarray) -> np.ndarray:
        """Standardised float32 rows [..., d]; the subtraction is done in float64."""
        return ((np.asarray(rows) - self.mean) / self.deviation).astype(np.float32)

    def traced(self, rows: jax.Array) -> jax.Array:
        """The same [n, d] within a jitted function, where float64 is not to be had."""
        mean, deviation = (jnp.asarray(moment, jnp.float32)[None, :] for moment in self)
        return (rows.astype(jnp.float32) - mean) / deviation

    def directions(self, rows: np.ndarray) -> np.ndarray:
        """What, of standardised features, is rows [..., d] @ features but for a constant."""
        varies = np.isfinite(self.deviation)
        return (rows * np.where(varies, self.deviation, 0)).astype(np.float32)


Classes = tuple[jax.Array, jax.Array]


def standardized(
    problem: Problem,
) -> tuple[Standardizer, Standardizer, Features, Classes | None]:
    """The moments of both modalities, and all features and classes in their units."""
    x = Standardizer.of(problem.x, problem.unmatched_x)
    y = Standardizer.of(problem.y, problem.unmatched_y)
    features = Features(
        jnp.asarray(x.rows(problem.x)),
        jnp.asarray(y.rows(problem.y)),
        jnp.asarray(x.rows(problem.unmatched_x)),
        jnp.asarray(y.rows(problem.unmatched_y)),
    )
    if problem.classes is None:
        return x, y, features, None
    classifier, names = problem.classes
    return x, y, features, (jnp.asarray(x.directions(classifier)), jnp.asarray(y.rows(names)))
