"""Shrinkage CCA: linear maps under which pairs correlate, from two spectra and one SVD."""

from typing import NamedTuple

import jax

from gentle_clip_jax.aligners import settings
from gentle_clip_jax.aligners.closed_form.arrays import (
    Array,
    centred,
    compiled_for_jax,
    inverse_triangular,
    leading_singular,
    shrunk,
)
from gentle_clip_jax.aligners.closed_form.maps import Maps
from gentle_clip_jax.evaluation import pairs


class Spectrum(NamedTuple):
    """Eigenvalues [r] and eigenvectors [d, r] of a covariance; it is 0 on all other directions."""

    values: Array
    vectors: Array


class Moments(NamedTuple):
    """Moments of pairs that CCA needs: means [dx], [dy], spectra and cross-covariance [dx, dy]."""

    mean_x: Array
    of_x: Spectrum
    mean_y: Array
    of_y: Spectrum
    cross: Array


@compiled_for_jax(static_argnames="dim")
def cca(
    x: Array,
    y: Array,
    weights: Array | None = None,
    *,
    shrinkage: jax.Array | float,
    dim: int = settings.Cca.dim,
    power: jax.Array | float = settings.Cca.power,
) -> Maps:
    """Fit canonical correlation analysis to pairs, with the covariances shrunk towards a sphere.

    U S V^T = SVD(Wx Cxy Wy), Wx = (Cxx + r tr(Cxx) / dx I)^-1/2; maps are Wx U S^p and Wy V S^p.

    Args:
      x: [n, dx] features, float32 or float64.
      y: [n, dy] features; y[i] is the pair of x[i].
      weights: [n] of the pairs; equal if not given.
      shrinkage: r > 0, in units of the mean variance of a dimension; `choose_setting` chooses it.
      dim: k, at most; no more than min(n, dx, dy) directions exist.
      power: p, how much a direction counts by its correlation.

    Raises:
      ValueError: there are fewer than two pairs, or not as many rows in x as in y.

    Source: Hotelling 1936, Biometrika 28; with a ridge, Vinod 1976, J. Econometrics 4.
    """
    return maps_of(moments(x, y, weights), shrinkage, dim=dim, power=power)


def moments(x: Array, y: Array, weights: Array | None = None) -> Moments:
    """Return the moments of pairs, see `cca`: the part that no shrinkage changes."""
    pairs.count(x, y)
    (mean_x, x), (mean_y, y) = centred(x, weights), centred(y, weights)
    return Moments(mean_x, spectrum(x), mean_y, spectrum(y), x.T @ y / x.shape[0])


def maps_of(
    of: Moments,
    shrinkage: jax.Array | float,
    *,
    dim: int = settings.Cca.dim,
    power: jax.Array | float = settings.Cca.power,
) -> Maps:
    """Return the maps of `cca` from the moments of the pairs."""
    white_x, white_y = whitening(of.of_x, shrinkage), whitening(of.of_y, shrinkage)
    map_x, map_y = canonical_maps(white_x, white_y, of.cross, dim=dim, power=power)
    return Maps(of.mean_x, map_x, of.mean_y, map_y)


def spectrum(x: Array) -> Spectrum:
    """Return the spectrum of the covariance of centred rows x [n, d], by the cheaper method."""
    (n, d), xp = x.shape, x.__array_namespace__()
    if n < d:
        _, singular, vectors = xp.linalg.svd(x, full_matrices=False)
        return Spectrum(xp.square(singular) / n, vectors.T)
    return Spectrum(*xp.linalg.eigh(x.T @ x / n))


def canonical_maps(
    white_x: Array, white_y: Array, cross: Array, *, dim: int, power: jax.Array | float
) -> tuple[Array, Array]:
    """Return CCA maps [dx, k] and [dy, k] by what whitens x and y, and their covariance [dx, dy].

    white_x [dx, r], white_y [dy, s]: see `whitening` and `covariance_whitening`.
    """
    left, correlations, right = leading_singular(white_x.T @ cross @ white_y, dim)
    weight = correlations[None, :] ** power
    return white_x @ (left * weight), white_y @ (right * weight)


def covariance_whitening(covariance: Array, shrinkage: jax.Array | float) -> Array:
    """Return W [d, d], W W^T the inverse of the shrunk covariance, by Cholesky's decomposition.

    It differs from `whitening` by a rotation, which changes no map.
    """
    xp = covariance.__array_namespace__()
    return inverse_triangular(xp.linalg.cholesky(shrunk(covariance, shrinkage))).T


def whitening(of: Spectrum, shrinkage: jax.Array | float) -> Array:
    """Return W [d, r], W W^T the inverse of the shrunk covariance on the directions that vary."""
    xp = of.values.__array_namespace__()
    values = xp.maximum(of.values, 0)
    ridge = shrinkage * xp.sum(values) / of.vectors.shape[0]
    shrunk = values + ridge
    # Features that never vary have nothing to correlate.
    scale = xp.where(shrunk > 0, 1 / xp.sqrt(xp.where(shrunk > 0, shrunk, 1)), 0)
    return of.vectors * scale[None, :]
