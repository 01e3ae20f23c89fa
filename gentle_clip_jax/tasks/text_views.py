"""Augmentations of texts: random views of a batch of token ids, inside the jitted step."""

import jax
import jax.numpy as jnp


def text_views(key: jax.Array, tokens: jax.Array, *, drop: float) -> jax.Array:
    """Token ids [b, t] of which each becomes padding (0) with probability `drop`, but never all."""
    kept = jax.random.bernoulli(key, 1 - drop, tokens.shape)
    emptied = ~jnp.any(kept & (tokens != 0), axis=1, keepdims=True)
    return jnp.where(kept | emptied, tokens, 0)
