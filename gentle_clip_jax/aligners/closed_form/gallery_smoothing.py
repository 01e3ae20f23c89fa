"""Gallery smoothing: rows that are ranked move towards their neighbours of the other modality."""

from typing import TYPE_CHECKING, NamedTuple

from gentle_clip_jax.aligners.closed_form.arrays import (
    Array,
    compiled,
    is_numpy,
    least_of_greatest,
    similarity,
    softmax,
    unit_rows,
)
from gentle_clip_jax.aligners.closed_form.neighbours import in_blocks

if TYPE_CHECKING:
    from gentle_clip_jax.evaluation.cross_validation import Embeds

_BLOCK = 256
# Weight of the neighbours, and their number, for each modality.
OF_X = {"weight": 1.0, "count": 300}
OF_Y = {"weight": 0.5, "count": 50}
TEMPERATURE = 0.1


class Galleries(NamedTuple):
    """Galleries to smooth: the rows of x, and those of y, where they are ranked."""

    x: bool
    y: bool


class SmoothedGallery(NamedTuple):
    """Maps, and banks of embedded rows by which galleries of the other modality are smoothed.

    maps: embeds both modalities. bank_x [l, k], bank_y [m, k]: embedded rows, matched or not; None
    where the other modality's gallery is not smoothed.

    Queries stay as they are. A row of a gallery, such as an image that is ranked for a text, moves
    towards the mean of its nearest rows of the other modality: the
    geometry of the captions then separates images that lie between them.

    Source: ours; docs/results/variants.md has its gain.
    """

    maps: "Embeds"
    bank_x: Array | None
    bank_y: Array | None

    def embed_x(self, x: Array) -> Array:
        """Return unit rows [n, k] of features [n, dx]."""
        return self.maps.embed_x(x)

    def embed_y(self, y: Array) -> Array:
        """Return unit rows [m, k] of features [m, dy]."""
        return self.maps.embed_y(y)

    def smooth_gallery_x(self, rows: Array) -> Array:
        """Smooth embedded rows [n, k] of x, as they are ranked for queries of y."""
        return rows if self.bank_y is None else smooth_gallery(rows, self.bank_y, **OF_X)

    def smooth_gallery_y(self, rows: Array) -> Array:
        """Smooth embedded rows [m, k] of y, as they are ranked for queries of x."""
        return rows if self.bank_x is None else smooth_gallery(rows, self.bank_x, **OF_Y)


def smooth_gallery(
    rows: Array,
    bank: Array,
    *,
    weight: Array | float,
    count: int,
    temperature: float = TEMPERATURE,
) -> Array:
    """Return unit(e + weight unit(sum_j w_j b_j)), w the softmax of e . b_j / temperature.

    Args:
      rows: [n, k] unit rows e.
      bank: [m, k] unit rows b of the other modality.
      weight: of the neighbours.
      count: number of nearest rows of the bank; all of a smaller bank.
      temperature: of the softmax.

    Returns:
      [n, k], of NumPy if both are; in blocks, so that memory never holds an [n, m] array.
    """
    run = _smooth if is_numpy((rows, bank)) else _smooth_by_jax
    return run(rows, bank, weight=weight, count=count, temperature=temperature)


def _smooth(
    rows: Array, bank: Array, *, weight: Array | float, count: int, temperature: float
) -> Array:
    xp = rows.__array_namespace__()

    def block(some: Array) -> Array:
        cosines = similarity(some, bank)
        is_near = cosines >= least_of_greatest(cosines, min(count, len(bank)))
        shares = softmax(xp.where(is_near, cosines / temperature, -xp.inf))
        return some + weight * unit_rows(shares @ bank)  # faster than to look up the nearest

    return unit_rows(in_blocks(block, rows, _BLOCK))


_smooth_by_jax = compiled(_smooth, static_argnames="count")
