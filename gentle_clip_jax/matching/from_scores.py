"""`calibrate`: probabilities and lists at a chosen error from the scores of another program."""

import dataclasses
import pathlib
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from gentle_clip_jax.evaluation.cross_validation import TIE
from gentle_clip_jax.evaluation.held_out_pairs import TEMPERATURES
from gentle_clip_jax.matching.accepted import HEADING, check_fdr, list_summary
from gentle_clip_jax.matching.calibrated import assigned_choices
from gentle_clip_jax.matching.calibration import Bin, reliability
from gentle_clip_jax.matching.listed import Listed, Outcomes, listed
from gentle_clip_jax.matching.matches import Expected
from gentle_clip_jax.matching.page import scores_page
from gentle_clip_jax.matching.probabilities import expected_right, is_share
from gentle_clip_jax.matching.scores import Scores, read_known, read_scores
from gentle_clip_jax.storage import owned
from gentle_clip_jax.storage.digests import sha256
from gentle_clip_jax.storage.tables import write_csv
from gentle_clip_jax.storage.text import aligned
from gentle_clip_jax.storage.writing import write_text

_RECORD, _PAGE, KIND = "calibrated.json", "calibrated.html", "calibrated"
_LEAST_LIKELY = 1e-3  # floor of a likelihood: a few surprising pairs do not decide
_QUANTILES = np.linspace(0.02, 0.98, 25)  # of first scores, as scores of no candidate
UNSEEN = "This holds only for pairs that the program which gave the scores was not trained on."


class Softmax(NamedTuple):
    """p(y | x) = exp(s / T) / (exp(s0 / T) + sum over the rows of x of exp(s' / T)).

    temperature: T; none: s0, the score of no candidate, -inf for none.
    """

    temperature: float
    none: float


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class CalibratedScores:
    """The best candidate of each item of x without a known partner, and how probable it is.

    rows: dicts of x, y, probability and score. expected: number of right ones with an interval.
    accepted: the list at the chosen error, None without. summary: in a few sentences.
    """

    rows: list[dict[str, Any]]
    expected: Expected
    reliability: list[Bin]
    accepted: list[dict[str, Any]] | None
    summary: str
    softmax: Softmax
    share: float

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
        return {
            "summary": self.summary,
            "share": self.share,
            "expected": self.expected._asdict(),
            "temperature": self.softmax.temperature,
            "none": none,
            "reliability": [one._asdict() for one in self.reliability],
        }

    def save(self, folder: str | pathlib.Path) -> None:
        """Write matches.csv, accepted.csv with `fdr`, calibrated.html and, last, calibrated.json.

        Raises:
          OSError: the folder cannot be written.
          ValueError: it holds something else.
        """
        folder = pathlib.Path(folder)
        stale = (_RECORD, _PAGE, "accepted.csv")
        probability = np.array([row["probability"] for row in self.rows])
        accepted = None if self.accepted is None else len(self.accepted)
        page = scores_page(self.summary, probability, self.reliability, accepted)
        with owned.writing(folder, _RECORD, KIND, remove=stale) as finish:
            names = ("x", "y", "probability", "score")
            table = [[_cell(row[name]) for name in names] for row in self.rows]
            write_csv(folder / "matches.csv", [names, *table])
            written = ["matches.csv"]
            if self.accepted is not None:
                rows = [
                    (row["x"], row["y"], _cell(row["probability"]), "probable")
                    for row in self.accepted
                ]
                write_csv(folder / "accepted.csv", [HEADING, *rows])
                written.append("accepted.csv")
            write_text(folder / _PAGE, page)
            finish({**self.metadata, "sha256": {name: sha256(folder / name) for name in written}})

    def __repr__(self) -> str:
        return f"CalibratedScores({len(self.rows):,} items; {self.summary})"


def calibrate(
    scores: Any, pairs: Any, *, share: float = 1.0, fdr: float | None = None
) -> CalibratedScores:
    """Turn the scores of any program into probabilities, by known pairs that it has not seen.

    Items of x with a known partner are the outcomes; the best candidate of each other item is a
    match. A known partner that is not among the rows of its x counts as missed.

    Args:
      scores: a file with the columns x, y and score, a dict of them, or a data frame; a higher
        score is better, and the best rows of each x suffice.
      pairs: likewise with the columns x and y: 60 or more, which the program was not trained on.
      share: of the items of x to match, how many have a partner: above 0 to 1.
      fdr: accept the longest list of which at most this share, above 0 and below 1, is wrong.

    Raises:
      ValueError: a table is not as above, nothing is left to match, or share or fdr is out of
        bounds.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks; the mass of no candidate is
    ours.
    """
    if not is_share(share):
        raise ValueError(f"share is {share!r}: give what part of x has a partner, above 0 to 1.")
    check_fdr(fdr, share)
    table = read_scores(scores)
    known = read_known(pairs, table)
    unmatched, outcome = np.flatnonzero(known == -1), np.flatnonzero(known != -1)
    if not len(unmatched):
        raise ValueError("All items of x are in pairs: there is nothing left to match.")
    softmax = _fitted(table, outcome, known[outcome])
    plain = _first(table, unmatched, softmax)
    held_out = _first(table, outcome, softmax)
    place, right = _places(table, outcome, known[outcome])
    outcomes = Outcomes(plain, held_out, right, _absent(table, outcome, place, softmax))
    choices = assigned_choices(held_out, right)
    probability = share * choices.platt(plain)
    rows = [
        {
            "x": str(table.x[i]),
            "y": str(table.y[table.candidate[table.start[i]]]),
            "probability": float(p),
            "score": float(table.raw[table.start[i]]),
        }
        for i, p in zip(unmatched, probability)
    ]
    expected = expected_right(probability, choices.factors)
    found = None if fdr is None else listed(outcomes, share, fdr)
    return CalibratedScores(
        rows,
        expected,
        reliability(choices.platt(held_out), right),
        None if found is None else [rows[i] for i in found.rows],
        _summary(expected, len(rows), place, share, found, fdr),
        softmax,
        share,
    )


def _summary(
    expected: Expected,
    n: int,
    place: np.ndarray,
    share: float,
    found: Listed | None,
    fdr: float | None,
) -> str:
    missed = int(np.sum(place < 0))
    parts = [
        f"Of {n:,} items of x we expect {expected.low:,.0f} to {expected.high:,.0f} right matches, "
        f"if {100 * share:g} % of them have a partner.",
    ]
    if missed:
        parts.append(
            f"Of {len(place):,} known pairs, {missed:,} have no row in the table and count as "
            "missed."
        )
    if found is not None and fdr is not None:
        parts.append(list_summary(found, fdr, len(place), more="better scores or a larger error"))
    return " ".join([*parts, UNSEEN])


def _fitted(table: Scores, items: np.ndarray, partner: np.ndarray) -> Softmax:
    """Return the temperature and the score of no candidate under which outcomes are likeliest."""
    place, _ = _places(table, items, partner)
    none = np.append(-np.inf, np.quantile(table.score[table.start[items]], _QUANTILES))
    best, fitted = -np.inf, Softmax(1.0, -np.inf)
    for temperature in TEMPERATURES:
        total = table.log_totals(items, temperature)[:, None]
        own = np.where(place[:, None] < 0, none, table.score[place][:, None]) / temperature
        log_p = own - np.logaddexp(total, none / temperature)
        likelihood = np.maximum(log_p, np.log(_LEAST_LIKELY)).mean(axis=0)
        if likelihood.max() > best:
            best = float(likelihood.max())
            fitted = Softmax(float(temperature), float(none[np.argmax(likelihood)]))
    return fitted


def _places(table: Scores, items: np.ndarray, partner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the row of each partner, -1 for none, and whether it is first, in part for a tie."""
    place, right = np.full(len(items), -1), np.zeros(len(items))
    for k, (item, own) in enumerate(zip(items, partner)):
        low, high = table.start[item : item + 2]
        found = np.flatnonzero(table.candidate[low:high] == own)
        if len(found):
            place[k] = low + found[0]
            scores = table.score[low:high]
            if scores[0] - scores[found[0]] <= TIE:
                right[k] = 1 / np.sum(scores[0] - scores <= TIE)
    return place, right


def _first(table: Scores, items: np.ndarray, softmax: Softmax) -> np.ndarray:
    """Return p(y | x) of the best candidates."""
    total = table.log_totals(items, softmax.temperature)
    total = np.logaddexp(total, softmax.none / softmax.temperature)
    return np.exp(np.minimum(table.score[table.start[items]] / softmax.temperature - total, 0))


def _absent(table: Scores, items: np.ndarray, place: np.ndarray, softmax: Softmax) -> np.ndarray:
    """Return p(y | x) of the best candidates without the partner, NaN for an x without others."""
    absent = np.full(len(items), np.nan)
    for k, (item, own) in enumerate(zip(items, place)):
        low, high = table.start[item : item + 2]
        rows = np.arange(low, high)
        logits = table.score[rows[rows != own]] / softmax.temperature
        if len(logits):
            none = softmax.none / softmax.temperature
            total = special.logsumexp(np.append(logits, none))
            absent[k] = np.exp(min(logits[0] - total, 0))
    return absent


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
