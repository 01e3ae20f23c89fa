"""Results of a search as lines, as a table and as a page."""

import pathlib
from collections.abc import Sequence

from gentle_clip_jax.data.thumbnails import thumbnails
from gentle_clip_jax.pages import Step, write
from gentle_clip_jax.pages.items import Card, items_page
from gentle_clip_jax.searching.search import Hit
from gentle_clip_jax.storage.tables import write_csv
from gentle_clip_jax.storage.text import escaped

# X, Y and PAIRS are what the aligner was fitted to.
_NOW = (
    Step(
        "Something here is what you meant? Find more that is like it.",
        "gentle-clip search --aligner=ALIGNER --in=FEATURES --like=ID",
    ),
    Step(
        "Too many are wrong? Every pair that you confirm makes the next search better.",
        "gentle-clip review --aligner=ALIGNER --x=X --y=Y --pairs=PAIRS",
    ),
)


def lines(hits: Sequence[Hit]) -> list[str]:
    """Return a line for each hit: score, id, and path or else text, separated by tabs."""
    return [
        f"{hit.score:.3f}\t{escaped(hit.id, keep='')}\t"
        f"{hit.path or ' '.join(hit.text.split())}".rstrip()
        for hit in hits
    ]


def write_table(path: str | pathlib.Path, hits: Sequence[Hit]) -> None:
    """Write a CSV file: rank, id, score, path, text.

    Raises:
      OSError: it cannot be written.
    """
    rows = (
        (rank, hit.id, f"{hit.score:.6f}", hit.path, hit.text)
        for rank, hit in enumerate(hits, start=1)
    )
    write_csv(pathlib.Path(path), [("rank", "id", "score", "path", "text"), *rows])


def write_hits(
    path: str | pathlib.Path, query: str, hits: Sequence[Hit], data: pathlib.Path | None
) -> None:
    """Write a page of the hits with their pictures, if `data` has them, or their texts.

    Raises:
      ValueError: it cannot be written.
    """
    pictures = thumbnails(data, [hit.id for hit in hits])
    cards = [
        Card(hit.id, f"{rank} · {hit.score:.3f}", hit.text, pictures.get(hit.id))
        for rank, hit in enumerate(hits, start=1)
    ]
    lead = [query, "The figure beside a rank is a cosine, not a probability."]
    page = items_page("search", f"{len(hits)} items, nearest first", lead, cards, _NOW)
    write(path, page)
