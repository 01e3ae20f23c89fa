"""Shrinkage CCA: linear maps under which pairs correlate, from two spectra and one SVD."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gentle_clip_jax.evaluation import pairs
from gentle_clip_jax.losses import pairwise


class Maps(NamedTuple):
    """Centres [dx], [dy] and maps [dx, k], [dy, k] into one space, where cosines compare rows."""

    mean_x: jax.Array
    map_x: jax.Array
    mean_y: jax.Array
    map_y: jax.Array

    def embed_x(self, x: jax.Array) -> jax.Array:
        """Return unit rows [n, k] of features [n, dx]."""
        return pairwise.normalize((x - self.mean_x[None, :]) @ self.map_x)

    def embed_y(self, y: jax.Array) -> jax.Array:
        """Return unit rows [m, k] of features [m, dy]."""
        return pairwise.normalize((y - self.mean_y[None, :]) @ self.map_y)


class Spectrum(NamedTuple):
    """Eigenvalues [r] and eigenvectors [d, r] of a covariance; it is 0 on all other directions."""

    values: jax.Array
    vectors: jax.Array


@functools.partial(jax.jit, static_argnames="dim")
def cca(
    x: jax.Array,
    y: jax.Array,
    *,
    shrinkage: jax.Array | float,
    dim: int = 128,
    power: jax.Array | float = 0.5,
) -> Maps:
    """Fit canonical correlation analysis to pairs, with the covariances shrunk towards a sphere.

    U S V^T = SVD(Wx Cxy Wy), Wx = (Cxx + r tr(Cxx) / dx I)^-1/2; maps are Wx U S^p and Wy V S^p.

    Args:
      x: [n, dx] features, float32 or float64.
      y: [n, dy] features; y[i] is the pair of x[i].
      shrinkage: r > 0, in units of the mean variance of a dimension; `choose_setting` chooses it.
      dim: k, at most; no more than min(n, dx, dy) directions exist.
      power: p, how much a direction counts by its correlation.

    Raises:
      ValueError: there are fewer than two pairs, or not as many rows in x as in y.

    Source: Hotelling 1936, Biometrika 28; with a ridge, Vinod 1976, J. Econometrics 4.
    """
    pairs.count(x, y)
    mean_x, mean_y = jnp.mean(x, axis=0), jnp.mean(y, axis=0)
    x, y = x - mean_x[None, :], y - mean_y[None, :]
    cross = x.T @ y / x.shape[0]
    map_x, map_y = canonical_maps(
        spectrum(x), spectrum(y), cross, shrinkage=shrinkage, dim=dim, power=power
    )
    return Maps(mean_x, map_x, mean_y, map_y)


def spectrum(x: jax.Array) -> Spectrum:
    """Return the spectrum of the covariance of centred rows x [n, d], by the cheaper method."""
    n, d = x.shape
    if n < d:
        _, singular, vectors = jnp.linalg.svd(x, full_matrices=False)
        return Spectrum(jnp.square(singular) / n, vectors.T)
    return Spectrum(*jnp.linalg.eigh(x.T @ x / n))


def canonical_maps(
    of_x: Spectrum,
    of_y: Spectrum,
    cross: jax.Array,
    *,
    shrinkage: jax.Array | float,
    dim: int,
    power: jax.Array | float,
) -> tuple[jax.Array, jax.Array]:
    """Return CCA maps [dx, k] and [dy, k] from both spectra and the cross-covariance [dx, dy]."""
    white_x, white_y = _whitening(of_x, shrinkage), _whitening(of_y, shrinkage)
    left, correlations, right = jnp.linalg.svd(white_x.T @ cross @ white_y, full_matrices=False)
    weight = correlations[None, :dim] ** power
    return white_x @ (left[:, :dim] * weight), white_y @ (right[:dim].T * weight)


def _whitening(of: Spectrum, shrinkage: jax.Array | float) -> jax.Array:
    values = jnp.maximum(of.values, 0)
    ridge = shrinkage * jnp.sum(values) / of.vectors.shape[0]
    shrunk = values + ridge
    # Features that never vary have nothing to correlate.
    scale = jnp.where(shrunk > 0, jax.lax.rsqrt(jnp.where(shrunk > 0, shrunk, 1)), 0)
    return of.vectors * scale[None, :]
