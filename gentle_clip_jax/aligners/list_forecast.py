"""Forecast of lists at a chosen error: what `match` could promise by the pairs that there are."""

from typing import NamedTuple

import numpy as np

from gentle_clip_jax.aligners.fair_pairs import (
    FAR,
    Fair,
    evenly,
    fair_evidence,
    lacking_pairs,
)
from gentle_clip_jax.aligners.refits import LEAST_PAIRS
from gentle_clip_jax.evaluation.held_out_pairs import HeldOutPairs
from gentle_clip_jax.evaluation.listed import Outcomes, listed

_ERRORS = (0.1, 0.2, 0.5)


class ListForecast(NamedTuple):
    """The list of the lowest error, of 10, 20 and 50 %, that pairs allow if every x has a partner.

    error, length: of it; None where there is none.
    lacking: number of random pairs that a list needs at least, beside those that there are.
    """

    error: float | None
    length: int
    lacking: int


def list_forecast(
    evidence: HeldOutPairs | None, fair: Fair, among: tuple[int, int]
) -> ListForecast | None:
    """Forecast the list of first choices from held-out pairs, which stand for the items to match.

    None if nothing is unmatched, or if pairs suffice but no refit can hold them out.

    Args:
      evidence: of the fit; None where there are too few pairs for it.
      fair: which of the pairs are a random sample of the items to match.
      among: numbers of unmatched items of x and of y.
    """
    known = fair.rows if evidence is None else fair.rows[evidence.pairs]
    lacking = lacking_pairs(int(known.sum()), fair.missed)
    if not min(among) or (evidence is None and not lacking):
        return None
    if evidence is None or lacking:
        return ListForecast(None, 0, lacking)
    evidence = fair_evidence(evidence, fair)
    if not fair.is_drawn and evidence.pair_bias > FAR:
        return ListForecast(None, 0, LEAST_PAIRS)
    place = int(np.argmax(evidence.to_y.log_probability.mean(axis=0)))
    held_out, right = evidence.to_y.first_choices(place)
    absent = evidence.to_y.first_without_partner(place)
    missed = fair.missed_partners(1.0, *among)  # their scores are taken to be like the others'
    scores = np.sort(held_out)[evenly(len(held_out), missed)]
    outcomes = Outcomes(
        held_out,
        np.append(held_out, scores),
        np.append(right, np.zeros(missed)),
        np.append(absent, scores),
    )
    for error in _ERRORS:
        found = listed(outcomes, 1.0, error)
        if length := round(len(found.rows) / len(held_out) * among[0]):
            return ListForecast(error, length, 0)
    return ListForecast(None, 0, 0)
