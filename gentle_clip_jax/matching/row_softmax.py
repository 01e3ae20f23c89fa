"""Softmax over the rows of each item in a table of scores, fitted to known pairs."""

from typing import NamedTuple

import numpy as np
from scipy import special

from gentle_clip_jax.evaluation.cross_validation import TIE
from gentle_clip_jax.evaluation.held_out_pairs import TEMPERATURES
from gentle_clip_jax.matching.scores import Scores

FOLDS = 10  # of known pairs
_LEAST_LIKELY = 1e-3  # floor of a likelihood: a few surprising pairs do not decide
_QUANTILES = np.linspace(0.02, 0.98, 25)  # of first scores, as scores of no candidate


class Softmax(NamedTuple):
    """p(y | x) = exp(s / T) / (exp(s0 / T) + sum over the rows of x of exp(s' / T)).

    temperature: T; none: s0, the score of no candidate, -inf for none.
    """

    temperature: float
    none: float

    def log_totals(self, table: Scores, items: np.ndarray) -> np.ndarray:
        """Return the logarithms of the denominators."""
        total = table.log_totals(items, self.temperature)
        return np.logaddexp(total, self.none / self.temperature)

    def of_first(self, table: Scores, items: np.ndarray) -> np.ndarray:
        """Return p(y | x) of the best candidate of each item."""
        first = table.score[table.start[items]] / self.temperature
        return np.exp(np.minimum(first - self.log_totals(table, items), 0))


class Known(NamedTuple):
    """Items [k] of x with a known partner.

    row: of the partner in the table, -1 for none. right: whether it is first, in part for a tie.
    fold: from 0 to 9, the same in any order of rows in the tables.
    """

    item: np.ndarray
    row: np.ndarray
    right: np.ndarray
    fold: np.ndarray

    @classmethod
    def of(cls, table: Scores, partner: np.ndarray) -> "Known":
        """Return the items whose partner [n] is known: not -1."""
        item = np.flatnonzero(partner != -1)
        row, right = np.full(len(item), -1), np.zeros(len(item))
        for k, (number, own) in enumerate(zip(item, partner[item])):
            low, high = table.start[number : number + 2]
            found = np.flatnonzero(table.candidate[low:high] == own)
            if len(found):
                row[k] = low + found[0]
                scores = table.score[low:high]
                if scores[0] - scores[found[0]] <= TIE:
                    right[k] = 1 / np.sum(scores[0] - scores <= TIE)
        return cls(item, row, right, row).taking(np.arange(len(item)))

    def taking(self, rows: np.ndarray) -> "Known":
        """Return some of the items, by their numbers, in new folds."""
        fold = np.random.default_rng(0).permutation(len(rows)) % FOLDS
        return Known(self.item[rows], self.row[rows], self.right[rows], fold)

    def with_missed(self, items: np.ndarray) -> "Known":
        """Return these items, and others [m] whose partner counts as missed."""
        number = np.arange(len(items))
        more = items, np.full(len(items), -1), np.zeros(len(items)), number % FOLDS
        return Known(*(np.concatenate(both) for both in zip(self, more)))


def fit(table: Scores, known: Known) -> tuple[Softmax, list[Softmax]]:
    """Return the softmax under which known partners are likeliest, and that without each fold."""
    none = np.append(-np.inf, np.quantile(table.score[table.start[:-1]], _QUANTILES))
    in_fold = np.arange(FOLDS)[:, None] == known.fold
    sums = []
    for temperature in TEMPERATURES:
        total = table.log_totals(known.item, temperature)[:, None]
        own = np.where(known.row[:, None] < 0, none, table.score[known.row][:, None])
        log_p = own / temperature - np.logaddexp(total, none / temperature)
        likelihood = np.maximum(log_p, np.log(_LEAST_LIKELY))
        sums.append(in_fold @ likelihood)
    of_folds = np.stack(sums, axis=1)  # [folds, temperatures, scores of no candidate]
    of_all = of_folds.sum(axis=0)

    def likeliest(sums: np.ndarray) -> Softmax:
        t, s = np.unravel_index(np.argmax(sums), sums.shape)
        return Softmax(float(TEMPERATURES[t]), float(none[s]))

    return likeliest(of_all), [likeliest(of_all - one) for one in of_folds]


class HeldOut(NamedTuple):
    """Probabilities of known items [k], each of a softmax that was fitted without it.

    first: of the best candidate; partner: of the partner, NaN without a row.
    other: of the best candidate where the partner is not in the table, NaN for none.
    """

    first: np.ndarray
    partner: np.ndarray
    other: np.ndarray


def held_out(table: Scores, known: Known, of_folds: list[Softmax]) -> HeldOut:
    """Return the probabilities of known items under the softmax without their fold."""
    held = HeldOut(*np.full((3, len(known.item)), np.nan))
    for fold, softmax in enumerate(of_folds):
        here = known.fold == fold
        if here.any():
            held.first[here] = softmax.of_first(table, known.item[here])
            held.other[here] = _without_partner(table, known, here, softmax)
        here &= known.row >= 0
        if here.any():
            total = softmax.log_totals(table, known.item[here])
            own = table.score[known.row[here]] / softmax.temperature
            held.partner[here] = np.exp(np.minimum(own - total, 0))
    return held


def _without_partner(table: Scores, known: Known, here: np.ndarray, softmax: Softmax) -> np.ndarray:
    """Return p of the best candidate other than the partner, NaN for none."""
    other, none = np.full(np.sum(here), np.nan), softmax.none / softmax.temperature
    for k, (item, own) in enumerate(zip(known.item[here], known.row[here])):
        rows = np.arange(*table.start[item : item + 2])
        logits = table.score[rows[rows != own]] / softmax.temperature
        if len(logits):
            other[k] = np.exp(min(logits[0] - special.logsumexp(np.append(logits, none)), 0))
    return other
