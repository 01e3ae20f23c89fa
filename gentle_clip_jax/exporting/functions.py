"""What an aligner computes, a function of one batch each."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from gentle_clip_jax.aligners import Aligner


class Function(NamedTuple):
    """From float32 rows [batch, width] to unit float32 rows [batch, k]."""

    apply: Callable[[jax.Array], jax.Array]
    width: int


def functions_of(aligner: Aligner) -> dict[str, Function]:
    """embed_x and embed_y; and draw_x or draw_y, of embedded rows, where that side is drawn."""
    embeds = {"x": aligner.embed_x, "y": aligner.embed_y}
    draws = {"x": aligner.draw_x, "y": aligner.draw_y}
    widths = {"x": len(aligner.x.mean), "y": len(aligner.y.mean)}
    dim = np.shape(jax.eval_shape(aligner.embed_x, np.zeros((1, widths["x"]), np.float32)))[1]
    drawn = aligner.about.get("drawn", {})
    return {
        **{f"embed_{side}": Function(embeds[side], widths[side]) for side in "xy"},
        **{f"draw_{side}": Function(draws[side], dim) for side in "xy" if drawn.get(side)},
    }
