"""Relative representations: an item as its similarities to the paired items."""

import dataclasses
import functools

import jax

from gentle_clip_jax.aligners.closed_form.arrays import (
    Array,
    centred,
    least_of_greatest,
    similarity,
    unit_rows,
)
from gentle_clip_jax.aligners.settings import Relative
from gentle_clip_jax.evaluation import pairs


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["mean_x", "anchors_x", "mean_y", "anchors_y", "power"],
    meta_fields=["kept"],
)
@dataclasses.dataclass(frozen=True)
class Anchors:
    """Pairs as the coordinates of one space: centres [dx], [dy], unit rows [n, dx], [n, dy]."""

    mean_x: Array
    anchors_x: Array
    mean_y: Array
    anchors_y: Array
    kept: int
    power: Array

    def __post_init__(self):
        # Earlier versions saved it as an array.
        object.__setattr__(self, "kept", int(self.kept))

    def embed_x(self, x: Array) -> Array:
        """Return unit rows [m, n] of features [m, dx]."""
        return self._embed(x - self.mean_x[None, :], self.anchors_x)

    def embed_y(self, y: Array) -> Array:
        """Return unit rows [m, n] of features [m, dy]."""
        return self._embed(y - self.mean_y[None, :], self.anchors_y)

    def _embed(self, rows: Array, anchors: Array) -> Array:
        xp, cosines = rows.__array_namespace__(), similarity(unit_rows(rows), anchors)
        least = least_of_greatest(cosines, min(self.kept, len(anchors)))
        powers = xp.sign(cosines) * xp.abs(cosines) ** self.power
        return unit_rows(xp.where(cosines >= least, powers, 0))


def relative(
    x: Array,
    y: Array,
    *,
    kept: int = Relative.kept,
    power: jax.Array | float = Relative.power,
) -> Anchors:
    """Describe an item by its cosines to the pairs' items of its own modality; fits nothing.

    s_j = cos(x - mean, x_j - mean); the embedding is sign(s) |s|^p of the greatest s, else 0.

    Args:
      x: [n, dx] features, float32 or float64.
      y: [n, dy] features; y[i] is the pair of x[i].
      kept: number of nearest similarities of an item; the others become 0.
      power: p > 0; the higher, the more the nearest pairs decide.

    Raises:
      ValueError: there are fewer than two pairs, or not as many rows in x as in y.

    Source: Moschella et al., arXiv 2209.15430, which is kept = n, power = 1; ASIF, Norelli et al.,
    arXiv 2210.01738, the source of the defaults. Neither centres its features.
    """
    pairs.count(x, y)
    (mean_x, x), (mean_y, y) = centred(x), centred(y)
    power = x.__array_namespace__().asarray(power, dtype=x.dtype)
    return Anchors(mean_x, unit_rows(x), mean_y, unit_rows(y), kept, power)
