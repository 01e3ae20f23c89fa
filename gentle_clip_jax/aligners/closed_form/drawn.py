"""The drawn gallery: what is ranked is drawn towards what the other modality has beside it."""

import functools
from typing import NamedTuple

import jax

from gentle_clip_jax.aligners.closed_form.neighbours import in_blocks
from gentle_clip_jax.aligners.cross_validation import Embeds
from gentle_clip_jax.losses import pairwise

_BLOCK = 256
# How far each side is drawn, and to how many rows.
OF_X = {"weight": 1.0, "count": 300}
OF_Y = {"weight": 0.5, "count": 50}
TEMPERATURE = 0.1


class Drawn(NamedTuple):
    """Maps, and rows of either modality that embeddings of the other are drawn to.

    maps: what embeds both. bank_x [l, k], bank_y [m, k]: embedded rows, matched or not; None where
    the other modality is not drawn.

    A row that asks stays as it is. A row that is ranked, as images are by a text, is drawn to the
    mean of the rows of the other modality that it is nearest to: images that lie between captions
    and beside them are told apart by the captions' own geometry.

    Source: ours; docs/results/remote_sensing_turns.md has what it brings.
    """

    maps: Embeds
    bank_x: jax.Array | None
    bank_y: jax.Array | None

    def embed_x(self, x: jax.Array) -> jax.Array:
        """Unit rows [n, k] of features [n, dx]."""
        return self.maps.embed_x(x)

    def embed_y(self, y: jax.Array) -> jax.Array:
        """Unit rows [m, k] of features [m, dy]."""
        return self.maps.embed_y(y)

    def draw_x(self, rows: jax.Array) -> jax.Array:
        """Unit rows [n, k] of x as they are ranked."""
        return rows if self.bank_y is None else drawn(rows, self.bank_y, **OF_X)

    def draw_y(self, rows: jax.Array) -> jax.Array:
        """Unit rows [m, k] of y as they are ranked."""
        return rows if self.bank_x is None else drawn(rows, self.bank_x, **OF_Y)


@functools.partial(jax.jit, static_argnames="count")
def drawn(
    rows: jax.Array,
    bank: jax.Array,
    *,
    weight: jax.Array | float,
    count: int,
    temperature: float = TEMPERATURE,
) -> jax.Array:
    """unit(e + weight unit(sum_j w_j b_j)), w the softmax of e . b_j / temperature.

    Args:
      rows: [n, k] unit rows e.
      bank: [m, k] unit rows b of the other modality.
      weight: of what they are drawn to.
      count: how many of the bank's nearest rows take part; all of a bank that has no more.
      temperature: of the softmax.

    Returns:
      [n, k]; in blocks, so that no [n, m] array is held.
    """

    def one(row: jax.Array) -> jax.Array:
        cosines, nearest = jax.lax.top_k(bank @ row, min(count, len(bank)))
        mean = jax.nn.softmax(cosines / temperature) @ bank[nearest]
        return row + weight * pairwise.normalize(mean[None, :])[0]

    return pairwise.normalize(in_blocks(one, rows, _BLOCK))
