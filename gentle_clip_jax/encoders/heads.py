"""Projection heads from tower features into the shared embedding space."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from gentle_clip_jax.losses.pairwise import normalize

FROZEN = "frozen"  # the name under which parameters lie that no optimizer may touch


class ProjectionHead(nn.Module):
    """Features [b, f] -> unit embeddings [b, dim], float32.

    p = W1 f;  z = LayerNorm(p + dropout(W2 gelu(p)));  z / |z|.

    Source: the public demo of arXiv 2406.05766.
    """

    dim: int = 256
    dropout: float = 0.1
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, features: Array, *, train: bool = False) -> Array:
        projected = nn.Dense(self.dim, dtype=self.dtype)(features)
        h = nn.Dense(self.dim, dtype=self.dtype)(nn.gelu(projected))
        h = nn.Dropout(self.dropout, deterministic=not train)(h)
        z = nn.LayerNorm(dtype=jnp.float32)((projected + h).astype(jnp.float32))
        return normalize(z)


class RefinedMap(nn.Module):
    """Features [b, f] -> unit embeddings [b, dim], float32, of a linear map with a residual.

    p = W1 f [+ b1];  z = p + dropout(W2 gelu(p));  z / |z|.

    W2 starts at 0: with the W1 of a closed form the head starts as that map. It is a ProjectionHead
    without LayerNorm, which would move what the map gives. `standardize`: f is (f - mean) / scale
    with a mean and a scale [f] that stay as they are; Adam's steps have one size for all entries of
    W1, so that features far from 0 would all be moved together.
    """

    dim: int
    dropout: float = 0.1
    use_bias: bool = False
    standardize: bool = False

    @nn.compact
    def __call__(self, features: Array, *, train: bool = False) -> Array:
        if self.standardize:
            stored = self.param(FROZEN, lambda _: standard(features.shape[-1]))
            mean, scale = (stored[name][None, :] for name in ("mean", "scale"))
            features = (features - mean) / scale
        projected = nn.Dense(self.dim, use_bias=self.use_bias, name="map")(features)
        h = nn.Dense(self.dim, kernel_init=nn.initializers.zeros)(nn.gelu(projected))
        h = nn.Dropout(self.dropout, deterministic=not train)(h)
        return normalize(projected + h)


def standard(num_features: int) -> dict[str, Array]:
    """Return the mean and scale with which features stay as they are."""
    return {"mean": jnp.zeros(num_features), "scale": jnp.ones(num_features)}


def size_of(rows: Array) -> Array:
    """Return the root mean square of rows [n, d]; 1 if all are 0.

    What a head starts from is divided by it: cosines do not depend on the size, but how far a step
    of Adam goes does.
    """
    size = jnp.sqrt(jnp.mean(jnp.square(rows)))
    return jnp.where(size > 0, size, 1)
