"""Origins of pairs: whether their items were drawn at random, or chosen in another way.

Pairs that `ask`, a review or a person chose differ from the items to match: they are no fair sample
of how many matches are right. A table of pairs may say the origin of each in a column `origin`.
"""

import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gentle_clip_jax.data.ids import Ids
from gentle_clip_jax.data.pairs import DECISION, Pairs, columns_of, filled_cells
from gentle_clip_jax.data.pairs import is_pair as is_pair
from gentle_clip_jax.storage.tables import read_table

ORIGIN, RANDOM, ASKED, REVIEWED = "origin", "random", "asked", "reviewed"
GIVEN = "given"  # of a pair whose origin is not known, in tables of matches
# Words for pairs that are no random sample, the last two in tables of matches; others say nothing.
_CHOSEN = {ASKED, REVIEWED, "probable", "accepted"}
_COLUMNS = (ORIGIN, DECISION)
Line = tuple[str, str, str]  # ids of x and y, "" for an item without partner, and origin


class Origins(NamedTuple):
    """Origins of pairs, as far as they are known.

    lines: ids of x and y, and "random" if an item of the pair was drawn at random, or else how it
      was chosen. A random item whose partner was not found has "" as its partner. The lines of a
      review come last, in the order of its answers.
    """

    lines: tuple[Line, ...] = ()

    @property
    def metadata(self) -> list[list[str]]:
        """The same as JSON data."""
        return [[*line] for line in self.lines]

    @property
    def words(self) -> dict[tuple[str, str], str]:
        """The origin of each pair by its ids, for a copy of the pairs.

        A copy lacks the items whose partner was not found, without which the random ones are no
        fair sample: if there are any, all are "reviewed" there.
        """
        known = {(x, y): word for x, y, word in self.lines if x and y}
        if len(known) == len(self.lines):
            return known
        return {pair: REVIEWED if word == RANDOM else word for pair, word in known.items()}


def review_folder(pairs: str | os.PathLike) -> pathlib.Path:
    """Return the folder that a review writes beside a file of pairs."""
    path = pathlib.Path(pairs)
    return path.with_name(f"{path.name}.review")


def read_origins(
    pairs: Pairs,
    x_ids: Iterable[str],
    y_ids: Iterable[str],
    remembered: Iterable[Sequence[str]] | None = None,
) -> Origins:
    """Return the origins of pairs that `read_pairs` reads.

    The column `origin` of a table has them, or else its column `decision`, and for pairs that were
    confirmed in a review the table that it writes beside the file of pairs.

    Args:
      pairs, x_ids, y_ids: as for `read_pairs`.
      remembered: `Origins.metadata` of the pairs of an aligner, used if `pairs` is None.

    Raises:
      ValueError: a file cannot be read.
    """
    reviewed: list[Line] = []
    if pairs is None:
        return Origins(tuple((x, y, word) for x, y, word in remembered or ()))
    if isinstance(pairs, str | os.PathLike):
        lines, reviewed = _of_file(os.fspath(pairs)) if os.fspath(pairs) else ([], [])
    else:
        lines = _of_table(pairs)
    x, y = Ids("x", x_ids), Ids("y", y_ids)
    confirmed = {line[:2] for line in reviewed}
    words = ((x.find(a), y.find(b), word.strip().lower()) for a, b, word in lines if a and b)
    known = [(a, b, word) for a, b, word in words if a and b and word in {RANDOM, *_CHOSEN}]
    return Origins((*(line for line in known if line[:2] not in confirmed), *reviewed))


def _of_file(pairs: str) -> tuple[list[Line], list[Line]]:
    """Return the lines of a table, and those of a review of which the table still has the pair."""
    path, heading, rows, columns = columns_of(pairs)
    lines, name = [], next((name for name in _COLUMNS if name in heading), None)
    if columns and name:
        lines = [_line(cells, (*columns, heading.index(name))) for _, cells in rows]
    reviewed = review_folder(path) / "origins.csv"
    if not reviewed.is_file():
        return lines, []
    answers = [_line(cells, (0, 1, 2)) for _, cells in read_table(reviewed).rows]
    pairs_now = {*filled_cells(pairs)}
    paired = {id_ for pair in pairs_now for id_ in pair}
    return lines, [
        (x, y, word)
        for x, y, word in answers
        if (x, y) in pairs_now or (word == RANDOM and not (x and y) and (x or y) not in paired)
    ]


def _line(cells: list[str], columns: tuple[int, int, int]) -> Line:
    """Return the cells of three columns; those that a short row lacks are empty."""
    x, y, word = ("".join(cells[column : column + 1]) for column in columns)
    return x, y, word


def _of_table(pairs: Any) -> list[Line]:
    """Return the lines of a mapping or a data frame with the columns x, y and an origin."""
    if not (isinstance(pairs, Mapping) or hasattr(pairs, "columns")):
        return []
    columns = [*(pairs if isinstance(pairs, Mapping) else pairs.columns)]
    name = next((name for name in _COLUMNS if name in columns), None)
    if name is None or not {"x", "y"} <= {*columns}:
        return []
    cells = zip(*([*pairs[column]] for column in ("x", "y", name)))
    return [(_text(x), _text(y), _text(word)) for x, y, word in cells]


def _text(cell: Any) -> str:
    """Return the text of a cell, "" for an empty one, which may be NaN."""
    return "" if cell is None or cell != cell else str(cell)
