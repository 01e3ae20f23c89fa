"""Tables of a review: pairs with their origins, and those that it derives from its answers."""

import pathlib
from collections.abc import Iterable, Sequence

from gentle_clip_jax.data.pairs import SHEET
from gentle_clip_jax.features.origins import ORIGIN, RANDOM, Origins
from gentle_clip_jax.reviewing.log import SOURCES, Answer
from gentle_clip_jax.storage.tables import write_csv


def derived_tables(answers: Iterable[Answer]) -> dict[str, list[Sequence[str]]]:
    """Return the heading and the lines of each table by its name.

    not_pairs.csv: for each screen answered with "none of these", its item with every item shown.
    near_pairs.csv: the answers to "the closest of ten".
    origins.csv: the origin of each confirmed pair; and every item drawn at random whose partner was
      not found, with an empty cell for it.
    """
    refused, near, origins = [], [], []
    for answer in answers:
        pair = answer.x or "", answer.y or ""
        origin = SOURCES.get(answer.sampling, "")
        if answer.kind == "none":
            refused += [(x, pair[1]) for x in answer.shown]
        if answer.kind == "near":
            near.append(pair)
        elif answer.kind == "match" or origin == RANDOM:
            origins.append((*pair, origin))
    return {
        "not_pairs.csv": [SHEET, *refused],
        "near_pairs.csv": [SHEET, *near],
        "origins.csv": [[*SHEET, ORIGIN], *origins],
    }


def write_pairs(
    path: pathlib.Path, pairs: Iterable[Sequence[str]], origins: Origins | None = None
) -> None:
    """Write a CSV file of pairs of ids with the columns x and y, and origin if any is known."""
    if origins and origins.lines:
        words = origins.words
        write_csv(path, [[*SHEET, ORIGIN], *((x, y, words.get((x, y), "")) for x, y in pairs)])
    else:
        write_csv(path, [SHEET, *pairs])
