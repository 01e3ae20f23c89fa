"""Augmentations of photographs and aerial images: random views of a batch, inside the jitted step.

Crops and flips are linear and separable, so a view is R_y image R_x^T with one matrix per
axis: matrix products are fast on every device, gathers and convolutions are not.
"""

import jax
import jax.numpy as jnp

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def rgb_views(
    key: jax.Array,
    images: jax.Array,
    *,
    crop: float = 0.0,
    flip: float = 0.0,
    turn: float = 0.0,
    brightness: float = 0.0,
    contrast: float = 0.0,
) -> jax.Array:
    """Return one random view of each image, floats [b, h, w, 3] in 0..255.

    A setting of 0 turns a change off at no cost: settings are Python numbers, and only the changes
    that are on are compiled. Each image has its own random numbers.

    Args:
      key: the random key of the batch.
      images: the images.
      crop: largest share of the area that is cut off, 0 to below 1; the rest fills the view.
      flip: probability of mirroring left and right.
      turn: probability of a rotation by 90, 180 or 270 degrees, equally likely; for square images.
      brightness: all values are multiplied by U(1 - brightness, 1 + brightness).
      contrast: differences from the image's mean grey are multiplied likewise.

    Raises:
      ValueError: images are not floats [b, h, w, 3], or `turn` is set and they are not square.
    """
    if images.ndim != 4 or images.shape[-1] != 3 or not jnp.issubdtype(images.dtype, jnp.floating):
        raise ValueError(
            f"Images must be floats [b, h, w, 3] in 0..255, not {images.dtype} {images.shape}."
        )
    if turn and images.shape[1] != images.shape[2]:
        raise ValueError(f"Only square images can be turned, not {images.shape[1:3]}: set turn=0.")

    def view(key: jax.Array, image: jax.Array) -> jax.Array:
        places, colours = jax.random.split(key)
        if turn:
            places, key = jax.random.split(places)
            image = _turned(key, image, turn)
        if crop or flip:
            image = _moved(places, image, crop, flip)
        if brightness or contrast:
            image = _relit(colours, image, brightness, contrast)
        return image

    return jax.vmap(view)(jax.random.split(key, len(images)), images)


def _turned(key: jax.Array, image: jax.Array, turn: float) -> jax.Array:
    """Return the image [size, size, 3] rotated by a multiple of 90 degrees, or unchanged."""
    keys = jax.random.split(key)
    quarters = jnp.where(
        jax.random.bernoulli(keys[0], turn), jax.random.randint(keys[1], (), 1, 4), 0
    )
    # A transposition and a flip rotate by 90 degrees, both flips by 180.
    image = jnp.where(quarters % 2 == 1, image.swapaxes(0, 1), image)
    image = jnp.where((quarters == 1) | (quarters == 2), image[::-1], image)
    return jnp.where(quarters >= 2, image[:, ::-1], image)


def _moved(key: jax.Array, image: jax.Array, crop: float, flip: float) -> jax.Array:
    """Return a crop of the image [h, w, 3], at random mirrored left and right."""
    key_area, key_place, key_flip = jax.random.split(key, 3)
    dtype = image.dtype
    share = jnp.sqrt(jax.random.uniform(key_area, (), dtype, minval=1 - crop))
    place = jax.random.uniform(key_place, (2,), dtype)
    rows, columns = (_resampling(image.shape[axis], share, place[axis]) for axis in range(2))
    columns = jnp.where(jax.random.bernoulli(key_flip, flip), columns[::-1], columns)
    return jnp.einsum("ij,jkc,lk->ilc", rows, image, columns, precision="highest")


def _resampling(size: int, share: jax.Array, place: jax.Array) -> jax.Array:
    """Return weights [size, size] of the pixels along an axis for each pixel of the view."""
    pixel = jnp.arange(size, dtype=share.dtype)
    # Where a pixel of the view comes from; its two neighbours there share the weight.
    source = (pixel + 0.5) * share - 0.5 + place * (1 - share) * size
    source = jnp.clip(source, 0, size - 1)
    return jnp.maximum(1 - jnp.abs(source[:, None] - pixel[None, :]), 0)


def _relit(key: jax.Array, image: jax.Array, brightness: float, contrast: float) -> jax.Array:
    """Return the image [h, w, 3] with another brightness and another contrast."""
    changes = jnp.array([brightness, contrast], image.dtype)
    factors = 1 + changes * jax.random.uniform(key, (2,), image.dtype, minval=-1)
    image = factors[0] * image
    mean = jnp.mean(image, axis=(0, 1)) @ jnp.array(_LUMA, image.dtype)
    return jnp.clip(mean + factors[1] * (image - mean), 0, 255)
