"""Result of `calibrate`: matches by the scores of another program, and what is written of them."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from gentle_clip_jax.matching.accepted import HEADING
from gentle_clip_jax.matching.calibration import Bin
from gentle_clip_jax.matching.fair_scores import Sample
from gentle_clip_jax.matching.matches import Expected
from gentle_clip_jax.matching.page import scores_page
from gentle_clip_jax.matching.row_softmax import Softmax
from gentle_clip_jax.storage import owned
from gentle_clip_jax.storage.digests import sha256
from gentle_clip_jax.storage.tables import write_csv
from gentle_clip_jax.storage.text import aligned
from gentle_clip_jax.storage.writing import write_text

_RECORD, _PAGE, KIND = "calibrated.json", "calibrated.html", "calibrated"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class CalibratedScores:
    """The best candidate of each item of x without a known partner, and how probable it is.

    rows: dicts of x, y, probability and score. expected: number of right ones with an interval.
    accepted: the list at the chosen error, None without. sets: members of prediction sets as dicts
    of x, y ("" for no partner) and probability, None without. summary: in a few sentences.
    """

    rows: list[dict[str, Any]]
    expected: Expected
    reliability: list[Bin]
    accepted: list[dict[str, Any]] | None
    sets: list[dict[str, Any]] | None
    summary: str
    softmax: Softmax
    share: float
    sample: Sample

    @property
    def lines(self) -> list[str]:
        """The reliability of the probabilities on known pairs, as a table for a terminal."""
        head = ("stated probability of known pairs, %", "right, %", "from (95 %)", "to")
        return aligned(
            [head, *([f"{100 * value:.0f}" for value in one[:4]] for one in self.reliability)]
        )

    @property
    def metadata(self) -> dict[str, Any]:
        """The summary and what it rests on, for JSON."""
        none = self.softmax.none if np.isfinite(self.softmax.none) else None
        of = self.sample.calibration
        return {
            "summary": self.summary,
            "share": self.share,
            "expected": self.expected._asdict(),
            "temperature": self.softmax.temperature,
            "none": none,
            "pairs": of.pairs,
            "others": of.others,
            "missed": of.missed,
            "lacking": of.lacking,
            "reliability": [one._asdict() for one in self.reliability],
        }

    def save(self, folder: str | pathlib.Path) -> None:
        """Write matches.csv, calibrated.html and, last, calibrated.json; with `fdr` accepted.csv,
        with `coverage` sets.csv.

        Raises:
          OSError: the folder cannot be written.
          ValueError: it holds something else.
        """
        folder = pathlib.Path(folder)
        stale = (_RECORD, _PAGE, "accepted.csv", "sets.csv")
        probability = np.array([row["probability"] for row in self.rows])
        accepted = None if self.accepted is None else len(self.accepted)
        page = scores_page(self.summary, probability, self.reliability, accepted)
        tables = {"matches.csv": _table(self.rows, ("x", "y", "probability", "score"))}
        if self.accepted is not None:
            rows = [{**row, "decision": "probable"} for row in self.accepted]
            tables["accepted.csv"] = _table(rows, HEADING)
        if self.sets is not None:
            tables["sets.csv"] = _table(self.sets, ("x", "y", "probability"))
        with owned.writing(folder, _RECORD, KIND, remove=stale) as finish:
            for name, table in tables.items():
                write_csv(folder / name, table)
            write_text(folder / _PAGE, page)
            finish({**self.metadata, "sha256": {name: sha256(folder / name) for name in tables}})

    def __repr__(self) -> str:
        return f"CalibratedScores({len(self.rows):,} items; {self.summary})"


def _table(rows: list[dict[str, Any]], names: Sequence[str]) -> list[Sequence[str]]:
    return [names, *([_cell(row[name]) for name in names] for row in rows)]


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
