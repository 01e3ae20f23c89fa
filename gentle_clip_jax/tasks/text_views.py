"""Augmentations of texts: random views of a batch of token ids, inside the jitted step."""

import jax
import jax.numpy as jnp


def text_views(key: jax.Array, tokens: jax.Array, *, drop: float) -> jax.Array:
    """Return token ids [b, t], each replaced by 0 with probability `drop`; no text is emptied."""
    unmasked = jax.random.bernoulli(key, 1 - drop, tokens.shape)
    emptied = ~jnp.any(unmasked & (tokens != 0), axis=1, keepdims=True)
    return jnp.where(unmasked | emptied, tokens, 0)
