"""A small example data set: pictures, and texts that describe them."""

import errno
import itertools
import json
import math
import pathlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gentle_clip_jax.data.pairs import SHEET
from gentle_clip_jax.storage.progress import working
from gentle_clip_jax.storage.tables import read_table, write_csv
from gentle_clip_jax.storage.writing import rename, write_text

if TYPE_CHECKING:
    from PIL import Image

ANSWERS = "answers.csv"
_PIXELS = 224
_COLORS = {
    "red": (214, 40, 40),
    "orange": (247, 140, 30),
    "yellow": (250, 210, 40),
    "green": (40, 150, 70),
    "blue": (40, 90, 210),
    "purple": (130, 50, 160),
    "pink": (245, 130, 180),
    "brown": (120, 75, 40),
}
_GROUNDS = {"white": (250, 250, 248), "grey": (150, 155, 160), "black": (20, 20, 25)}
_SHAPES = ("circle", "square", "triangle", "star", "ring", "cross")
_COUNTS = ("one", "two", "three", "five")
DRAWINGS = [*itertools.product(_COUNTS, _COLORS, _SHAPES, _GROUNDS)]


@working("drawing")
def write_example(
    out: str | pathlib.Path,
    *,
    number: int = 500,
    seed: int = 0,
    shown: Iterable[tuple["Image.Image", str]] | None = None,
    notes: Sequence[str] = (),
) -> pathlib.Path:
    """Write pictures/, texts/ and answers.csv, the list of true pairs.

    No two texts are the same. Pictures and texts are numbered independently, so that their names
    do not reveal the pairs.

    Args:
      out: a new or empty folder.
      number: number of pictures, and of texts.
      seed: seed of the choice of drawings, the positions of their shapes and the numbering.
      shown: pictures and their texts; by default random drawings.
      notes: lines of LICENCE.txt, if there are any.

    Raises:
      ValueError: the folder is not empty, or there are not that many drawings.
      OSError: the folder cannot be written.
    """
    folder = pathlib.Path(out)
    if folder.exists() and any(folder.iterdir()):
        raise _not_empty(folder)
    if shown is None and not 1 <= number <= len(DRAWINGS):
        raise ValueError(
            f"There are {len(DRAWINGS)} drawings: ask for 1 to {len(DRAWINGS)} of them."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    shown = _drawings(number, rng) if shown is None else shown
    # A complete folder or none: a partial one would block the next attempt.
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as begun:
        _write(pathlib.Path(begun) / "whole", number, rng, shown)
        if notes:
            write_text(
                pathlib.Path(begun) / "whole" / "LICENCE.txt", "".join(f"{n}\n" for n in notes)
            )
        try:
            if folder.exists():
                folder.rmdir()
            rename(pathlib.Path(begun) / "whole", folder)
        except OSError as error:  # another process has filled it meanwhile
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise _not_empty(folder) from error
            raise
    return folder


def _not_empty(folder: pathlib.Path) -> ValueError:
    return ValueError(f"{folder} is not empty: give --out=DIR a new folder.")


def _write(
    folder: pathlib.Path,
    number: int,
    rng: np.random.Generator,
    shown: Iterable[tuple["Image.Image", str]],
) -> None:
    width, ids = len(str(number - 1)), {}
    for kind in ("picture", "text"):
        ids[kind] = [f"{kind}-{n:0{width}}" for n in rng.permutation(number)]
        (folder / f"{kind}s").mkdir(parents=True)
    for (image, caption), picture, text in zip(shown, ids["picture"], ids["text"], strict=True):
        image.save(folder / "pictures" / f"{picture}.png")
        write_text(folder / "texts" / f"{text}.txt", f"{caption}\n")
    write_csv(folder / ANSWERS, sorted(zip(ids["picture"], ids["text"], strict=True)))


def fill_sheet(out: str | pathlib.Path, sheet: str | pathlib.Path) -> int:
    """Fill in the partners in a sheet of `gentle-clip ask`, as a person would do by hand.

    Args:
      out: a folder that `write_example` wrote.
      sheet: an ask.csv for its pictures or for its texts.

    Returns:
      The number of items that were filled in.

    Raises:
      ValueError: a file is missing, or the sheet asks for other items.
    """
    answers, asked = lines_of(pathlib.Path(out) / ANSWERS), lines_of(pathlib.Path(sheet))
    partner = dict(answers) | {text: picture for picture, text in answers}
    items = [line[0] for line in asked if line[:2] != SHEET]
    unknown = [item for item in items if item not in partner]
    if unknown or not items:
        raise ValueError(
            f"{sheet} asks for {json.dumps(unknown[0]) if unknown else 'nothing'}, which is not in "
            f"{out}: give the ask.csv that gentle-clip ask wrote for its pictures or texts."
        )
    for line in asked:
        if line[:2] != SHEET:
            line[1:2] = [partner[line[0]]]
    write_csv(pathlib.Path(sheet), asked)
    return len(items)


def lines_of(path: pathlib.Path) -> list[list[str]]:
    """Return the cells of each row of a table that is not empty.

    Raises:
      ValueError: the file cannot be read.
    """
    return [cells for _, cells in read_table(path).rows]


def _drawings(number: int, rng: np.random.Generator) -> Iterator[tuple["Image.Image", str]]:
    for row in rng.permutation(len(DRAWINGS))[:number]:
        count, color, shape, ground = DRAWINGS[row]
        shapes = shape if count == "one" else f"{shape}es" if shape == "cross" else f"{shape}s"
        picture = _drawn(_COUNTS.index(count) + 1 + (count == "five"), color, shape, ground, rng)
        yield picture, f"{count} {color} {shapes} on a {ground} ground"


def _drawn(
    count: int, color: str, shape: str, ground: str, rng: np.random.Generator
) -> "Image.Image":
    """Return a picture of `count` shapes, each in its own cell, randomly rotated and scaled."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (_PIXELS, _PIXELS), _GROUNDS[ground])
    draw, cells = ImageDraw.Draw(image), math.ceil(math.sqrt(count))
    for cell in rng.permutation(cells * cells)[:count]:
        size = _PIXELS / cells
        radius = size * rng.uniform(0.3, 0.42)
        shift = rng.uniform(-1, 1, 2) * (0.46 * size - radius)
        center = (np.array([cell % cells, cell // cells]) + 0.5) * size + shift
        _draw(draw, shape, center, radius, rng.uniform(-0.3, 0.3), _COLORS[color])
    return image


def _draw(draw, shape: str, center: np.ndarray, radius: float, turn: float, fill) -> None:
    box = [*(center - radius), *(center + radius)]
    if shape == "circle":
        draw.ellipse(box, fill=fill)
    elif shape == "ring":
        draw.ellipse(box, outline=fill, width=max(3, round(radius / 3.5)))
    else:
        corners, radii = {
            "square": (4, [1.0]),
            "triangle": (3, [1.0]),
            "star": (10, [1.0, 0.42]),
            "cross": (12, [1.0, 0.42, 1.0]),
        }[shape]
        angles = turn - math.pi / 2 + 2 * math.pi * np.arange(corners) / corners
        if shape == "cross":  # arms: two corners at each end, one between
            angles = turn + np.concatenate(
                [[q - 0.32, q + 0.32, q + math.pi / 4] for q in np.arange(4) * math.pi / 2]
            )
        lengths = radius * np.resize(radii if shape != "cross" else [1.0, 1.0, 0.44], corners)
        points = center + lengths[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        draw.polygon([tuple(point) for point in points], fill=fill)
