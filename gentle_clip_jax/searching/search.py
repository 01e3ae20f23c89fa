"""Search of a gallery of embeddings by words, by one of its items, or by a file."""

import functools
import logging
import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from gentle_clip_jax.data import images
from gentle_clip_jax.data.ids import Ids
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.given import Given
from gentle_clip_jax.searching.embed import RANKED
from gentle_clip_jax.searching.encoder import QueryEncoder
from gentle_clip_jax.searching.exact import check_num, nearest
from gentle_clip_jax.searching.index import Index, index_of, open_index, write_index
from gentle_clip_jax.searching.opened import Opened, other
from gentle_clip_jax.storage import reading
from gentle_clip_jax.storage.digests import sha256
from gentle_clip_jax.storage.progress import track

_log = logging.getLogger(__name__)

_ENDINGS = (*images.SUFFIXES, ".txt")
_BLOCK = 8192
_MANY = 100_000  # items, beyond which embedding all takes seconds


class Hit(NamedTuple):
    """A result of a search.

    path: the item's file, "" if unknown. score: cosine with the query, after gallery smoothing if
    the query is of the other modality. text: text of the row, "" if it has none.
    """

    id: str
    path: str
    score: float
    text: str


class Searcher:
    """Search engine of a gallery; it loads encoders when they are first used.

    Args:
      opened: the aligner.
      gallery: features of one modality, or rows that `embed` has written with the aligner.
      side: the modality of the gallery, "x" or "y".

    Without an index all rows are compared.
    """

    def __init__(self, opened: Opened, gallery: Collection, side: str):
        self.opened, self.gallery, self.side = opened, gallery, side
        self.index: Index | None = None
        self._encoders: dict[str, QueryEncoder] = {}

    @functools.cached_property
    def rows(self) -> np.ndarray:
        """Unit rows [m, k] of the gallery in the shared space."""
        if self.is_embedded:
            return self.gallery.features
        return np.concatenate([*self.blocks()])

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the rows, 8,192 at a time."""
        return map(self._embedded, reading.blocks_of(self.gallery.features, _BLOCK))

    @functools.cached_property
    def ranked(self) -> np.ndarray:
        """Smoothed rows [m, k] of the gallery, for queries of the other modality.

        Raises:
          ValueError: the file of smoothed rows does not match its checksum.
        """
        digest = self.gallery.manifest.get("sha256", {}).get(RANKED)
        return self.opened.draw(self.side, self.rows) if digest is None else self._kept(digest)

    def _kept(self, digest: str) -> np.ndarray:
        assert self.gallery.path is not None  # its manifest named the file
        path = self.gallery.path / RANKED
        try:
            if sha256(path) != digest:
                raise ValueError("checksum mismatch: the file changed after it was written")
            return reading.map_array(path)
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} is damaged ({error}): embed the items again.") from error

    @property
    def built_from(self) -> dict[str, str]:
        """Digests of the items and the aligner, and the modality, to which an index must match."""
        return {"aligner": self.opened.sha256, "side": self.side, **self.gallery.sha256}

    @property
    def is_embedded(self) -> bool:
        """True if the gallery has rows that `embed` has written."""
        return "aligner_sha256" in self.gallery.manifest

    def _embedded(self, features: np.ndarray) -> np.ndarray:
        return features if self.is_embedded else self.opened.embed(self.side, features)

    def words(self, words: str, num: int = 20) -> list[Hit]:
        """Return the items nearest to words, nearest first.

        Words are encoded by the encoder of the other modality, or by the gallery's own if only
        that one reads words.

        Raises:
          ValueError: there are no words, no encoder of the aligner reads words, or num is not 1 or
            more.
        """
        check_num(num)
        if not words.strip():
            raise ValueError("There is nothing to search for: give some words.")
        if "words" not in self._encoders:
            self._encoders["words"] = self.opened.items.word_encoder(other(self.side))
        encoder = self._encoders["words"]
        features = encoder.embed(words)
        if encoder.side != self.side:
            features = encoder.smooth(features)
        return self._encoded(encoder.side, features, num)

    def like(self, item: str, num: int = 20) -> list[Hit]:
        """Return the items most similar to an item of the gallery, given by its id, or to a file.

        The item itself is left out. A file is an image by its suffix, else a text.

        Raises:
          ValueError: there is no such item and no such file, no encoder reads it, or num is not 1
            or more.
        """
        check_num(num)
        own = np.flatnonzero(self.gallery.ids == item)
        if len(own):
            row = self._embedded(np.asarray(self.gallery.features[own[:1]]))
            hits = self._hits(self.side, row, num + 1)
            return [hit for hit in hits if hit.id != item][:num]
        path = pathlib.Path(item)
        if not path.is_file():
            pairs = getattr(self.opened.aligner, "pairs", None) or []  # a run has none
            others = Ids(other(self.side), (pair[self.side == "x"] for pair in pairs))
            hint = Ids("", self.gallery.ids).hint(item, others, "give the path of its file")
            raise ValueError(
                f"There is no item {item!r} in {self.gallery.name} and no such file; {hint}"
            )
        return self._encoded(*self.opened.items.encode_file(path), num)

    def _encoded(self, side: str, features: np.ndarray, num: int) -> list[Hit]:
        return self._hits(side, self.opened.embed(side, features), num)

    def _hits(self, side: str, query: np.ndarray, num: int) -> list[Hit]:
        """Return the best row of each item for a query of a modality."""
        ids, texts = self.gallery.ids, self.gallery.texts
        several = len(ids) // max(len(self.gallery.items), 1) + 1 if texts is not None else 1
        found: dict[str, Hit] = {}
        wanted = num * several
        while len(found) < num:
            rows, scores = (array[0] for array in self._nearest(side, query, wanted))
            for row, score in zip(rows.tolist(), scores.tolist()):
                text = "" if texts is None else str(texts[row])
                found.setdefault(str(ids[row]), Hit(str(ids[row]), "", score, text))
            if wanted >= len(ids):
                break
            wanted *= 4
        return [hit._replace(path=path_of(self.gallery.data, hit.id)) for hit in found.values()][
            :num
        ]

    def _nearest(self, side: str, query: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
        if self.index is not None:
            return self.index.nearest(query, num, ranked=side != self.side)
        return nearest(query, self.rows if side == self.side else self.ranked, num)


def open_gallery(aligner: Opened, gallery: Given, *, side: str | None = None) -> Searcher:
    """Read the items to search with an aligner.

    Args:
      aligner: a fitted one, or a trained run.
      gallery: features of one modality, or a folder written by `gentle-clip embed`, whose rows
        are not embedded again. An index of the same items beside it is used.
      side: their modality, "x" or "y"; needed only if neither encoder nor width tells it.

    Raises:
      ValueError: a folder is damaged, or they do not fit each other.
    """
    searcher = Searcher(aligner, *aligner.read(gallery, side, aligned=True))
    folder = searcher.gallery.path and index_of(searcher.gallery.path)
    if folder and folder.exists():
        try:
            searcher.index = open_index(folder, searcher.built_from)
        except ValueError as error:
            _log.warning(f"{folder} is not used, so every item is compared: {error}.")
    elif len(searcher.gallery.features) > _MANY and not searcher.is_embedded:
        _log.info("All items are embedded first; gentle-clip index does that only once.")
    return searcher


def index_gallery(
    aligner: Opened,
    gallery: str | pathlib.Path,
    *,
    side: str | None = None,
    engine: str = "exact",
) -> pathlib.Path:
    """Build an index of a gallery, which `open_gallery` then uses.

    Args:
      aligner, gallery, side: see `open_gallery`.
      engine: "exact", which stores the embedded rows and compares all; or "lance", an
        approximate index for galleries larger than the memory.

    Returns:
      The folder of the index, which is beside the gallery.

    Raises:
      ValueError: see `open_gallery`.
      ModuleNotFoundError: the engine is not installed.
      OSError: it cannot be written.
    """
    searcher = Searcher(aligner, *aligner.read(gallery, side, aligned=True))
    opened, side = searcher.opened, searcher.side
    num_rows = len(searcher.gallery.features)
    num_blocks = -(-num_rows // _BLOCK)
    smoothed = None
    if opened.draws(side):
        ranked = (opened.draw(side, block) for block in searcher.blocks())
        smoothed = track(ranked, "indexing as ranked", num_blocks)
    assert searcher.gallery.path is not None  # it was read from there
    folder = index_of(searcher.gallery.path)
    rows = track(searcher.blocks(), "indexing", num_blocks)
    write_index(folder, engine, searcher.built_from, rows, smoothed, num_rows=num_rows)
    return folder


def path_of(data: pathlib.Path | None, id_: str) -> str:
    """Return the file of an encoded item, or the archive that has it; "" if unknown."""
    if data is None:
        return ""
    if data.is_file():
        return str(data)
    return next((str(path) for path in _candidates(data, id_) if path.is_file()), "")


def _candidates(data: pathlib.Path, id_: str) -> Sequence[pathlib.Path]:
    endings = [*_ENDINGS, *(ending.upper() for ending in _ENDINGS)]
    return [data / f"{id_}{ending}" for ending in endings]
