"""`ask`: the items to describe, as a table to fill in and a page to look at."""

import dataclasses
import html
import os
import pathlib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gentle_clip_jax.asking.choose import asked_items
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.given import Given, collection_of
from gentle_clip_jax.features.origins import ASKED, ORIGIN, RANDOM
from gentle_clip_jax.features.pairs import SHEET, filled_cells
from gentle_clip_jax.pages import Step, write
from gentle_clip_jax.pages.items import Card, items_page, previews_html
from gentle_clip_jax.storage import locks
from gentle_clip_jax.storage.progress import working
from gentle_clip_jax.storage.tables import read_table, write_csv, write_workbook

if TYPE_CHECKING:
    import pandas

_PREVIEWS = 12


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Sheet:
    """Items whose partners are worth asking for, the most informative first.

    ids: the items. origins: "random" or "asked" for each. collection: that of the items. images: a
    folder of their pictures, if the collection does not know it.
    """

    ids: list[str]
    origins: list[str]
    collection: Collection
    images: pathlib.Path | None = None

    def save(self, folder: str | pathlib.Path, *, xlsx: bool = False) -> None:
        """Write ask.csv, a line for each id with an empty cell for its partner, and ask.html.

        Args:
          xlsx: whether to write ask.xlsx too, the same as a workbook of text cells.

        Raises:
          ValueError: ask.csv holds answers already, or `images` has no picture of these items.
          OSError: the folder cannot be written.
        """
        folder = pathlib.Path(folder)
        cards = self.collection.previews(self.ids, self.images)
        if self.images is not None and not any(card.picture for card in cards.values()):
            raise ValueError(
                f"{self.images} has no pictures of the items of {self.collection.name}: give the "
                "folder encoded."
            )
        lines = ([id_, "", origin] for id_, origin in zip(self.ids, self.origins))
        rows = [[*SHEET, ORIGIN], *lines]
        tables = {folder / "ask.csv": write_csv} | (
            {folder / "ask.xlsx": write_workbook} if xlsx else {}
        )
        with locks.alone_in(folder, timeout=locks.WAIT):
            for path in tables:
                if path.exists() and _is_filled(path):
                    raise ValueError(f"{path} holds answers: use another --out, or move it away.")
            write(folder / "ask.html", self._page(folder, cards))
            for path, write_table in tables.items():
                write_table(path, rows)

    def _page(self, folder: pathlib.Path, cards: Mapping[str, Card]) -> str:
        count = len(self.ids)
        path, sheet = self.collection.path, shlex.quote(str(folder / "ask.csv"))
        name = "this collection" if path is None else path.name
        return items_page(
            "questions",
            f"{count} of {len(self.collection.items):,} items of {name}",
            [
                f"Find the partners of these {count}.",
                "Write the id of each partner into ask.csv, for as many as you like, and leave "
                "items without a partner empty. Every tenth item is random, so that the held-out "
                "figures stay unbiased.",
            ],
            [
                cards[id_]._replace(note=f"{place} of {count}")
                for place, id_ in enumerate(self.ids, start=1)
            ],
            [
                Step(
                    "When ask.csv has partners, align.",
                    f"gentle-clip align --x={shlex.quote(str(path or 'X'))} --y=Y --pairs={sheet} "
                    "--out=aligner",
                )
            ],
        )

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a table with the columns x, the ids, y, to be filled in, and origin."""
        import pandas

        columns = {"x": self.ids, "y": [""] * len(self.ids), ORIGIN: self.origins}
        return pandas.DataFrame(columns)

    def __repr__(self) -> str:
        first = ", ".join(id_[:60] for id_ in self.ids[:5])
        more = ", ..." if len(self.ids) > 5 else ""
        return f"Sheet({len(self.ids):,} items to describe: {first}{more})"

    def _repr_html_(self) -> str:
        """Show the first items in a notebook."""
        shown = self.collection.previews(self.ids[:_PREVIEWS], self.images)
        return f"<p>{html.escape(repr(self))}</p>{previews_html(shown.values())}"


@working("choosing")
def ask(
    x: Given,
    num: int = 12,
    pairs: Any = None,
    *,
    seed: int = 0,
    images: str | pathlib.Path | None = None,
) -> Sheet:
    """Choose the items whose partners tell an aligner the most.

    Args:
      x: a collection, a path that `read` takes, or features [n, d].
      num: number of items.
      pairs: known pairs, whose items are not asked for: a CSV file, id pairs, a table, or numbers
        [k, 2] of items.
      seed: of the random choices; every tenth item is chosen at random.
      images: a folder of the pictures of x, where the folder of features does not know it.

    Returns:
      The items, the most informative first; `save` writes them as a sheet to fill in.

    Raises:
      ValueError: a file is not as it should be, or there are too few items.

    >>> len(ask(np.eye(4), 2).ids)
    2
    """
    collection = collection_of(x)
    ids = sorted(collection.items.tolist())  # so that the order of rows does not matter
    features = collection.of_items(ids).mean(axis=1)
    if isinstance(pairs, np.ndarray) and pairs.dtype.kind in "iu":
        pairs = [(id_,) for id_ in collection.items[pairs[:, 0]].tolist()] or None
    asked = asked_items(features, num, seed=seed, pairs=_labelled(ids, pairs))
    origins = [RANDOM if is_random else ASKED for _, is_random in asked]
    folder = None if images is None else pathlib.Path(images)
    return Sheet([ids[row] for row, _ in asked], origins, collection, folder)


def _labelled(ids: list[str], pairs: Any) -> np.ndarray:
    """Return rows of the items that have a pair; a line without a partner is no pair yet."""
    if pairs is None:
        return np.zeros(0, int)
    row = {id_: number for number, id_ in enumerate(ids)}
    labelled = [row[cell] for line in _lines(pairs) for cell in line if cell in row]
    if not labelled:
        name = pairs if isinstance(pairs, str | os.PathLike) else "The list of pairs"
        raise ValueError(
            f"{name} has no pair of these items: write an id of each side on every line."
        )
    return np.array(labelled)


def _lines(pairs: Any) -> Iterable[Sequence[str]]:
    """Return the cells of each pair that lacks none: of a file, a table or a list."""
    if isinstance(pairs, str | os.PathLike):
        return filled_cells(pairs)
    if isinstance(pairs, Mapping) or hasattr(pairs, "columns"):
        columns = [*pairs][:2]
        pairs = zip(*(pairs[name] for name in columns))
    lines = [["" if cell is None else str(cell) for cell in line] for line in pairs]
    return [line for line in lines if all(line)]


def _is_filled(path: pathlib.Path) -> bool:
    """Return whether a person has written beside any id of a sheet, or it is another table."""
    rows = ([str(cell).strip() for cell in cells] for _, cells in read_table(path).rows)
    first = next(rows, SHEET)
    further = 3 if first[2:3] == [ORIGIN] else 2
    return first[:2] != SHEET or any(any(cells[1:2] + cells[further:]) for cells in rows)
