"""Ids of items as people write them: with or without the extension of a file."""

import difflib
import functools
import itertools
from collections.abc import Iterable

import numpy as np

from gentle_clip_jax.data import metadata

# Extensions of files, not any: sample.v2 is another item than sample.
_ENDINGS = {"jpg", "jpeg", "png", "webp", "tif", "tiff", "gif", "bmp", "svg", "heic", "pdf"}
_ENDINGS |= {"txt", "md", "csv", "json", "xml", "html", "pdb", "ent", "cif", "fasta", "fa", "npy"}
_ENDINGS |= {"wav", "mp3", "flac", "mp4"}
_MOST_COMPARED = 5000  # ids, in search of one that was meant


class Ids:
    """The ids of a set of items, called `name` in messages."""

    def __init__(self, name: str, ids: Iterable[str]):
        self.name, self.exact = name, dict.fromkeys(map(str, ids))

    def find(self, text: str) -> str | None:
        """Return the id that a text stands for, None if there is none.

        An equal id comes first; then one that differs in outer spaces or in the Unicode form of
        accents; then one with or without the extension of a file, as in IMG_1 for IMG_1.JPG.

        Raises:
          ValueError: the text may stand for several; says "... may be ..." without the place.
        """
        if text in self.exact:
            return text
        plain, stems = self._loose
        key = _key(text)
        stem = _stem(key)
        found = plain.get(key) or (plain.get(stem) if stem else stems.get(key)) or []
        if len(found) > 1:
            raise ValueError(f"{text!r} may be {found[0]!r} or {found[1]!r}: write the whole id")
        return found[0] if found else None

    def is_known(self, text: str) -> bool:
        """Return whether a text stands for an id, or for several."""
        try:
            return self.find(text) is not None
        except ValueError:
            return True

    def nearest(self, text: str, likeness: float = 0.6) -> str | None:
        """Return the id that is spelt most like a text, None if none is."""
        few = (
            id_
            for id_ in self.exact
            if abs(len(id_) - len(text)) <= 3 and (id_[:2] == text[:2] or id_[-2:] == text[-2:])
        )
        few = [*itertools.islice(few, _MOST_COMPARED)]
        return next(iter(difflib.get_close_matches(text, few, 1, likeness)), None)

    def hint(self, text: str, other: "Ids", remedy: str) -> str:
        """Return the end of a message on an unknown id.

        Args:
          text: the id.
          other: ids of the other modality, as many as are known.
          remedy: what to do with an id of those.
        """
        if other.is_known(text):
            return f"it is an item of {other.name}: {remedy}."
        if nearest := self.nearest(text):
            return f"did you mean {nearest!r}?"
        if other.nearest(text):
            return f"it looks like an item of {other.name}: {remedy}."
        return f"its ids look like {min(self.exact, default='')!r}."

    def seems_mistyped(self, text: str) -> bool:
        """Return whether a text is more likely a wrong id than the name of a column."""
        id_ = self.nearest(text.strip(), 0.8)
        return id_ is not None and _has_digit(id_) == _has_digit(text)

    @functools.cached_property
    def _loose(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        plain: dict[str, list[str]] = {}
        stems: dict[str, list[str]] = {}
        for id_ in self.exact:
            key = _key(id_)
            plain.setdefault(key, []).append(id_)
            if stem := _stem(key):
                stems.setdefault(stem, []).append(id_)
        return plain, stems


def check_writable(ids: np.ndarray) -> None:
    """Raise ValueError if one of the ids [n] str has a lone surrogate, which no file can hold."""
    if not len(ids):
        return
    codes = np.ascontiguousarray(ids, str).view(np.uint32).reshape(len(ids), -1)
    broken = np.flatnonzero((codes >> 11 == 0xD800 >> 11).any(axis=1))
    if len(broken):
        raise ValueError(f"The id {str(ids[broken[0]])!a} holds half a character: write it anew.")


def _key(text: str) -> str:
    return metadata.name_key(text.strip())


def _stem(text: str) -> str | None:
    stem, _, ending = text.rpartition(".")
    return stem if ending.lower() in _ENDINGS else None


def _has_digit(text: str) -> bool:
    return any(map(str.isdecimal, text))
