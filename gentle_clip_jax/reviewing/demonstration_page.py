"""Page of the demonstration, made to be shown: the same searches with few and with many pairs."""

import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from gentle_clip_jax.aligners import Aligner, load
from gentle_clip_jax.data.example import ANSWERS, lines_of
from gentle_clip_jax.data.openmoji import LICENCE
from gentle_clip_jax.data.pairs import SHEET
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.read import read
from gentle_clip_jax.pages import Step, render, write
from gentle_clip_jax.pages.plot import PAGE, plot
from gentle_clip_jax.reviewing.simulated import Point, kept_out, recall
from gentle_clip_jax.searching.opened import opened_of
from gentle_clip_jax.searching.search import open_gallery
from gentle_clip_jax.storage.reading import parse_json

_NOW = (
    Step(
        "Encode your own pictures.",
        "gentle-clip encode --encoder=efficientnet-lite0 --data=pictures --out=features/pictures",
    ),
    Step(
        "Encode your texts.",
        "gentle-clip encode --encoder=minilm --data=texts --out=features/texts",
    ),
    Step(
        'Review asks for a few partners, then suggests them. The page "Two folders, and no pairs '
        'yet" of the documentation explains each step.',
        "gentle-clip review --x=features/pictures --y=features/texts --pairs=pairs.csv "
        "--save-aligner=aligner",
    ),
)
QUERIES = ("a house", "something to eat", "a happy face")
_SUREST = 15  # matches on the page
Hits = dict[str, list[tuple[bytes | None, str, bool]]]


class Stage(NamedTuple):
    """An aligner: its number of pairs, recall at 10 of items kept out, and its hits by query.

    A hit is the picture, its name, and whether it was in a pair.
    """

    pairs: int
    recall: float
    hits: Hits


class Sure(NamedTuple):
    """A match: a picture, the text found for it, its probability, and whether it is right."""

    picture: bytes | None
    text: str
    probability: float
    right: bool


class Demonstration(NamedTuple):
    """The files of a demonstration that was run.

    stages: aligners by their pairs, the fewest first. curve: of the review. matches: pictures and
    the names found for them, with the probability of each.
    """

    out: pathlib.Path
    items: int
    tested: int
    stages: list[Stage]
    curve: list[Point]
    matches: list[Sure]

    @property
    def lines(self) -> list[str]:
        """The hits of the searches, and what the answers have brought, in plain words."""
        few, asked, last = self.stages
        hits = (
            f"\n{query}: " + ", ".join(name + " (was a pair)" * known for _, name, known in named)
            for query, named in last.hits.items()
        )
        return [
            *hits,
            f"\nOf {len(self.matches):,} matches in no pair, {self.right:,} are right; by chance, "
            "one would be.",
            f"Of {self.tested} emoji that were never asked about, {few.recall:.0f} % have their "
            f"picture among the first ten of {self.items:,} with {few.pairs} pairs, "
            f"{asked.recall:.0f} % with {asked.pairs}, {last.recall:.0f} % after "
            f"{self.curve[-1].answers} answers; by chance {1000 / self.items:.1f} %.",
            f"Open {self.out / 'quickstart.html'} in a browser, and show it. Then take two folders "
            'of your own: the page "Two folders, and no pairs yet" of the documentation explains '
            "every step.",
            LICENCE,
        ]

    @property
    def right(self) -> int:
        """The number of right matches."""
        return sum(match.right for match in self.matches)


def pairs_of(path: pathlib.Path) -> list[tuple[str, str]]:
    """Return the pairs of a file, without its heading."""
    return [(x, y) for x, y, *_ in lines_of(path) if [x, y] != SHEET]


def truth(out: pathlib.Path) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return all pairs, and those that the review never asks about."""
    partner = dict(lines_of(out / "emoji" / ANSWERS))
    given = [*pairs_of(out / "ask-few" / "ask.csv"), *pairs_of(out / "ask-asked" / "ask.csv")]
    return partner, kept_out(partner, given, len(partner) // 6)


def show(out: pathlib.Path) -> Demonstration:
    """Read the files of all steps, and write the page."""
    (partner, tested), x, y = truth(out), read(out / "pictures"), read(out / "texts")
    texts = dict(zip(y.items.tolist(), y.item_texts))
    named = {a: texts[b][0] for a, b in partner.items()}
    stages = []
    for folder, file in (
        ("aligner-few", "ask-few/ask.csv"),
        ("aligner-asked", "ask-asked/ask.csv"),
        ("aligner", "review/pairs.csv"),
    ):
        aligner, pairs = load(out / folder), pairs_of(out / file)
        hits = _hits(aligner, x, named, {a for a, _ in pairs})
        stages.append(Stage(len(pairs), recall(aligner, x, y, tested), hits))
    curve = [Point(*point) for point in parse_json(out / "review" / "recall.json")]
    matches = _matches(out / "matches" / "matches.csv", x, y, partner)
    done = Demonstration(out, len(partner), len(tested), stages, curve, matches)
    _write(done)
    return done


def _hits(aligner: Aligner, x: Collection, named: dict[str, str], paired: set[str]) -> Hits:
    """Return the hits of each query; named: the name of each picture."""
    searcher = open_gallery(opened_of(aligner), x)
    ids = {query: [hit.id for hit in searcher.words(query, 5)] for query in QUERIES}
    shown = x.previews([id_ for found in ids.values() for id_ in found])
    return {
        query: [(shown[id_].picture, named[id_], id_ in paired) for id_ in found]
        for query, found in ids.items()
    }


def _matches(
    path: pathlib.Path, x: Collection, y: Collection, partner: dict[str, str]
) -> list[Sure]:
    """Return the matches, the surest first; the first of them with their pictures."""
    heading, *rows = lines_of(path)
    rows = [row for row in (dict(zip(heading, cells)) for cells in rows) if row["y"]]
    rows.sort(key=lambda row: -float(row["probability"] or 0))
    shown = x.previews([row["x"] for row in rows[:_SUREST]])
    texts = [y.item_texts[number][0] for number in y.numbers_of([row["y"] for row in rows])]
    pictures = [shown[row["x"]].picture if row["x"] in shown else None for row in rows]
    return [
        Sure(picture, text, float(row["probability"] or 0), partner[row["x"]] == row["y"])
        for row, picture, text in zip(rows, pictures, texts)
    ]


def _write(done: Demonstration) -> None:
    before, after = done.stages[-2:]
    page = render(
        "reviewing/templates/demonstration.html",
        kind="quickstart",
        name=f"{done.items:,} emoji and their names",
        verdict=f"{done.curve[-1].answers:,} answers took the search from {before.recall:.0f} % to "
        f"{after.recall:.0f} %",
        lead=[
            f"This is the share of {done.tested} emoji, in no pair and never asked about, whose "
            f"picture is among the first ten of {done.items:,} for their name; by chance "
            f"{1000 / done.items:.1f} %.",
            "Nobody sat here: the true names gave the first pairs and the answers; a picture that "
            "was not among the 48 on the screen was found by words, as a person would. Everything "
            "else the program had to find.",
        ],
        stages=done.stages,
        queries=QUERIES,
        curve=_curve(done.curve),
        chance=f"{1000 / done.items:.1f}",
        surest=done.matches[:_SUREST],
        licence=LICENCE,
        now=_NOW,
    )
    write(done.out / "quickstart.html", page)


def _curve(points: Sequence[Point]) -> Markup:
    answers, _, recall = zip(*points)

    def paint(axes: Any) -> None:
        axes.plot(answers, recall, color=PAGE["blue"], linewidth=2, marker="o", markersize=4)
        axes.set_ylim(0, None)
        axes.set_xlabel("answers")

    return plot("curve", "Recall at ten against answers", paint, (5.6, 2.6))
