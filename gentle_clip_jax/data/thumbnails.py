"""Thumbnails of items for HTML pages."""

import io
import pathlib
from collections.abc import Iterable

import numpy as np

from gentle_clip_jax.data import images, metadata
from gentle_clip_jax.storage import progress

_PIXELS, _QUALITY = 320, 80


def thumbnails(
    data: pathlib.Path | None, ids: Iterable[str], *, pixels: int = _PIXELS
) -> dict[str, bytes]:
    """Return small square JPEGs, by id, of the items that have an image in `data`.

    The longer side is cropped, as it is for the input of encoders.

    Args:
      data: a path for `data.images.list_images`, or None; if it is missing or has no images, there
        are no thumbnails.
      ids: ids of items.
      pixels: of a side.
    """
    wanted = {metadata.name_key(id_): id_ for id_ in ids}
    try:
        listed = images.list_images(data) if data is not None else []
    except ValueError:
        return {}
    keys = [(wanted.get(metadata.name_key(image.id)), image) for image in listed]
    jpegs = {}
    for id_, image in progress.track([one for one in keys if one[0] is not None], "Thumbnails"):
        try:
            jpegs[id_] = _jpeg(images.decode(image.read(), pixels))
        except ValueError:
            continue  # a page with a gap is better than no page
    return jpegs


def _jpeg(pixels: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
