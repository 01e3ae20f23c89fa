"""The fair sample of known pairs beside the scores of another program, as `match` has it."""

from typing import NamedTuple

import numpy as np
from scipy import optimize

from gentle_clip_jax.aligners.fair_pairs import Fair, evenly, fair_pairs, lacking_pairs
from gentle_clip_jax.features.origins import Origins
from gentle_clip_jax.matching.calibrated import Calibration
from gentle_clip_jax.matching.fair import like_missed
from gentle_clip_jax.matching.row_softmax import HeldOut, Known, Softmax, fit, held_out
from gentle_clip_jax.matching.scores import Scores


class Sample(NamedTuple):
    """Known items that count as a random sample of the items to match, or all known items.

    known: the items.
    calibration: how many pairs count; only its counts and their sentences are of use here.
    """

    known: Known
    calibration: Calibration

    @property
    def caveats(self) -> str:
        """Return sentences on pairs that do not count or should not, "" if all do."""
        is_whole = not (self.calibration.others or self.calibration.lacking)
        return "" if is_whole else self.calibration.caveats


def fair_sample(table: Scores, partner: np.ndarray, origins: Origins, share: float) -> Sample:
    """Return the fair sample of known items, or all of them where it does not suffice.

    Args:
      partner: [n] see `KnownPairs`.
      share: of the items of x to match that have a partner.
    """
    known = Known.of(table, partner)
    ids = table.x[known.item]
    fair = fair_pairs(origins, ids, dict(zip(ids.tolist(), ids.tolist())))
    number, others, missed = int(fair.rows.sum()), int(np.sum(~fair.rows)), 0
    lacking = lacking_pairs(number, fair.missed) if others else 0
    if not lacking:
        unmatched = int(np.sum(partner == -1))
        known = known.taking(_left(table, known, fair, unmatched))
        free = len(table.y) - len(np.unique(partner[partner >= 0]))
        missed = fair.missed_partners(share, unmatched, free)
    counts = Calibration.of_few(len(known.item))
    counts = counts._replace(fair=number, others=others, missed=missed, lacking=lacking)
    return Sample(known, counts)


def _left(table: Scores, known: Known, fair: Fair, unmatched: int) -> np.ndarray:
    """Return the fair items [f] without as many as a review would have paired by now.

    Those that leave have partners of ranks like those of the pairs that a review chose.
    """
    first, past = (table.start[known.item + end] for end in range(2))
    rank = np.log(1 + np.where(known.row < 0, past, known.row) - first)
    rows = np.flatnonzero(fair.rows)
    count = min(fair.taken(unmatched), len(rows) - 1)
    if count <= 0 or not fair.reviewed.any():
        return rows
    chosen = np.sort(rank[fair.reviewed])
    like = chosen[evenly(len(chosen), count)]
    leaving, _ = optimize.linear_sum_assignment(np.abs(rank[rows][:, None] - like))
    return np.delete(rows, leaving)


class Fitted(NamedTuple):
    """A softmax of a sample, and probabilities under it.

    known: items of the sample, and others that stand for the missed ones.
    held_out: probabilities of these. first: p(y | x) [n] of the best candidate of each other item.
    """

    softmax: Softmax
    known: Known
    held_out: HeldOut
    first: np.ndarray


def fitted(table: Scores, sample: Sample, items: np.ndarray, share: float) -> Fitted:
    """Fit the softmax to a sample.

    Args:
      items: [n] to match. share: of these, how many have a partner.
    """
    known = sample.known
    softmax, of_folds = fit(table, known)
    held, first = held_out(table, known, of_folds), softmax.of_first(table, items)
    if missed := sample.calibration.missed:
        known = known.with_missed(items[like_missed(held.first, first, missed, share)])
        held = held_out(table, known, of_folds)
    return Fitted(softmax, known, held, first)
