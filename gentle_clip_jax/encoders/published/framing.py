"""The framing of images that an encoder was trained with: resize, crop or squash to a square."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Framing(NamedTuple):
    """A resize of an image's shorter side to `resized` pixels (both if `squash`), then its centre.

    size: of that centre, pixels a side. resample: Pillow's number of the interpolation.
    """

    size: int = 224
    resized: int = 224
    squash: bool = False
    resample: int = 3


def from_preprocessing(config: Mapping[str, Any], size: int) -> Framing:
    """Return the framing of a preprocessor_config.json; an empty one squashes to `size`.

    Raises:
      ValueError: it is of a kind that is not supported.
    """
    if not config:
        return Framing(size, size, squash=True)
    wanted = config.get("size") or size
    if not config.get("do_resize", True) or not config.get("do_rescale", True):
        raise ValueError("Images that are not resized or not divided by 255 are not supported.")
    if abs((config.get("rescale_factor") or 1 / 255) * 255 - 1) > 1e-3:
        raise ValueError(f"Pixels multiplied by {config['rescale_factor']} are not supported.")
    kind = str(config.get("image_processor_type") or config.get("feature_extractor_type"))
    if isinstance(wanted, int):  # of old files: a side of the square, but CLIP's shorter one
        wanted = {"shortest_edge" if "CLIP" in kind else "height": wanted}
    squash = wanted.get("shortest_edge") is None
    resized = wanted.get("shortest_edge") or wanted.get("height")
    if resized is None or (wanted.get("width") or resized) != resized:
        raise ValueError(f"Images resized to {wanted} are not supported: only to squares.")
    cropped = resized
    if config.get("crop_size") and config.get("do_center_crop", True):
        cropped = config["crop_size"]
        cropped = cropped if isinstance(cropped, int) else cropped.get("height")
        if cropped is None:
            raise ValueError(f"Images cropped to {config['crop_size']} are not supported.")
        if cropped > resized:
            raise ValueError(
                f"Images with a border around them, {resized} to {cropped}, are not supported."
            )
    resample = config.get("resample")
    return Framing(cropped, resized, squash, 3 if resample is None else resample)
