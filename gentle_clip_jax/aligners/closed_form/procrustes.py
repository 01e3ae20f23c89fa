"""Orthogonal Procrustes: rotations of both modalities into one space."""

from gentle_clip_jax.aligners.closed_form.arrays import Array, centred, compiled_for_jax
from gentle_clip_jax.aligners.closed_form.cca import Maps
from gentle_clip_jax.aligners.settings import Procrustes
from gentle_clip_jax.evaluation import pairs


@compiled_for_jax(static_argnames="dim")
def procrustes(x: Array, y: Array, *, dim: int = Procrustes.dim) -> Maps:
    """Fit orthogonal maps under which the pairs lie closest, of equal lengths or not.

    U S V^T = SVD(Cxy); the maps are the first columns of U and of V. Where dx = dy = dim, x U and
    y V differ by the rotation R = U V^T that minimises ||x R - y||. Columns without covariance,
    which few pairs or constant features leave, are zero.

    Args:
      x: [n, dx] features, float32 or float64.
      y: [n, dy] features; y[i] is the pair of x[i].
      dim: k, at most; no more than min(n, dx, dy) directions exist.

    Raises:
      ValueError: there are fewer than two pairs, or not as many rows in x as in y.

    Source: Schönemann 1966, Psychometrika 31; between lengths, Smith et al., arXiv 1702.03859.
    """
    pairs.count(x, y)
    (mean_x, centred_x), (mean_y, centred_y), xp = centred(x), centred(y), x.__array_namespace__()
    # Few pairs span few directions: the SVD is then of a matrix [n, n], however long features are.
    basis_x, rows_x = xp.linalg.qr(centred_x.T)
    basis_y, rows_y = xp.linalg.qr(centred_y.T)
    left, covariances, right = xp.linalg.svd(rows_x @ rows_y.T, full_matrices=False)
    least = max(x.shape + y.shape) * xp.finfo(x.dtype).eps * covariances[0]
    has_covariance = (covariances > least)[None, :dim]
    map_x, map_y = basis_x @ left[:, :dim], basis_y @ right[:dim].T
    return Maps(
        mean_x, xp.where(has_covariance, map_x, 0), mean_y, xp.where(has_covariance, map_y, 0)
    )
