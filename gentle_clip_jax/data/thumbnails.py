"""Thumbnails of items for HTML pages."""

import io
import pathlib
from collections.abc import Iterable

import numpy as np

from gentle_clip_jax.data import images, metadata

_PIXELS, _QUALITY = 320, 80


def thumbnails(data: pathlib.Path | None, ids: Iterable[str]) -> dict[str, bytes]:
    """Return small square JPEGs, by id, of the items that have an image in `data`.

    The longer side is cropped, as it is for the input of encoders.

    Args:
      data: a path for `data.images.list_images`, or None; if it is missing or has no images, there
        are no thumbnails.
      ids: ids of items.
    """
    wanted = {metadata.name_key(id_): id_ for id_ in ids}
    try:
        listed = images.list_images(data) if data is not None else []
    except ValueError:
        return {}
    jpegs = {}
    for image in listed:
        id_ = wanted.get(metadata.name_key(image.id))
        if id_ is not None:
            try:
                jpegs[id_] = _jpeg(images.decode(image.read(), _PIXELS))
            except ValueError:
                continue  # a page with a gap is better than no page
    return jpegs


def _jpeg(pixels: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
