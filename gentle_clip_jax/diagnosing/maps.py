"""Maps of both modalities into one space, shared by the figures."""

import jax
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.aligners.closed_form.cca import Maps, cca

# Strong, as a few pairs need: 3 times the mean variance of a dimension is added to each.
_SHRINKAGE = 3.0


def fit(x: np.ndarray, y: np.ndarray) -> Maps:
    """Fit shrinkage CCA to the pairs x [n, dx] and y [n, dy]."""
    return cca(jnp.asarray(x), jnp.asarray(y), shrinkage=_SHRINKAGE)


def embed(maps: Maps, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return unit rows [n, k] and [m, k] of features x [n, dx] and y [m, dy]."""
    embedded_x, embedded_y = _embed(maps, jnp.asarray(x), jnp.asarray(y))
    return np.asarray(embedded_x), np.asarray(embedded_y)


@jax.jit
def _embed(maps: Maps, x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    return maps.embed_x(x), maps.embed_y(y)
