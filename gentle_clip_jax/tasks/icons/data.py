"""Dataset of icons: 32 x 32 glyph images and the words of their names, from fonts in qtawesome.

Pairs and held-out items are Material Design icons; Phosphor, Remix and Font Awesome contribute only
unmatched images and unmatched names.
"""

import collections
import dataclasses
import importlib.util
import pathlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.data.batches import Dataset, Pairs
from gentle_clip_jax.data.pairing import choose_matched, hold_out_groups, own_order
from gentle_clip_jax.storage import reading
from gentle_clip_jax.storage.writing import write_arrays
from gentle_clip_jax.tasks.icons.tokens import encode, train_tokenizer

# qtawesome's file names carry the font version: match on the stem, so a newer package still works.
FONTS = {
    "material": "materialdesignicons6-webfont",
    "phosphor": "phosphor",
    "remix": "remixicon",
    "fontawesome": "fontawesome6-solid-webfont",
}
STYLES = frozenset(["outline", "variant", "fill", "line", "thin", "light", "bold", "duotone"])


@dataclasses.dataclass(frozen=True)
class Icons:
    """Glyphs of all fonts: images [n, size, size] uint8 (0 is background), names [n], fonts [n]."""

    images: np.ndarray
    names: np.ndarray
    fonts: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, rows) -> "Icons":
        return Icons(self.images[rows], self.names[rows], self.fonts[rows])


class Words(NamedTuple):
    """Zero-shot `classes`, and `encode` from n texts to token ids [n, t] below `vocab_size`."""

    classes: list[str]
    encode: Callable[[Any], np.ndarray]
    vocab_size: int


def stem(name: str) -> str:
    """Return the words of an icon name without its trailing style words.

    >>> stem("account-box-outline")
    'account box'
    """
    words = name.split("-")
    while len(words) > 1 and words[-1] in STYLES:
        words.pop()
    return " ".join(words)


def load_icons(cache: pathlib.Path, size: int = 32) -> Icons:
    """Return the glyphs of all fonts, rendered once and cached in `cache`, an .npz file.

    Raises:
      ValueError: qtawesome is missing, or a font or the cache cannot be read; names the file.
    """
    if cache.exists():
        try:
            arrays = reading.read_arrays(cache)
            icons = Icons(arrays["images"], arrays["names"], arrays["fonts"])
        except (ValueError, KeyError) as error:
            raise ValueError(
                f"The icon cache {cache} cannot be read ({error}): delete it and run again."
            ) from error
        if icons.images.shape == (len(icons.names), size, size):
            return icons
    icons = render_fonts(size)
    cache.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(cache, dataclasses.asdict(icons), compressed=True)
    return icons


def _font_folder() -> pathlib.Path:
    # find_spec locates the package without importing it, since its __init__ imports Qt.
    spec = importlib.util.find_spec("qtawesome")
    if spec is None or spec.origin is None:
        raise ValueError(
            "The icon fonts come with the package qtawesome, which is not installed: "
            'run pip install "gentle-clip-jax[quickstart]".'
        )
    return pathlib.Path(spec.origin).parent / "fonts"


def render_fonts(size: int, chosen: Iterable[str] = FONTS) -> Icons:
    """Return all glyphs of the chosen fonts, `size` pixels high and wide.

    Raises:
      ValueError: qtawesome or one of its fonts is missing.
    """
    folder = _font_folder()
    images, names, fonts = [], [], []
    for font in chosen:
        ttf, codepoints = _font(folder, font)
        images.append(_render(ttf, list(codepoints.values()), size))
        names += [stem(name) for name in codepoints]
        fonts += [font] * len(codepoints)
    return Icons(np.concatenate(images), np.array(names), np.array(fonts))


def _font(folder: pathlib.Path, font: str) -> tuple[pathlib.Path, dict[str, int]]:
    """Return the file of a font, and the code point of each icon's name."""
    (ttf,) = _versions(folder, f"{FONTS[font]}-[0-9]*.ttf")
    (charmap,) = _versions(folder, f"{FONTS[font]}-charmap-*.json")
    try:
        return ttf, {k: int(v, 16) for k, v in reading.parse_json(charmap).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"The icon names in {charmap} cannot be read ({error}): reinstall qtawesome."
        ) from error


def _versions(folder: pathlib.Path, pattern: str) -> list[pathlib.Path]:
    paths = sorted(folder.glob(pattern))
    if not paths:
        raise ValueError(f"No font file {pattern} in {folder}: reinstall qtawesome 1.4.")
    return paths[-1:]


def _render(ttf: pathlib.Path, codepoints: list[int], size: int) -> np.ndarray:
    from PIL import Image, ImageDraw, ImageFont

    try:
        font = ImageFont.truetype(str(ttf), size - 2)
    except OSError as error:
        raise ValueError(
            f"The icon font {ttf} cannot be read ({error}): reinstall qtawesome."
        ) from error
    images = np.zeros((len(codepoints), size, size), np.uint8)
    for row, codepoint in zip(images, codepoints, strict=True):
        glyph = Image.new("L", (size, size))
        draw = ImageDraw.Draw(glyph)
        left, top, right, bottom = draw.textbbox((0, 0), chr(codepoint), font=font)
        # Centre the ink: the fonts disagree about where the baseline of a pictogram is.
        corner = ((size - left - right) / 2, (size - top - bottom) / 2)
        draw.text(corner, chr(codepoint), fill=255, font=font)
        row[:] = np.asarray(glyph)
    return images


def load_data(
    cache: pathlib.Path,
    *,
    seed: int,
    split_seed: int,
    matched_fraction: float,
    num_test: int,
    num_validation: int,
    num_classes: int,
    vocab_size: int,
    max_tokens: int,
    size: int = 32,
) -> Dataset:
    """Return icons as a dataset: held-out Material stems, a few pairs, all other items unmatched.

    All icons of a stem belong to the same split, and icons and names of held-out stems are removed
    from the other fonts. `split_seed` selects the test and validation stems; `seed` selects which
    training items are pairs.
    """
    icons = load_icons(cache, size)
    material, others = icons[icons.fonts == "material"], icons[icons.fonts != "material"]
    held_out = hold_out_groups(material.names, num_test, seed=split_seed)
    test, material = material[held_out], material[~held_out]
    held_out = hold_out_groups(material.names, num_validation, seed=split_seed)
    validation, train = material[held_out], material[~held_out]
    others = others[~np.isin(others.names, np.concatenate([test.names, validation.names]))]
    is_matched = choose_matched(len(train), matched_fraction, seed=seed)
    matched, unmatched = train[is_matched], train[~is_matched]

    # Each name is one item, however many icons share it: repeated, it would be its own negative.
    texts = np.unique(np.concatenate([unmatched.names, others.names]))
    tokenizer = train_tokenizer(np.concatenate([matched.names, texts]), vocab_size)

    def encode_texts(texts) -> np.ndarray:
        return encode(tokenizer, texts, max_tokens)

    def pairs(items: Icons) -> Pairs:
        return Pairs(items.images, encode_texts(items.names), items.names)

    heads = collections.Counter(head_word(name) for name in train.names)
    return Dataset(
        matched=pairs(matched),
        unmatched_x=np.concatenate([unmatched.images, others.images]),
        unmatched_y=encode_texts(texts)[own_order(len(texts), seed=seed)],
        validation=pairs(validation),
        test=pairs(test),
        metadata=Words(
            classes=[word for word, _ in heads.most_common(num_classes)],
            encode=encode_texts,
            vocab_size=tokenizer.get_vocab_size(),
        ),
    )


def head_word(name: str) -> str:
    """Return the first word of an icon's name: "account" for "account box"."""
    return name.split()[0]
