"""Gallery smoothing: rows that are ranked move towards their neighbours of the other modality."""

import functools
from typing import NamedTuple

import jax

from gentle_clip_jax.aligners.closed_form.neighbours import in_blocks
from gentle_clip_jax.evaluation.cross_validation import Embeds
from gentle_clip_jax.losses import pairwise

_BLOCK = 256
# Weight of the neighbours, and their number, for each modality.
OF_X = {"weight": 1.0, "count": 300}
OF_Y = {"weight": 0.5, "count": 50}
TEMPERATURE = 0.1


class SmoothedGallery(NamedTuple):
    """Maps, and banks of embedded rows by which galleries of the other modality are smoothed.

    maps: embeds both modalities. bank_x [l, k], bank_y [m, k]: embedded rows, matched or not; None
    where the other modality's gallery is not smoothed.

    Queries stay as they are. A row of a gallery, such as an image that is ranked for a text, moves
    towards the mean of its nearest rows of the other modality: the
    geometry of the captions then separates images that lie between them.

    Source: ours; docs/results/variants.md has its gain.
    """

    maps: Embeds
    bank_x: jax.Array | None
    bank_y: jax.Array | None

    def embed_x(self, x: jax.Array) -> jax.Array:
        """Return unit rows [n, k] of features [n, dx]."""
        return self.maps.embed_x(x)

    def embed_y(self, y: jax.Array) -> jax.Array:
        """Return unit rows [m, k] of features [m, dy]."""
        return self.maps.embed_y(y)

    def smooth_gallery_x(self, rows: jax.Array) -> jax.Array:
        """Smooth embedded rows [n, k] of x, as they are ranked for queries of y."""
        return rows if self.bank_y is None else smooth_gallery(rows, self.bank_y, **OF_X)

    def smooth_gallery_y(self, rows: jax.Array) -> jax.Array:
        """Smooth embedded rows [m, k] of y, as they are ranked for queries of x."""
        return rows if self.bank_x is None else smooth_gallery(rows, self.bank_x, **OF_Y)


@functools.partial(jax.jit, static_argnames="count")
def smooth_gallery(
    rows: jax.Array,
    bank: jax.Array,
    *,
    weight: jax.Array | float,
    count: int,
    temperature: float = TEMPERATURE,
) -> jax.Array:
    """Return unit(e + weight unit(sum_j w_j b_j)), w the softmax of e . b_j / temperature.

    Args:
      rows: [n, k] unit rows e.
      bank: [m, k] unit rows b of the other modality.
      weight: of the neighbours.
      count: number of nearest rows of the bank; all of a smaller bank.
      temperature: of the softmax.

    Returns:
      [n, k]; in blocks, so that memory never holds an [n, m] array.
    """

    def one(row: jax.Array) -> jax.Array:
        cosines, nearest = jax.lax.top_k(bank @ row, min(count, len(bank)))
        mean = jax.nn.softmax(cosines / temperature) @ bank[nearest]
        return row + weight * pairwise.normalize(mean[None, :]).ravel()

    return pairwise.normalize(in_blocks(one, rows, _BLOCK))
