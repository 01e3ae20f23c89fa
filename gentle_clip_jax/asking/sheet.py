"""`ask_files`: the items to label, as a table to fill in and a page with previews."""

import csv
import pathlib
import shlex

import numpy as np

from gentle_clip_jax.asking.choose import ask
from gentle_clip_jax.features.pairs import SHEET
from gentle_clip_jax.features.read import read
from gentle_clip_jax.files import writing
from gentle_clip_jax.pages import Step, write
from gentle_clip_jax.pages.items import items_page


def ask_files(
    x: str | pathlib.Path,
    out: str | pathlib.Path,
    *,
    number: int = 30,
    seed: int = 0,
    pairs: str | pathlib.Path | None = None,
    images: str | pathlib.Path | None = None,
) -> list[str]:
    """Write ask.csv, an id a line with an empty column for its partner's, and ask.html.

    Args:
      x: a file of embeddings, or a folder of `gentle-clip encode`.
      out: a folder.
      number: number of items.
      seed: of the random items.
      pairs: a file of existing pairs, whose items are left out.
      images: a folder of the pictures of x, if the folder of features does not record it.

    Returns:
      The ids, the most informative first.

    Raises:
      ValueError: a file is not as it should be, or there are too few items.
      OSError: the folder cannot be written.
    """
    collection, folder = read(x), pathlib.Path(out)
    ids = collection.items.tolist()
    features = collection.of_items(ids).mean(axis=1)
    rows = ask(features, number, seed=seed, pairs=_paired_rows(ids, pairs))
    asked = [ids[row] for row in rows]
    cards = collection.previews(asked, None if images is None else pathlib.Path(images))
    if images is not None and not any(card.picture for card in cards.values()):
        raise ValueError(f"{images} has no pictures of the items of {x}: give the folder encoded.")
    folder.mkdir(parents=True, exist_ok=True)
    _write_table(folder / "ask.csv", asked)
    page = items_page(
        "questions",
        f"{len(asked)} of {len(ids):,} items of {pathlib.Path(x).name}",
        [
            f"Find the partners of these {len(asked)}.",
            "Write the id of each one's partner beside it into ask.csv, as far as you come. "
            "Every tenth is drawn at random, so that what is held out later stays fair. Leave "
            "empty what has no partner.",
        ],
        [
            cards[id_]._replace(note=f"{place} of {len(asked)}")
            for place, id_ in enumerate(asked, start=1)
        ],
        [
            Step(
                "When ask.csv has partners, align.",
                f"gentle-clip align --x={shlex.quote(str(x))} --y=Y "
                f"--pairs={shlex.quote(str(folder / 'ask.csv'))} --out=aligner",
            )
        ],
    )
    write(folder / "ask.html", page)
    return asked


def _paired_rows(ids: list[str], pairs: str | pathlib.Path | None) -> np.ndarray:
    """Return rows of the items that have a pair; a line without a partner is no pair yet."""
    if pairs is None:
        return np.zeros(0, int)
    row = {id_: number for number, id_ in enumerate(ids)}
    lines = _filled(pathlib.Path(pairs))
    rows = [row[cell] for line in lines for cell in line if cell in row]
    if not rows:
        raise ValueError(
            f"{pairs} has no pair of these items: write an id of each side on every line."
        )
    return np.array(rows)


def _filled(path: pathlib.Path) -> list[list[str]]:
    """Return the cells of each complete line."""
    if not path.is_file():
        raise ValueError(f"There is no file of pairs {path}.")
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            reader = csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
            lines = [[cell.strip() for cell in line] for line in reader]
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no text of pairs ({error}): save it as CSV.") from error
    return [line for line in lines if line and all(line)]


def _write_table(path: pathlib.Path, ids: list[str]) -> None:
    if path.exists() and [line for line in _filled(path) if line != SHEET]:
        raise ValueError(f"{path} holds answers: use another --out, or move it away.")
    with writing(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(SHEET)
        table.writerows([id_, ""] for id_ in ids)
