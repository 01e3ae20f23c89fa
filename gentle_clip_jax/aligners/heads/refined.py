"""Heads that refine gentle transport, trained on its smoothed features of x."""

from typing import NamedTuple

import jax

from gentle_clip_jax.aligners.closed_form.gentle import Smoothed
from gentle_clip_jax.aligners.heads.training import Trained


class Refined(NamedTuple):
    """A head that was trained on smoothed features of x."""

    start: Smoothed
    trained: Trained

    def embed_x(self, x: jax.Array) -> jax.Array:
        """Return unit rows [n, d] of features [n, dx]."""
        return self.trained.embed_x(self.start.smooth_x(x))

    def embed_y(self, y: jax.Array) -> jax.Array:
        """Return unit rows [m, d] of features [m, dy]."""
        return self.trained.embed_y(y)
