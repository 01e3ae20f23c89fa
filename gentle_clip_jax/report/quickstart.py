"""The page of the quickstart, made to be shown: one search with few and with many pairs."""

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from gentle_clip_jax.pages import Step, render, write
from gentle_clip_jax.pages.plot import PAGE, plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NOW = (
    Step(
        "Your own two folders: describe a dozen pictures, and let review ask for the rest.",
        "gentle-clip encode --encoder=efficientnet-lite0 --data=pictures --out=features/pictures",
    ),
    Step(
        "docs/tutorial.md has all commands, from two folders to matches, in five minutes.",
        "gentle-clip review --aligner=aligner --x=features/pictures --y=features/texts "
        "--pairs=ask/ask.csv",
    ),
)


class Stage(NamedTuple):
    """An aligner: its number of pairs, recall at 10 of items kept out, and its hits by query.

    A hit is the picture, its name, and whether it was in a pair.
    """

    pairs: int
    recall: float
    hits: dict[str, list[tuple[bytes | None, str, bool]]]


class Sure(NamedTuple):
    """A match: a picture, the text found for it, its probability, and whether it is right."""

    picture: bytes | None
    text: str
    probability: float
    right: bool


def write_quickstart(
    path: str | pathlib.Path,
    *,
    items: int,
    stages: Sequence[Stage],
    curve: Sequence[tuple[int, int, float]],
    surest: Sequence[Sure],
    tested: int,
    licence: str,
) -> None:
    """Write the page.

    Args:
      path: of the file.
      items: number of pictures.
      stages: the fewest pairs first.
      curve: answers of the review, pairs by then, and recall at 10.
      surest: the most probable matches.
      tested: number of items that were kept out.
      licence: line that names who made the pictures.

    Raises:
      ValueError: it cannot be written.
    """
    before, after = stages[-2], stages[-1]
    page = render(
        "report/templates/quickstart.html",
        kind="quickstart",
        name=f"{items:,} emoji and their names",
        verdict=f"{curve[-1][0]:,} answers took the search from {before.recall:.0f} % to "
        f"{after.recall:.0f} %",
        lead=[
            f"This is the share of {tested} emoji, in no pair and never asked about, whose picture "
            f"is among the first ten of {items:,} for their name; by chance {1000 / items:.1f} %.",
            "Nobody sat here: the true names gave the first pairs and the answers, also where the "
            "picture was not among the 48 on the screen. Everything else the program had to find.",
        ],
        stages=stages,
        queries=[*after.hits],
        curve=_curve(curve),
        chance=f"{1000 / items:.1f}",
        surest=surest,
        licence=licence,
        now=_NOW,
    )
    write(path, page)


def _curve(points: Sequence[tuple[int, int, float]]) -> Markup:
    answers, _, recall = zip(*points)

    def paint(axes: "Axes") -> None:
        axes.plot(answers, recall, color=PAGE["blue"], linewidth=2, marker="o", markersize=4)
        axes.set_ylim(0, None)
        axes.set_xlabel("answers")

    return plot("curve", "Recall at ten against answers", paint, (5.6, 2.6))
