"""Two towers with a head each, and the temperature they share."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from gentle_clip_jax.encoders.heads import ProjectionHead

MAX_LOGIT_SCALE = 100.0


class TwoTowers(nn.Module):
    """Embeds two modalities into one space of unit vectors.

    `init_temperature` is where the learned temperature starts; it is kept as a log scale.
    """

    image_tower: nn.Module
    text_tower: nn.Module
    image_head: ProjectionHead
    text_head: ProjectionHead
    init_temperature: float = 0.07

    def setup(self):
        self.log_scale = self.param(
            "log_scale", nn.initializers.constant(-jnp.log(self.init_temperature)), (), jnp.float32
        )

    def embed_images(self, images: Array, *, train: bool = False) -> Array:
        """Images [b, height, width], values in [0, 1] -> unit rows [b, dim]."""
        return self.image_head(self.image_tower(images[..., None], train=train), train=train)

    def embed_texts(self, tokens: Array, *, train: bool = False) -> Array:
        """Token ids [b, t] -> unit rows [b, dim]."""
        return self.text_head(self.text_tower(tokens, train=train), train=train)

    def temperature(self) -> Array:
        """The learned temperature, its inverse at most 100 (Radford et al., arXiv 2103.00020)."""
        return 1 / jnp.minimum(jnp.exp(self.log_scale), MAX_LOGIT_SCALE)

    def __call__(self, images: Array, tokens: Array) -> tuple[Array, Array, Array]:
        return self.embed_images(images), self.embed_texts(tokens), self.temperature()
