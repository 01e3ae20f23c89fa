"""`calibrate`: probabilities, lists and sets from the scores of another program."""

from typing import Any

import numpy as np

from gentle_clip_jax.matching import calibration
from gentle_clip_jax.matching.accepted import check_fdr, list_summary
from gentle_clip_jax.matching.calibrated_scores import CalibratedScores
from gentle_clip_jax.matching.listed import Outcomes, listed
from gentle_clip_jax.matching.matches import Expected
from gentle_clip_jax.matching.probabilities import is_share
from gentle_clip_jax.matching.row_softmax import HeldOut, Known, fit, held_out
from gentle_clip_jax.matching.score_sets import ScoreSets, check_coverage, sets_of
from gentle_clip_jax.matching.scores import Scores, read_known, read_scores
from gentle_clip_jax.matching.sets import sets_sentence

_OFFSET = 3.0  # prior deviation of the offset: scores may be far too sure
UNSEEN = "This holds only for pairs that the program which gave the scores was not trained on."


def calibrate(
    scores: Any,
    pairs: Any,
    *,
    share: float = 1.0,
    fdr: float | None = None,
    coverage: float | None = None,
) -> CalibratedScores:
    """Turn the scores of any program into probabilities, by known pairs that it has not seen.

    Items of x with a known partner are the outcomes; the best candidate of each other item is a
    match. A known partner that is not among the rows of its x counts as missed. Each outcome gets
    its probability from a fit to the other folds.

    Args:
      scores: a file with the columns x, y and score, a dict of them, or a data frame; a higher
        score is better, and the best rows of each x suffice.
      pairs: likewise with the columns x and y: 60 or more, which the program was not trained on.
      share: of the items of x to match, how many have a partner: above 0 to 1.
      fdr: accept the longest list of which at most this share, above 0 and below 1, is wrong.
      coverage: give each item the set of candidates that holds its partner with this probability,
        above 0 and below 1; below a share of 1, "no partner" if it has none, as often.

    Raises:
      ValueError: a table is not as above, nothing is left to match, or a number is out of bounds.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks; the mass of no candidate is
    ours.
    """
    if not is_share(share):
        raise ValueError(f"share is {share!r}: give what part of x has a partner, above 0 to 1.")
    check_fdr(fdr, share)
    table = read_scores(scores)
    partner, dropped = read_known(pairs, table)
    unmatched, known = np.flatnonzero(partner == -1), Known.of(table, partner)
    check_coverage(coverage, len(known.item))
    if not len(unmatched):
        raise ValueError("All items of x are in pairs: there is nothing left to match.")
    softmax, of_folds = fit(table, known)
    held, plain = held_out(table, known, of_folds), softmax.of_first(table, unmatched)
    platt = calibration.platt(held.first, known.right, offset=_OFFSET)
    probability = share * platt(plain)
    rows = _rows(table, unmatched, probability)
    stated = _stated(held.first, known)
    expected = _expected(probability, share * (known.right - stated))
    parts = [_expected_summary(expected, len(rows), share), *_left_out(known, dropped)]
    accepted = sets = None
    if fdr is not None:
        found = listed(Outcomes(plain, held.first, known.right, held.other), share, fdr)
        accepted = [rows[i] for i in found.rows]
        parts.append(list_summary(found, fdr, len(known.item), "better scores or a larger error"))
    if coverage is not None:
        found = sets_of(table, unmatched, softmax, platt, held, share, coverage)
        sets = found.rows if found else []
        parts.append(_sets_summary(found, coverage, held))
    bins, summary = calibration.reliability(stated, known.right), [*parts, UNSEEN]
    return CalibratedScores(
        rows, expected, bins, accepted, sets, " ".join(summary), softmax=softmax, share=share
    )


def _rows(table: Scores, items: np.ndarray, probability: np.ndarray) -> list[dict[str, Any]]:
    """Return the best candidate of each item."""
    first = table.start[items]
    columns = table.x[items], table.y[table.candidate[first]], probability, table.raw[first]
    names = ("x", "y", "probability", "score")
    return [dict(zip(names, one)) for one in zip(*(column.tolist() for column in columns))]


def _stated(first: np.ndarray, known: Known) -> np.ndarray:
    """Return the probabilities of known items, scaled without their fold."""
    stated = np.empty(len(first))
    for fold in np.unique(known.fold):
        here = known.fold == fold
        scaling = calibration.platt(first[~here], known.right[~here], offset=_OFFSET)
        stated[here] = scaling(first[here])
    return stated


def _expected(probability: np.ndarray, gaps: np.ndarray) -> Expected:
    """Return the expected number of right matches with its 95 % interval.

    Known items are a random sample, so the mean of their gaps tells how far the probabilities are
    off, whatever is wrong with them. One gap of 1 is added, for few that are all right.

    Args:
      gaps: [k] outcomes of known items less their probabilities, which were fitted without them.

    Source: Zrnic and Candès 2024, Cross-prediction-powered inference; the added gap is ours.
    """
    value, n = float(np.sum(probability)), len(probability)
    of_fit = n * np.sqrt(np.sum(gaps**2) + 1) / len(gaps)
    of_chance = np.sqrt(np.sum(probability * (1 - probability)))
    most = 1.96 * float(np.hypot(of_fit, of_chance))
    return Expected(value, max(value - most, 0.0), min(value + most, float(n)))


def _expected_summary(expected: Expected, n: int, share: float) -> str:
    return (
        f"Of {n:,} items of x we expect {expected.low:,.0f} to {expected.high:,.0f} right matches, "
        f"if {100 * share:g} % of them have a partner."
    )


def _left_out(known: Known, dropped: int) -> list[str]:
    """Return a sentence each on partners without a row, and on pairs of an x without one."""
    missed, parts = int(np.sum(known.row < 0)), []
    if missed:
        parts.append(
            f"Of {len(known.item):,} known pairs, {missed:,} have no row in the table and count as "
            "missed."
        )
    if dropped:
        parts.append(
            f"Not used because the table has no row of their x: {dropped:,} of "
            f"{len(known.item) + dropped:,} pairs."
        )
    return parts


def _sets_summary(sets: ScoreSets | None, coverage: float, held: HeldOut) -> str:
    if sets is None:
        return (
            f"No sets hold the partner with a probability of {100 * coverage:g} %: "
            f"{np.sum(np.isnan(held.partner)):,} of {len(held.partner):,} known partners have no "
            "row in the table. Give more rows of each x or a lower coverage."
        )
    return sets_sentence(coverage, sets.size, sets.none)
