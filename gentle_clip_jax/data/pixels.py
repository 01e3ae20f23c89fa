"""Decoding of image files of any supported format to pixels."""

import contextlib
import functools
import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

# Other formats are refused: for some of them (EPS) Pillow would start other programs.
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP")
_MOST_PIXELS = 89_478_485  # of an image: above this Pillow warns of a decompression bomb
_MOST_LONG = 10**6  # pixels of a side
# From EXIF's orientation to the number of Pillow's transposition that makes the image upright.
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}


def decode(
    data: bytes,
    size: int = 224,
    *,
    resized: int | None = None,
    squash: bool = False,
    resample: int = 3,
) -> np.ndarray:
    """Return an image's pixels [size, size, 3] uint8: its shorter side scaled, its centre cropped.

    The shorter side is scaled to `resized` pixels, by default to `size`; with `squash`, both sides
    are. `resample` is Pillow's number of the interpolation: 2 bilinear, 3 bicubic.
    The image is rotated by its EXIF orientation; transparency becomes white; 16 bits become 8; of
    an animation only the first frame is used.

    Raises:
      ValueError: it is damaged or not an image, or has more than about 90 million pixels.
    """
    around = max(size, resized or size)
    with _explained(data):
        image = _read(data, around)
        return np.asarray(_centre(image, size, around, squash, resample))


def picture(data: bytes) -> Any:
    """Return an image as a Pillow RGB image, upright and in its own size.

    Raises:
      ValueError: as in `decode`.
    """
    with _explained(data):
        return _read(data)


@contextlib.contextmanager
def _explained(data: bytes) -> Iterator[None]:
    if not data:
        raise ValueError("is empty: its file has 0 bytes")
    try:
        yield
    except _pillow().UnidentifiedImageError as error:
        raise ValueError("is not an image that Pillow can read") from error
    except Exception as error:  # Pillow raises any kind for a broken file
        reason = str(error) or type(error).__name__
        raise ValueError(f"cannot be read as an image: {reason}") from error


def _read(data: bytes, around: int | None = None) -> Any:
    image = _opened(data)
    if around:  # decodes large JPEG files at half size or less, much faster
        image.draft("", (2 * around, 2 * around))
    image.load()
    return _rgb(_upright(image))


@functools.cache
def _pillow() -> Any:
    from PIL import Image as pillow

    # Decompression bombs are refused, in one sentence.
    warnings.filterwarnings("error", category=pillow.DecompressionBombWarning)
    return pillow


def _opened(data: bytes) -> Any:
    """Open an image and check its size, without decoding its pixels."""
    pillow = _pillow()
    try:
        image = pillow.open(io.BytesIO(data), formats=_FORMATS)
        too_many = image.width * image.height > _MOST_PIXELS
    except (pillow.DecompressionBombWarning, pillow.DecompressionBombError):
        too_many = True
    if too_many:
        raise ValueError("it has more than 90 million pixels")
    if max(image.size) > _MOST_LONG:
        raise ValueError(f"it is {image.width} x {image.height} pixels, more than a million a side")
    if image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
        raise ValueError("it is a stack of several pictures")
    return image


def _upright(image: Any) -> Any:
    """Return the image rotated by its EXIF orientation; unchanged if that cannot be read."""
    from PIL import ExifTags

    try:  # Pillow's exif_transpose rewrites EXIF, which fails for the files of many cameras
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # of any kind if EXIF is broken
        return image
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _centre(image: Any, size: int, resized: int, squash: bool, resample: int) -> Any:
    """Resize the image and return its centre, `size` pixels a side."""
    scales = [resized / side for side in image.size] if squash else [resized / min(image.size)] * 2
    if image.size == (size, size) and scales == [1, 1]:
        return image
    width, height = (max(size, round(side * s)) for side, s in zip(image.size, scales))
    left, top = (width - size) // 2, (height - size) // 2
    # Only the centre is resized, since the rest of a very long image would be large. The division
    # comes last, or rounding could move the box over the edge.
    across = [place * image.width / width for place in (left, left + size)]
    down = [place * image.height / height for place in (top, top + size)]
    return image.resize((size, size), resample, box=(across[0], down[0], across[1], down[1]))


def _rgb(image: Any) -> Any:
    pillow = _pillow()
    if image.mode in ("I", "F"):
        raise ValueError("it has 32 bits a pixel; save it with 8 or 16")
    if image.mode.startswith("I;16"):
        # Pillow would clip the values at 255.
        image = pillow.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = pillow.alpha_composite(pillow.new("RGBA", image.size, "white"), image)
    return image if image.mode == "RGB" else image.convert("RGB")
