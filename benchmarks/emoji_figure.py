"""Draws docs/figures/quickstart.png: what a quickstart's searches find with 12, 60 and all pairs.

    gentle-clip quickstart --out=runs/quickstart
    python benchmarks/emoji_figure.py --quickstart=runs/quickstart

It shows what the page of that quickstart shows, and nothing else.
"""

import argparse
import io
import pathlib
import textwrap

import matplotlib
import numpy as np
from PIL import Image
from published import ROOT

from gentle_clip_jax.data.openmoji import LICENCE
from gentle_clip_jax.reviewing.demonstration_page import QUERIES, show

matplotlib.use("agg")
import matplotlib.pyplot as plt

SHOWN = 4  # hits of each search
WIDTH, HEIGHT = 15.4, 8.6  # inches
CELL, TOP, ROW = 1.22, 1.25, 2.1
INK, MUTED, LINE = "#1b1d22", "#5a606b", "#c9ced6"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--quickstart", type=pathlib.Path, required=True, help="its folder")
    done = show(parser.parse_args().quickstart)
    figure = plt.figure(figsize=(WIDTH, HEIGHT), dpi=80)
    for column, stage in enumerate(done.stages):
        left = 0.15 + 5.1 * column
        write(
            figure,
            left,
            0.45,
            f"{stage.pairs:,} pairs: recall {stage.recall:.0f} %",
            19,
            weight="bold",
        )
        for row, query in enumerate(QUERIES):
            top = TOP + (ROW + 0.18) * row
            if column == 0:
                write(figure, left, top - 0.17, f"“{query}”", 16, weight="bold")
            for place, hit in enumerate(stage.hits[query][:SHOWN]):
                draw(figure, left + CELL * place, top, *hit)
    notes = [
        f"Recall: share of {done.tested} emoji, in no pair and never asked about, whose picture is "
        f"among the first ten of {done.items:,} for their name; by chance {1000 / done.items:.1f} "
        f"%. Pairs and {done.curve[-1].answers} answers are simulated by the true names.",
        f"Pale: the picture was in a pair, so that finding it shows nothing. {LICENCE}",
    ]
    for number, note in enumerate(notes):
        write(figure, 0.15, HEIGHT - 0.42 + 0.27 * number, note, 10, color=MUTED)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    image = Image.open(buffer).convert("RGB").quantize(48, dither=Image.Dither.NONE)
    image.save(ROOT / "docs" / "figures" / "quickstart.png", optimize=True)


def write(figure, left: float, top: float, words: str, size: float, **settings) -> None:
    """Write words at a place in inches from the upper left corner."""
    figure.text(left / WIDTH, 1 - top / HEIGHT, words, **{"color": INK} | settings, fontsize=size)


def draw(figure, left: float, top: float, picture: bytes | None, name: str, paired: bool) -> None:
    """Draw a hit: its picture above its name."""
    side = CELL - 0.12
    axes = figure.add_axes((left / WIDTH, 1 - (top + side) / HEIGHT, side / WIDTH, side / HEIGHT))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color=LINE, linestyle=(0, (4, 3)) if paired else "-")
    if picture is not None:
        pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
        axes.imshow(pixels, alpha=0.35 if paired else 1)
    lines = textwrap.wrap(name, 12, max_lines=2, placeholder="…")
    axes.set_xlabel("\n".join(lines + ["(was a pair)"] * paired), fontsize=12)
    axes.xaxis.label.set_color(MUTED if paired else INK)


if __name__ == "__main__":
    main()
