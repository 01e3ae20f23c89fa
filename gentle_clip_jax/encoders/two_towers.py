"""Two towers with a head each, and the temperature they share."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

MAX_LOGIT_SCALE = 100.0


class TwoTowers(nn.Module):
    """Two towers that embed x and y into one space of unit vectors.

    A tower makes features [b, f] of its modality's rows, a head unit rows [b, dim] of features.
    `init_temperature` is where the learned temperature starts; the parameter is a log scale.
    """

    x_tower: nn.Module
    y_tower: nn.Module
    x_head: nn.Module
    y_head: nn.Module
    init_temperature: float = 0.07

    def setup(self):
        self.log_scale = self.param(
            "log_scale", nn.initializers.constant(-jnp.log(self.init_temperature)), (), jnp.float32
        )

    def embed_x(self, x: Any, *, train: bool = False) -> Array:
        """Rows of x, as its tower takes them -> unit rows [b, dim]."""
        return self.x_head(self.x_tower(x, train=train), train=train)

    def embed_y(self, y: Any, *, train: bool = False) -> Array:
        """Return unit rows of y likewise."""
        return self.y_head(self.y_tower(y, train=train), train=train)

    def temperature(self) -> Array:
        """Return the learned temperature, at least 1/100 (Radford et al., arXiv 2103.00020)."""
        return 1 / jnp.minimum(jnp.exp(self.log_scale), MAX_LOGIT_SCALE)

    def __call__(self, x: Any, y: Any) -> tuple[Array, Array, Array]:
        return self.embed_x(x), self.embed_y(y), self.temperature()
