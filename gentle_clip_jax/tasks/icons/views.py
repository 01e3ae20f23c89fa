"""Augmentations of glyphs: random views of a batch, inside the jitted step."""

import jax
import jax.numpy as jnp


def glyph_views(
    key: jax.Array,
    images: jax.Array,
    *,
    zoom: float,
    shift: float,
    erase: float,
    outline: float,
    stroke: float,
) -> jax.Array:
    """Return a random view of each glyph [b, size, size], values in [0, 1], 0 the background.

    Glyphs are neither flipped nor rotated: left and right are different words.

    Args:
      key: the random key of the batch.
      images: the glyphs.
      zoom: each glyph is scaled by exp(U(-zoom, zoom)) and stretched by up to a third of that.
      shift: largest shift along each axis, in pixels.
      erase: probability of erasing a rectangle with sides of up to 12 pixels.
      outline: probability that filled areas are reduced to their outlines.
      stroke: largest change of a stroke's border, in pixels, at most 1.
    """
    keys = jax.random.split(key, 4)
    b, size, _ = images.shape
    images = _resample(keys[0], images, zoom, shift)
    images = jnp.where(_rectangles(keys[1], b, size, erase), 0, images)
    chosen = jax.random.bernoulli(keys[2], outline, (b, 1, 1))
    images = jnp.where(chosen, images * (1 - _erode(_erode(images))), images)
    growth = jax.random.uniform(keys[3], (b, 1, 1), minval=-stroke, maxval=stroke)
    grown, shrunk = _dilate(images), jnp.where(chosen, images, _erode(images))
    return jnp.where(
        growth > 0, images + growth * (grown - images), images - growth * (shrunk - images)
    )


def _resample(key: jax.Array, images: jax.Array, zoom: float, shift: float) -> jax.Array:
    """Scale and shift each image [size, size]: R_y image R_x^T, as resampling is separable."""
    b, size, _ = images.shape
    keys = jax.random.split(key, 3)
    center = (size - 1) / 2
    log_zoom = jax.random.uniform(keys[0], (b, 1), minval=-zoom, maxval=zoom)
    stretch = jax.random.uniform(keys[1], (b, 1), minval=-zoom / 3, maxval=zoom / 3)
    scale = jnp.exp(jnp.concatenate([log_zoom + stretch, log_zoom - stretch], axis=1))
    offset = jax.random.uniform(keys[2], (b, 2), minval=-shift, maxval=shift) + center
    pixel = jnp.arange(size, dtype=images.dtype)
    # source[b, axis, i]: where pixel i of the view comes from; its two neighbours share the weight.
    source = (pixel - center)[None, None, :] * scale[:, :, None] + offset[:, :, None]
    weights = jnp.maximum(1 - jnp.abs(source[..., None] - pixel[None, None, None, :]), 0)
    return jnp.einsum("bij,bjk,blk->bil", weights[:, 0], images, weights[:, 1])


def _rectangles(key: jax.Array, b: int, size: int, probability: float) -> jax.Array:
    """Return mask [b, size, size]: a random rectangle in some of the images, none in the others."""
    keys = jax.random.split(key, 3)
    center = jax.random.uniform(keys[0], (b, 2, 1), maxval=float(size))
    half_side = jax.random.uniform(keys[1], (b, 2, 1), minval=2.0, maxval=6.0)
    pixel = jnp.arange(size, dtype=center.dtype)
    inside = jnp.abs(pixel[None, None, :] - center) < half_side
    chosen = jax.random.bernoulli(keys[2], probability, (b, 1, 1))
    return chosen & inside[:, 0, :, None] & inside[:, 1, None, :]


def _dilate(images: jax.Array) -> jax.Array:
    """Return the maximum over each pixel and its four neighbours: strokes grow by a pixel."""
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1)))
    across = jnp.maximum(padded[:, 1:-1, :-2], padded[:, 1:-1, 2:])
    along = jnp.maximum(padded[:, :-2, 1:-1], padded[:, 2:, 1:-1])
    return jnp.maximum(images, jnp.maximum(across, along))


def _erode(images: jax.Array) -> jax.Array:
    """Return the minimum likewise: strokes shrink by a pixel."""
    return 1 - _dilate(1 - images)
