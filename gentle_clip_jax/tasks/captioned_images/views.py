"""Augmentations of photographs and aerial images: random views of a batch, inside the jitted step.

Crops, flips and blur are linear and separable, so a view is R_y image R_x^T with one matrix per
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
    stretch: float = 0.0,
    flip: float = 0.0,
    vertical_flip: float = 0.0,
    turn: float = 0.0,
    blur: float = 0.0,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    hue: float = 0.0,
    grey: float = 0.0,
) -> jax.Array:
    """Return one random view of each image, floats [b, h, w, 3] in 0..255.

    A setting of 0 turns a change off at no cost: settings are Python numbers, and only the changes
    that are on are compiled. Each image has its own random numbers.

    Args:
      key: the random key of the batch.
      images: the images.
      crop: largest share of the area that is cut off, 0 to below 1; the rest fills the view.
      stretch: the aspect ratio of a crop changes by a factor of exp(U(-stretch, stretch)).
      flip: probability of mirroring left and right.
      vertical_flip: probability of mirroring top and bottom; for images from above.
      turn: probability of a rotation by 90, 180 or 270 degrees, equally likely; for square images.
      blur: largest standard deviation of a Gaussian blur, in pixels.
      brightness: all values are multiplied by U(1 - brightness, 1 + brightness).
      contrast: differences from the image's mean grey are multiplied likewise.
      saturation: differences from each pixel's own grey are multiplied likewise.
      hue: colours are rotated around the grey axis by U(-hue, hue) degrees.
      grey: probability that an image loses its colours.

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
        if crop or stretch or flip or vertical_flip or blur:
            image = _moved(places, image, crop, stretch, (vertical_flip, flip), blur)
        if brightness or contrast or saturation or hue or grey:
            image = _recoloured(
                colours, image, (brightness, contrast, saturation), hue * jnp.pi / 180, grey
            )
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


def _moved(
    key: jax.Array,
    image: jax.Array,
    crop: float,
    stretch: float,
    flips: tuple[float, float],
    blur: float,
) -> jax.Array:
    """Return a crop of the image [h, w, 3], flipped and blurred."""
    key_area, key_stretch, key_place, key_flip, key_blur = jax.random.split(key, 5)
    dtype = image.dtype
    area = jax.random.uniform(key_area, (), dtype, minval=1 - crop)
    log_aspect = jax.random.uniform(key_stretch, (), dtype, minval=-stretch, maxval=stretch)
    # The crop's shares of height and width; a stretched crop must stay within the image.
    shares = jnp.sqrt(area) * jnp.exp(jnp.stack([-log_aspect, log_aspect]) / 2)
    shares = jnp.minimum(shares, 1)
    place = jax.random.uniform(key_place, (2,), dtype)
    flipped = jax.random.uniform(key_flip, (2,)) < jnp.array(flips)
    deviation = jax.random.uniform(key_blur, (), dtype, maxval=blur)
    rows, columns = (
        _resampling(size, shares[axis], place[axis], flipped[axis], deviation if blur else None)
        for axis, size in enumerate(image.shape[:2])
    )
    return jnp.einsum("ij,jkc,lk->ilc", rows, image, columns, precision="highest")


def _resampling(
    size: int, share: jax.Array, place: jax.Array, flipped: jax.Array, deviation: jax.Array | None
) -> jax.Array:
    """Return weights [size, size] of the pixels along an axis for each pixel of the view."""
    pixel = jnp.arange(size, dtype=share.dtype)
    # Where a pixel of the view comes from; its two neighbours there share the weight.
    source = (pixel + 0.5) * share - 0.5 + place * (1 - share) * size
    source = jnp.clip(source, 0, size - 1)
    weights = jnp.maximum(1 - jnp.abs(source[:, None] - pixel[None, :]), 0)
    weights = jnp.where(flipped, weights[::-1], weights)
    if deviation is None:
        return weights
    # A Gaussian this narrow covers one pixel; a deviation of 0 would divide by 0.
    scaled = (pixel[:, None] - pixel[None, :]) / jnp.maximum(deviation, 1e-3)
    return jnp.matmul(jax.nn.softmax(-(scaled**2) / 2, axis=1), weights, precision="highest")


def _recoloured(
    key: jax.Array, image: jax.Array, jitter: tuple[float, float, float], hue: float, grey: float
) -> jax.Array:
    """Return the image [h, w, 3] with its colours mixed by a matrix, and another contrast.

    Hue is a turn around the grey axis a = (1, 1, 1) / sqrt(3), by Rodrigues' formula:
    cos(t) I + (1 - cos(t)) a a^T + sin(t) [a]_x.
    """
    key_jitter, key_hue, key_grey = jax.random.split(key, 3)
    dtype = image.dtype
    luma = jnp.array(_LUMA, dtype)
    factors = jax.random.uniform(key_jitter, (3,), dtype, minval=-1) * jnp.array(jitter, dtype)
    brightness, contrast, saturation = 1 + factors
    saturation = jnp.where(jax.random.bernoulli(key_grey, grey), 0, saturation)
    angle = jax.random.uniform(key_hue, (), dtype, minval=-hue, maxval=hue)
    across = jnp.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], dtype) / 3**0.5
    turn = jnp.cos(angle) * jnp.eye(3, dtype=dtype) + (1 - jnp.cos(angle)) / 3
    turn = turn + jnp.sin(angle) * across
    own_grey = jnp.broadcast_to(luma, (3, 3))
    matrix = brightness * (own_grey + saturation * (jnp.eye(3, dtype=dtype) - own_grey)) @ turn
    image = jnp.einsum("hwc,dc->hwd", image, matrix, precision="highest")
    mean = jnp.mean(image, axis=(0, 1)) @ luma
    return jnp.clip(mean + contrast * (image - mean), 0, 255)
