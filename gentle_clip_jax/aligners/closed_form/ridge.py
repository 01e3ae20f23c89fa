"""Ridge regression from one modality's features onto the other's."""

import jax

from gentle_clip_jax.aligners.closed_form.arrays import Array, centred, compiled_for_jax
from gentle_clip_jax.aligners.closed_form.cca import Maps, spectrum
from gentle_clip_jax.evaluation import pairs


@compiled_for_jax()
def ridge(x: Array, y: Array, *, shrinkage: jax.Array | float) -> Maps:
    """Fit a regression of y on x; y itself is only centred, so that the space is that of y.

    argmin_B ||x B - y||^2 / n + r tr(Cxx) / dx ||B||^2 = (Cxx + r tr(Cxx) / dx I)^-1 Cxy.

    Args:
      x: [n, dx] features, float32 or float64.
      y: [n, dy] features; y[i] is the pair of x[i].
      shrinkage: r > 0, in units of the mean variance of a dimension; `choose_setting` chooses it.

    Raises:
      ValueError: there are fewer than two pairs, or not as many rows in x as in y.

    Source: Hoerl and Kennard 1970, Technometrics 12.
    """
    pairs.count(x, y)
    (mean_x, x), (mean_y, y), xp = centred(x), centred(y), x.__array_namespace__()
    variances, directions = spectrum(x)
    shrunk = variances + shrinkage * xp.sum(variances) / x.shape[1]
    cross = directions.T @ (x.T @ y) / x.shape[0]
    # No variance at all, as of constant features, predicts the mean.
    map_x = directions @ (xp.where(shrunk > 0, 1 / shrunk, 0)[:, None] * cross)
    return Maps(mean_x, map_x, mean_y, xp.eye(y.shape[1], dtype=y.dtype))
