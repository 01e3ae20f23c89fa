"""Cross-validated choice of the shrinkage, for every closed form."""

import functools
from collections.abc import Callable, Iterable

from gentle_clip_jax.aligners.closed_form.arrays import Array, compiled_for_jax
from gentle_clip_jax.aligners.closed_form.cca import Maps, maps_of, moments
from gentle_clip_jax.aligners.closed_form.ridge import ridge
from gentle_clip_jax.aligners.settings import Shrinkage
from gentle_clip_jax.evaluation.cross_validation import choose_setting
from gentle_clip_jax.evaluation.splits import FOLDS

# Of pairs [n, dx] and [n, dy]: the fit as a function of the shrinkage.
ShrunkFit = Callable[[Array, Array], Callable[[float], Maps]]
_moments, _maps_of = compiled_for_jax()(moments), compiled_for_jax()(maps_of)


def chosen_shrinkage(
    fit: ShrunkFit,
    x: Array,
    y: Array,
    *,
    shrinkages: Iterable[float] = Shrinkage.candidates,
) -> float:
    """Choose the shrinkage that ranks held-out partners best; 10 below three pairs.

    Args:
      fit: `shrunk_cca`, `shrunk_ridge` or another `ShrunkFit`.
      x: [n, dx] features of the pairs.
      y: [n, dy] likewise.
      shrinkages: candidates.
    """
    if len(x) < 3:
        return Shrinkage.few_pairs
    num_folds = FOLDS if len(x) < Shrinkage.many_pairs else 2  # a fold of many tells enough
    return choose_setting(fit, x, y, shrinkages, num_folds=num_folds)


def shrunk_cca(x: Array, y: Array) -> Callable[[float], Maps]:
    """Fit `cca` as a `ShrunkFit`, which decomposes the covariances once."""
    return functools.partial(_maps_of, _moments(x, y))


def shrunk_ridge(x: Array, y: Array) -> Callable[[float], Maps]:
    """Fit `ridge` as a `ShrunkFit`."""
    return lambda shrinkage: ridge(x, y, shrinkage=shrinkage)
