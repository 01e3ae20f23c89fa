"""The affine map that centres and scales raw features: the first step of every aligner."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gentle_clip_jax.aligners.closed_form.arrays import Array, is_traced, to_map

if TYPE_CHECKING:
    import jax

# Share of the largest deviation; one feature of MiniLM is constant but for rounding.
_CONSTANT = 1e-5
_LARGE = 1e140  # magnitude, beyond which sums of squares may be out of range
_ROUNDING = 4  # times the precision of the numbers, in units of the mean
_BLOCK = 8192  # rows in float64 at a time
MOST_FEATURES = 1280  # maximum for a fit; more are projected on principal components


class Standardizer(NamedTuple):
    """Affine map of rows [..., d] to (rows - mean) / deviation, and on to principal components.

    mean [d], deviation [d]: float64, of all rows of matched and unmatched items. The deviation of a
      feature that is constant but for rounding is infinite, so that it becomes 0: divided by its
      own it would be as large as the others, and hold nothing but rounding.
    basis [d, k]: float32 principal components, of many features; else None.
    """

    mean: np.ndarray
    deviation: np.ndarray
    basis: np.ndarray | None = None

    @classmethod
    def of(cls, *groups: np.ndarray) -> "Standardizer":
        """Fit the moments of the rows of several arrays [..., d] together."""
        groups = tuple(np.asarray(items).reshape(-1, items.shape[-1]) for items in groups)
        count, width = sum(map(len, groups)), groups[0].shape[1]
        if not count:
            return cls(np.zeros(width), np.ones(width))
        scale = _scale(groups)
        if scale is None:
            sums = [rows.sum(axis=0, dtype=np.float64) for rows in groups]
            mean = np.sum(sums, axis=0) / count
            squares = (np.square(block - mean).sum(axis=0) for block in _blocks(*groups))
            deviation = np.sqrt(sum(squares) / count)
        else:
            mean = sum((block / scale).sum(axis=0) / count for block in _blocks(*groups))
            squares = (np.square(block / scale - mean).sum(axis=0) for block in _blocks(*groups))
            mean, deviation = mean * scale, np.sqrt(sum(squares) / count) * scale
        rounding = _ROUNDING * np.finfo(np.result_type(*groups)).eps * np.abs(mean)
        varies = (deviation > _CONSTANT * deviation.max(initial=0)) & (deviation > rounding)
        return cls(mean, np.where(varies, deviation, np.inf))

    @property
    def width(self) -> int:
        """Number of standardised features."""
        return len(self.mean) if self.basis is None else self.basis.shape[1]

    @property
    def finite_deviation(self) -> np.ndarray:
        """Return the deviation [d], 1 for a constant feature."""
        return np.where(np.isfinite(self.deviation), self.deviation, 1)

    def standard(self, rows: ArrayLike, name: str) -> Array:
        """Return standardised rows [n, k] of raw ones, which messages call `name`.

        They are NumPy's if they are few, see `arrays.to_map`.

        Raises:
          ValueError: they have another shape than [n, d], or are not finite.
        """
        shape, width = np.shape(rows), self.mean.shape[0]
        if len(shape) != 2 or shape[1] != width:
            raise ValueError(
                f"{name} must be [n, {width}], as the features that the aligner was fitted to; its "
                f"shape is {shape}."
            )
        if is_traced(rows) or is_traced(self.mean):
            return self.traced(to_map(rows))
        standard = self.rows(np.asarray(rows))
        if not np.isfinite(standard).all():
            raise ValueError(f"{name} holds numbers that are not finite: leave those rows out.")
        return to_map(standard)

    def rows(self, rows: np.ndarray) -> np.ndarray:
        """Return standardised float32 rows [..., d] or [..., k], subtracted in float64."""
        shape = np.shape(rows)
        flat = np.asarray(rows).reshape(-1, shape[-1])
        standard, end = np.empty((len(flat), self.width), np.float32), 0
        for block in _blocks(flat):
            block = ((block - self.mean) / self.deviation).astype(np.float32)
            start, end = end, end + len(block)
            standard[start:end] = block if self.basis is None else block @ self.basis
        return standard.reshape(*shape[:-1], self.width)

    def traced(self, rows: "jax.Array") -> "jax.Array":
        """Return the same rows [n, d] within a jitted function, which has no float64.

        The mean is subtracted as the sum of two float32 numbers, so that features far from 0 keep
        their digits.
        """
        import jax
        import jax.numpy as jnp

        with np.errstate(over="ignore"):  # float32 cannot hold features of such a scale
            mean, deviation = (part.astype(np.float32) for part in (self.mean, self.deviation))
            rest = (self.mean - mean).astype(np.float32)
        # Without it XLA would add both first.
        near = jax.lax.optimization_barrier(rows.astype(jnp.float32) - mean[None, :])
        standard = (near - rest[None, :]) / deviation[None, :]
        return standard if self.basis is None else standard @ self.basis

    def directions(self, rows: np.ndarray) -> np.ndarray:
        """Return directions whose products with standardised features are rows [..., d] @ features.

        Equal but for a constant; with principal components, the nearest approximation.
        """
        varies = np.isfinite(self.deviation)
        turned = (rows * np.where(varies, self.deviation, 0)).astype(np.float32)
        return turned if self.basis is None else turned @ self.basis

    def in_components(self, *groups: np.ndarray) -> "Standardizer":
        """Add the first 1,280 principal components of the rows, where they have more features."""
        width = len(self.mean)
        if width <= MOST_FEATURES:
            return self
        rows = [self.rows(items.reshape(-1, width)) for items in groups]
        return self._replace(basis=principal_components(np.concatenate(rows), MOST_FEATURES))


def _scale(groups: tuple[np.ndarray, ...]) -> np.ndarray | None:
    """Return a power of two near the largest number of each feature [d], by which to divide it.

    Return None where no square of a number is out of the range of float64.
    """
    largest = np.max([np.abs(rows).max(axis=0, initial=0) for rows in groups], axis=0)
    largest = largest.astype(np.float64)
    if ((largest < _LARGE) & ((largest > 1 / _LARGE) | (largest == 0))).all():
        return None
    return np.ldexp(1.0, np.frexp(largest)[1] - 1)


def _blocks(*groups: np.ndarray) -> Iterator[np.ndarray]:
    """Yield blocks of the rows of arrays [n, d]: in float64 all might not fit into memory."""
    for rows in groups:
        for start in range(0, len(rows), _BLOCK):
            yield rows[start : start + _BLOCK]


def principal_components(rows: np.ndarray, most: int) -> np.ndarray:
    """Return the first `most` components [d, k] of centred rows [n, d], or as many as vary."""
    count, width = rows.shape
    if count >= width:
        import scipy.linalg  # slow to load

        wanted = (width - most, width - 1)
        _, vectors = scipy.linalg.eigh(rows.T @ rows, subset_by_index=wanted, overwrite_a=True)
        return np.ascontiguousarray(vectors[:, ::-1])
    values, vectors = np.linalg.eigh(rows @ rows.T)  # the smaller of two decompositions
    varying = values[::-1][:most] > 1e-6 * values[-1]
    basis = rows.T @ vectors[:, ::-1][:, :most][:, varying]
    return basis / np.linalg.norm(basis, axis=0)
