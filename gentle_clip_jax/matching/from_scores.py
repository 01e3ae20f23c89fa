"""`calibrate`: probabilities, lists and sets from the scores of another program."""

from typing import Any

import numpy as np

from gentle_clip_jax.evaluation.listed import Outcomes, listed
from gentle_clip_jax.matching import calibration
from gentle_clip_jax.matching.accepted import check_fdr, list_summary
from gentle_clip_jax.matching.calibrated_scores import CalibratedScores
from gentle_clip_jax.matching.fair_scores import Fitted, Sample, fair_sample, fitted
from gentle_clip_jax.matching.item_sets import check_coverage, why_none
from gentle_clip_jax.matching.matches import Expected
from gentle_clip_jax.matching.probabilities import is_share
from gentle_clip_jax.matching.row_softmax import Known
from gentle_clip_jax.matching.score_sets import sets_of
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

    Items of x with a known partner are the outcomes; the best candidate of any other is a match. A
    partner that is no row of its x counts as missed. Outcomes get probabilities without their fold.

    Args:
      scores: a file with the columns x, y and score, a dict of them, or a data frame; a higher
        score is better, and the best rows of each x suffice.
      pairs: likewise with the columns x and y: 60 or more, which the program was not trained on. If
        they have origins, only a fair sample of them counts, see `features.origins`.
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
    check_coverage(coverage)
    table = read_scores(scores)
    partner, dropped, origins = read_known(pairs, table)
    if not len(unmatched := np.flatnonzero(partner == -1)):
        raise ValueError("All items of x are in pairs: there is nothing left to match.")
    sample = fair_sample(table, partner, origins, share)
    fit = fitted(table, sample, unmatched, share)
    first, right = fit.held_out.first, fit.known.right
    platt = calibration.platt(first, right, offset=_OFFSET)
    probability = share * platt(fit.first)
    rows = _rows(table, unmatched, probability)
    stated = _stated(first, fit.known)
    expected = _expected(probability, share * (right - stated))
    parts = [_expected_summary(expected, len(rows), share) + sample.caveats]
    parts += _left_out(sample.known, dropped)
    accepted = sets = None
    if fdr is not None:
        chosen, sentence = _list(sample, fit, share, fdr)
        accepted = [rows[i] for i in chosen]
        parts.append(sentence)
    if coverage is not None:
        sets, sentence = _sets(table, unmatched, sample, fit, platt, share, coverage)
        parts.append(sentence)
    bins, summary = calibration.reliability(stated, right), " ".join([*parts, UNSEEN])
    return CalibratedScores(
        rows, expected, bins, accepted, sets, summary, fit.softmax, share, sample
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
            "Not used because the table has no row of their x: "
            f"{dropped:,} {'pair' if dropped == 1 else 'pairs'}."
        )
    return parts


def _list(sample: Sample, fit: Fitted, share: float, fdr: float) -> tuple[np.ndarray, str]:
    """Return the places of the matches in the list at a chosen error, and a sentence on it."""
    if why := sample.calibration.why_unfair:
        return np.zeros(0, int), f"No list at a chosen error: {why}."
    held = fit.held_out
    found = listed(Outcomes(fit.first, held.first, fit.known.right, held.other), share, fdr)
    more = "better scores or a larger error"
    return found.rows, list_summary(found, fdr, len(held.first), more)


def _sets(
    table: Scores,
    items: np.ndarray,
    sample: Sample,
    fit: Fitted,
    platt: calibration.Platt,
    share: float,
    coverage: float,
) -> tuple[list[dict[str, Any]], str]:
    """Return the members of the prediction sets of items, and a sentence on them."""
    if why := why_none(sample.calibration, coverage):
        return [], f"No prediction sets: {why}."
    sets = sets_of(table, items, fit.softmax, platt, fit.held_out, share, coverage)
    if sets:
        return sets.rows, sets_sentence(coverage, sets.size, sets.none)
    missing = np.sum(np.isnan(fit.held_out.partner))
    or_missed = " or were not found" if sample.calibration.missed else ""
    return [], (
        f"No sets hold the partner with a probability of {100 * coverage:g} %: {missing:,} of "
        f"{len(fit.known.item):,} known partners have no row in the table{or_missed}. Give more "
        "rows of each x or a lower coverage."
    )
