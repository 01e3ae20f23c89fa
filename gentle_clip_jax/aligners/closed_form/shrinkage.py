"""Cross-validated choice of the shrinkage, for every closed form."""

from collections.abc import Callable, Iterable

import jax

from gentle_clip_jax.aligners.closed_form.cca import Maps, cca
from gentle_clip_jax.aligners.closed_form.ridge import ridge
from gentle_clip_jax.aligners.settings import Shrinkage
from gentle_clip_jax.evaluation.cross_validation import choose_setting
from gentle_clip_jax.evaluation.splits import FOLDS

ShrunkFit = Callable[[jax.Array, jax.Array, float], Maps]


def chosen_shrinkage(
    fit: ShrunkFit,
    x: jax.Array,
    y: jax.Array,
    *,
    shrinkages: Iterable[float] = Shrinkage.candidates,
) -> float:
    """Choose the shrinkage that ranks held-out partners best; 10 below three pairs.

    Args:
      fit: of pairs [n, dx], [n, dy] and a shrinkage.
      x: [n, dx] features of the pairs.
      y: [n, dy] likewise.
      shrinkages: candidates.
    """
    if len(x) < 3:
        return Shrinkage.few_pairs
    num_folds = FOLDS if len(x) < Shrinkage.many_pairs else 2  # a fold of many tells enough
    return choose_setting(fit, x, y, shrinkages, num_folds=num_folds)


def shrunk_cca(x: jax.Array, y: jax.Array, shrinkage: float) -> Maps:
    """Fit `cca` as a `ShrunkFit`."""
    return cca(x, y, shrinkage=shrinkage)


def shrunk_ridge(x: jax.Array, y: jax.Array, shrinkage: float) -> Maps:
    """Fit `ridge` as a `ShrunkFit`."""
    return ridge(x, y, shrinkage=shrinkage)
