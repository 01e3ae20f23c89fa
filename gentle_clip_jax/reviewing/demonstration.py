"""Demonstration of all steps on emoji and their names: the quickstart, from folders to a page."""

import pathlib
import shlex
from collections.abc import Callable

from gentle_clip_jax.aligners import load
from gentle_clip_jax.data.example import ANSWERS, lines_of
from gentle_clip_jax.features.read import read
from gentle_clip_jax.reviewing.demonstration_page import (
    QUERIES,
    Demonstration,
    pairs_of,
    show,
    truth,
)
from gentle_clip_jax.reviewing.simulated import Point, simulate
from gentle_clip_jax.storage.writing import write_json

_FEW, _ASKED = 12, 60  # pairs before the review
_INTRODUCTION = (
    "Emoji and their names, in two folders: a few pairs, then a few hundred answers, and the "
    "program finds pictures that it was never told the name of. In this demonstration {answers} "
    "gives the pairs and the answers, in place of your eyes."
)
_BOTH = "--x={out}/pictures --y={out}/texts"
# Of each step the file that it writes last, which says that it is done, and its command.
_FIRST_PAIRS = (
    step
    for name in ("few", "asked")
    for step in (
        (
            f"ask-{name}/ask.html",
            f"ask --x={{out}}/pictures --num={{{name}}} --out={{out}}/ask-{name}",
        ),
        (None, f"example --out={{out}}/emoji --answer={{out}}/ask-{name}/ask.csv"),
        (
            f"aligner-{name}/aligner.json",
            f"align {_BOTH} --pairs={{out}}/ask-{name}/ask.csv --out={{out}}/aligner-{name}",
        ),
    )
)
STEPS = (
    ("emoji/answers.csv", "example --emoji{number} --out={out}/emoji"),
    (
        "pictures/manifest.json",
        "encode --encoder=efficientnet-lite0 --data={out}/emoji/pictures --out={out}/pictures",
    ),
    ("texts/manifest.json", "encode --encoder=minilm --data={out}/emoji/texts --out={out}/texts"),
    *_FIRST_PAIRS,
    (
        "review/recall.json",
        f"review --aligner={{out}}/aligner-asked {_BOTH} --pairs={{out}}/ask-asked/ask.csv"
        " --out={out}/review",
    ),
    (
        "aligner/aligner.json",
        f"align {_BOTH} --pairs={{out}}/review/pairs.csv --out={{out}}/aligner",
    ),
    *(
        (
            f"{query.replace(' ', '-')}.html",
            f"search --aligner={{out}}/aligner --in={{out}}/pictures '{query}' --num=5"
            f" --html={{out}}/{query.replace(' ', '-')}.html",
        )
        for query in QUERIES
    ),
    (
        "matches/matches.json",
        f"match --aligner={{out}}/aligner {_BOTH} --pairs={{out}}/review/pairs.csv --share=1"
        " --one-to-one --out={out}/matches",
    ),
)


def demonstrate(
    out: str | pathlib.Path,
    run: Callable[[list[str]], int],
    tell: Callable[[str], object],
    *,
    num: int | None = None,
    screens: int = 450,
) -> Demonstration | int:
    r"""Run each step that is not done yet, and write quickstart.html.

    Args:
      out: folder of all files; the same call continues there.
      run: runs a command of gentle-clip, and returns its exit code.
      tell: called with each line for people; one that begins with "\r" may replace the last.
      num: number of emoji; all if not given.
      screens: number of simulated answers of the review.

    Returns:
      The demonstration, or the exit code of a step that failed.

    Raises:
      ValueError: the folder holds another number of emoji.
    """
    out = pathlib.Path(out)
    answers = out / "emoji" / ANSWERS
    if answers.exists() and num and len(lines_of(answers)) != num:
        raise ValueError(
            f"{out} holds a quickstart of {len(lines_of(answers)):,} emoji: give that --num, or "
            "another --out=DIR."
        )
    tell(_INTRODUCTION.format(answers=answers))
    asked = min(_ASKED, (num or 5 * _ASKED) // 5)
    filled = {"number": f" --num={num}" if num else "", "asked": asked}
    filled |= {"few": min(_FEW, asked // 2), "out": shlex.quote(str(out))}
    for done, step in STEPS:
        if done is None or not (out / done).exists():
            command = step.format(**filled)
            tell(f"\n$ gentle-clip {command}")
            if step.startswith("review"):
                _review(out, screens, tell)
            elif code := run(shlex.split(command)):
                return code
    return show(out)


def _review(out: pathlib.Path, screens: int, tell: Callable[[str], object]) -> None:
    """Answer by the true pairs, and keep answers, pairs and recall at 10 as the review goes on."""

    def measured(point: Point) -> None:
        tell(
            f"\r{point.answers} answers, {point.pairs} pairs: {point.recall:.0f} % of "
            f"{len(tested)} emoji that are never asked about have their picture among the first ten"
        )

    tell(
        "Simulated: the true pairs answer. Where the picture is not among the 48 shown, it is "
        "found by words, as a person would do."
    )
    partner, tested = truth(out)
    points = simulate(
        load(out / "aligner-asked"),
        read(out / "pictures"),
        read(out / "texts"),
        pairs_of(out / "ask-asked" / "ask.csv"),
        partner,
        screens=screens,
        tested=tested,
        look_up=True,
        out=out / "review",
        tell=measured,
    )
    tell(f"\n{points[-1].answers} answers, {points[-1].pairs} pairs.")
    write_json(out / "review" / "recall.json", points)
