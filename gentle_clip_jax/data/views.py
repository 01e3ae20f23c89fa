"""Augmentations: random views of a batch of items, inside the jitted step."""

import jax
import jax.numpy as jnp

from gentle_clip_jax.data.tokens import PAD


def image_views(
    key: jax.Array, images: jax.Array, *, zoom: float, shift: float, erase: float
) -> jax.Array:
    """One random view each of glyphs [b, size, size] with values in [0, 1].

    Each glyph is zoomed by exp(U(-zoom, zoom)), stretched by up to a third of that, moved by up to
    `shift` pixels on both axes, and with probability `erase` loses a rectangle of up to 12 pixels
    a side. Nothing is flipped or turned: left and right are different words.

    Resampling is separable, so it is two batched matrix products, R_y image R_x^T.
    """
    b, size, _ = images.shape
    keys = jax.random.split(key, 4)
    center = (size - 1) / 2
    log_zoom = jax.random.uniform(keys[0], (b, 1), minval=-zoom, maxval=zoom)
    stretch = jax.random.uniform(keys[1], (b, 1), minval=-zoom / 3, maxval=zoom / 3)
    scale = jnp.exp(jnp.concatenate([log_zoom + stretch, log_zoom - stretch], axis=1))
    offset = jax.random.uniform(keys[2], (b, 2), minval=-shift, maxval=shift) + center
    pixel = jnp.arange(size, dtype=images.dtype)
    # source[b, axis, i]: where pixel i of the view comes from; its two neighbours share the weight.
    source = (pixel - center)[None, None, :] * scale[:, :, None] + offset[:, :, None]
    resample = jnp.maximum(1 - jnp.abs(source[..., None] - pixel[None, None, None, :]), 0)
    images = jnp.einsum("bij,bjk,blk->bil", resample[:, 0], images, resample[:, 1])
    return jnp.where(_rectangles(keys[3], b, size, erase), 0, images)


def _rectangles(key: jax.Array, b: int, size: int, probability: float) -> jax.Array:
    """Mask [b, size, size]: a random rectangle in some of the images, none in the others."""
    keys = jax.random.split(key, 3)
    center = jax.random.uniform(keys[0], (b, 2, 1), maxval=float(size))
    half_side = jax.random.uniform(keys[1], (b, 2, 1), minval=2.0, maxval=6.0)
    pixel = jnp.arange(size, dtype=center.dtype)
    inside = jnp.abs(pixel[None, None, :] - center) < half_side
    chosen = jax.random.bernoulli(keys[2], probability, (b, 1, 1))
    return chosen & inside[:, 0, :, None] & inside[:, 1, None, :]


def text_views(key: jax.Array, tokens: jax.Array, *, drop: float) -> jax.Array:
    """Token ids [b, t] of which each becomes padding with probability `drop`, but never all."""
    kept = jax.random.bernoulli(key, 1 - drop, tokens.shape)
    emptied = ~jnp.any(kept & (tokens != PAD), axis=1, keepdims=True)
    return jnp.where(kept | emptied, tokens, PAD)
