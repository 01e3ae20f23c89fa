"""Result of `match`: matches of two collections by the ids of their items, and their files."""

import dataclasses
import functools
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.given import files_of
from gentle_clip_jax.matching.accepted import (
    LEAST,
    Accepted,
    accepted_pairs,
    listed_pairs,
    methods_of,
)
from gentle_clip_jax.matching.item_sets import sets_summary
from gentle_clip_jax.matching.matches import Expected, Matches
from gentle_clip_jax.matching.page import Named, matches_page
from gentle_clip_jax.matching.written import Shown, rows_of, write
from gentle_clip_jax.pages.items import pairs_html
from gentle_clip_jax.searching.opened import Opened
from gentle_clip_jax.storage.text import aligned

if TYPE_CHECKING:
    import pandas

_PREVIEWS = 8


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class MatchedCollections:
    """A partner for each unmatched item of x, and how probable it is.

    matches: the same by numbers of items. x, y: the collections. opened: the aligner. given: ids of
    the pairs, and the origin of each, "given" if it is not known. built_from: digests of all of
    these. pairs: their path, for commands on the page. fdr: error of the list to accept. coverage:
    of the prediction sets.
    """

    matches: Matches
    x: Collection
    y: Collection
    opened: Opened
    given: list[tuple[str, str, str]]
    built_from: dict[str, Any]
    pairs: str | None = None
    fdr: float | None = None
    coverage: float | None = None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A dict for each unmatched item of x: its id, that of y ("" for none), probabilities and
        cosine, None where there is none."""
        return rows_of(self.matches, self.x.items, self.y.items, y_texts=self._first_texts())

    @property
    def expected(self) -> Expected | None:
        """The number of right matches to expect, with its interval; None without probabilities."""
        return self.matches.expected

    @property
    def summary(self) -> str:
        """The expected number of right matches, the next step, the list and the sets, in a few
        sentences."""
        parts = [self.matches.summary, *self._notes]
        if not self.opened.aligner.can_refit:
            parts.append("This holds if the run was not trained on any of these pairs.")
        return " ".join(parts)

    @property
    def lines(self) -> list[str]:
        """The reliability of the probabilities on held-out pairs, as a table for a terminal."""
        head = ("stated probability of held-out pairs, %", "right, %", "from (95 %)", "to")
        names = ("probability", "value", "low", "high")
        bins = self.metadata["reliability"] or ()
        rows = [[f"{100 * one[name]:.0f}" for name in names] for one in bins]
        return aligned([head, *rows]) if rows else []

    @property
    def metadata(self) -> dict[str, Any]:
        """The summary and what it rests on, for JSON."""
        return self.matches.metadata

    def accepted(self, least: float = LEAST) -> Accepted:
        """Return the final table: the given pairs and the matches of at least a probability; or,
        if matched with `fdr`, the list at this error."""
        if self._listed is not None:
            return self._listed
        ids = self.x.items, self.y.items
        return accepted_pairs(self.matches, *ids, self.given, self._methods, least)

    @property
    def _notes(self) -> list[str]:
        """Sentences on the list and on the sets, if they were asked for."""
        notes = [] if self._listed is None else [self._listed.summary]
        if self.coverage is not None:
            one = self.matches
            notes.append(sets_summary(one.sets, one.calibration, self.coverage))
        return notes

    @functools.cached_property
    def _listed(self) -> Accepted | None:
        if self.fdr is None:
            return None
        return listed_pairs(self.matches, self.x.items, self.y.items, self._methods, self.fdr)

    @functools.cached_property
    def _methods(self) -> str:
        metadata, count = self.opened.aligner.metadata, len(self.given)
        return methods_of(self.matches, self.x, self.y, metadata, count)

    def save(
        self, folder: str | pathlib.Path, *, accept: float = LEAST, xlsx: bool = False
    ) -> None:
        """Write matches.csv, accepted.csv, groups.csv, candidates.parquet, matches.html and
        matches.json; with prediction sets, sets.csv.

        Args:
          accept: least probability of a match in accepted.csv, unless matched with `fdr`.
          xlsx: whether to write matches.xlsx too, the same as matches.csv in text cells.

        Raises:
          OSError: the folder cannot be written.
          ValueError: accept is not above 0 and up to 1.
          ModuleNotFoundError: pyarrow is not installed.
        """
        x_name, y_name = self.opened.aligner.metadata.get("modalities", ("x", "y"))
        page = matches_page(
            self.matches,
            Named(self.x, x_name, str(self.x.path or "X")),
            Named(self.y, y_name, str(self.y.path or "Y")),
            aligner=str(self.opened.path),
            pairs=self.pairs,
            given=self.given,
            methods=self._methods,
            least=self.accepted(accept).least,
            notes=self._notes,
            is_run=not self.opened.aligner.can_refit,
        )
        ids = self.x.items, self.y.items
        x_texts, y_texts = (
            [" ".join(" ".join(texts).split()) for texts in of.item_texts]
            for of in (self.x, self.y)
        )
        shown = Shown(files_of(self.x), x_texts, files_of(self.y), y_texts)
        extra: Any = {"page": page, "shown": shown, "xlsx": xlsx, "accepted": self.accepted(accept)}
        extra["built_from"] = self.built_from
        write(self.matches, folder, *ids, y_texts=self._first_texts(), **extra)

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a table with a line for each unmatched item of x."""
        import pandas

        return pandas.DataFrame(self.rows)

    def _first_texts(self) -> list[str]:
        """Return the first line of each item's first text, "" for an item without."""
        return [texts[0].partition("\n")[0] if texts else "" for texts in self.y.item_texts]

    def __repr__(self) -> str:
        matched = int(np.sum(self.matches.y >= 0))
        return f"Matches({matched:,} of {len(self.matches.x):,} items; {self.summary[:1000]})"

    def _repr_html_(self) -> str:
        """Show the most probable matches in a notebook."""
        found = [row for row in self.rows if row["y"]]
        found = sorted(found, key=lambda row: -(row["probability"] or 0))[:_PREVIEWS]
        return pairs_html(repr(self), self.x, self.y, [(row["x"], row["y"]) for row in found])
