"""`search`: the nearest items to words or to another item, as ids, lines, a table and a page."""

import dataclasses
import html
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gentle_clip_jax.aligners.aligner import Aligner
from gentle_clip_jax.data.thumbnails import thumbnails
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.given import Given
from gentle_clip_jax.pages import Step, write
from gentle_clip_jax.pages.items import Card, items_page, previews_html
from gentle_clip_jax.searching.opened import Opened, opened_of
from gentle_clip_jax.searching.run_items import Run
from gentle_clip_jax.searching.search import Hit, open_gallery
from gentle_clip_jax.storage.tables import write_csv
from gentle_clip_jax.storage.text import escaped

if TYPE_CHECKING:
    import pandas

_LETTERS = 2000  # of a text that is the query
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


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Hits:
    """Results of a search, nearest first.

    query: words, or the id or file of an item. gallery: the items that were searched. like: whether
    the query is an item or a file.
    """

    hits: list[Hit]
    query: str
    gallery: Collection | None = None
    like: bool = False

    @property
    def ids(self) -> list[str]:
        """Ids of the items."""
        return [hit.id for hit in self.hits]

    @property
    def cosines(self) -> list[float]:
        """Cosines of the items with the query; they are no probabilities."""
        return [hit.score for hit in self.hits]

    @property
    def lines(self) -> list[str]:
        """A line for each item: score, id, and path or else text, separated by tabs."""
        return [
            f"{hit.score:.3f}\t{escaped(hit.id, keep='')}\t"
            f"{hit.path or ' '.join(hit.text.split())}".rstrip()
            for hit in self.hits
        ]

    def save_html(self, path: str | pathlib.Path) -> None:
        """Write a web page of the results with their pictures or texts.

        Raises:
          ValueError: it cannot be written.
        """
        asked = [_card(self.query, self.gallery)] if self.like and self.gallery else []
        cards = self._cards("{rank} · {score:.3f}")
        lead = [self.query, "The figure beside a rank is a cosine, not a probability."]
        name = f"{len(self)} items, nearest first"
        write(path, items_page("search", name, lead, [*asked, *cards], _NOW))

    def _cards(self, note: str) -> list[Card]:
        pictures = thumbnails(self.gallery.data if self.gallery else None, self.ids)
        return [
            Card(hit.id, note.format(rank=rank, score=hit.score), hit.text, pictures.get(hit.id))
            for rank, hit in enumerate(self.hits, start=1)
        ]

    def save_csv(self, path: str | pathlib.Path) -> None:
        """Write a CSV table: rank, id, score, path, text.

        Raises:
          OSError: it cannot be written.
        """
        rows = (
            (rank, hit.id, f"{hit.score:.6f}", hit.path, hit.text)
            for rank, hit in enumerate(self.hits, start=1)
        )
        write_csv(pathlib.Path(path), [("rank", "id", "score", "path", "text"), *rows])

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a table with a line for each item: id, path, score, text."""
        import pandas

        columns = pandas.Index(Hit._fields)
        return pandas.DataFrame(self.hits, columns=columns)

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __repr__(self) -> str:
        first = ", ".join(f"{hit.id[:60]} {hit.score:.3f}" for hit in self.hits[:5])
        more = ", ..." if len(self.hits) > 5 else ""
        return f"Hits({len(self.hits)} for {self.query[:100]!r}: {first}{more})"

    def _repr_html_(self) -> str:
        """Return HTML of the results for a notebook."""
        return f"<p>{html.escape(repr(self))}</p>{previews_html(self._cards('{score:.3f}'))}"


def _card(query: str, gallery: Collection) -> Card:
    """Return the card of the query of `like`: an item of the gallery, or a file."""
    if query in gallery.ids:
        return gallery.previews([query])[query]._replace(note="query")
    path = pathlib.Path(query)
    picture = thumbnails(path, [path.stem]).get(path.stem)
    text = "" if picture else path.read_text("utf-8", "replace")[:_LETTERS]
    return Card(path.name, "query", text, picture)


def search(
    aligner: Opened | Aligner | Run | str | pathlib.Path,
    collection: Given,
    words: str | None = None,
    *,
    like: str | None = None,
    num: int = 20,
    side: str | None = None,
) -> Hits:
    """Find the items of a collection that are nearest to words or to another item.

    Args:
      aligner: what `align` or `restore` returned, or a folder that an aligner was saved in.
      collection: items of one modality: a collection, a path that `read` takes, or the result of
        `embed`. An index beside the path is used.
      words: query, encoded by the text encoder that the aligner was fitted to.
      like: the id of an item of the collection, or the path of an image or a text.
      num: number of items.
      side: modality of the items, "x" or "y"; needed only if neither encoder nor width tells it.

    Raises:
      ValueError: both or none of words and like are given, there is no such item, or the features
        are not of the aligner's modalities.
    """
    if (words is None) == (like is None):
        raise ValueError("Give either words to search for, or --like=ITEM.")
    searcher = open_gallery(opened_of(aligner), collection, side=side)
    if words is not None:
        hits, query = searcher.words(words, num), words
    else:
        assert like is not None  # one of both is given
        hits, query = searcher.like(like, num), like
    return Hits(hits, query, searcher.gallery, like is not None)
