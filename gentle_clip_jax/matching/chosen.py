"""Choices of partners: the nearest, or one to one, with calibrated probabilities."""

from typing import NamedTuple

import numpy as np

from gentle_clip_jax.evaluation.held_out_pairs import Folds, HeldOutPairs, Rows
from gentle_clip_jax.evaluation.listed import Outcomes
from gentle_clip_jax.evaluation.nearest import Nearest
from gentle_clip_jax.matching.assignment import assign, assign_held_out, edges
from gentle_clip_jax.matching.calibrated import Calibration, assigned_choices
from gentle_clip_jax.matching.calibration import Bin, place_of, reliability
from gentle_clip_jax.matching.fair import like_missed
from gentle_clip_jax.matching.matches import Expected
from gentle_clip_jax.matching.probabilities import expected_right


class Chosen(NamedTuple):
    """Choices: y [n] row of the unmatched, -1 for none; probability [n]; expected right ones; the
    reliability of such choices of held-out pairs; and the scores of both."""

    y: np.ndarray
    probability: np.ndarray
    expected: Expected | None
    reliability: list[Bin] | None
    outcomes: Outcomes | None


def choose(
    near: tuple[Nearest, Nearest],
    rows: Rows,
    evidence: HeldOutPairs | None,
    calibration: Calibration,
    share: float | None,
    folds: Folds | None,
    *,
    with_outcomes: bool,
) -> Chosen:
    """Choose first choices, or one to one, and calibrate them if there are held-out pairs.

    Args:
      near: the nearest y of each x, and the nearest x of each y.
      rows: of the unmatched items.
      folds: refits without the held-out pairs, to match one to one; None for first choices.
    """
    near_y, y = near[0], near[0].index[:, 0]
    temperatures = calibration.to_y, calibration.to_x
    if folds is not None:
        y = assign(edges(rows, *near, temperatures), *(len(of.index) for of in near))
    if share is None or evidence is None:
        return Chosen(y, np.full(len(y), np.nan), None, None, None)
    cosine = np.sum(rows.x * rows.ranked_y[y], axis=1)
    plain = np.where(y < 0, np.nan, near_y.probability(cosine, calibration.to_y))
    if folds is None:
        place = place_of(calibration.to_y)
        held_out, right = evidence.to_y.first_choices(place)
        absent = evidence.to_y.first_without_partner(place)
        share_of_matched = share
    else:
        held_out, right, absent = assign_held_out(
            folds, evidence.pairs, temperatures, absent=with_outcomes
        )
        share_of_matched = _share_of_matched(share, held_out, y)
    missed = plain[like_missed(held_out, plain, calibration.missed, share)]
    held_out, right = np.append(held_out, missed), np.append(right, np.zeros(len(missed)))
    outcomes = None
    if with_outcomes:
        outcomes = Outcomes(plain, held_out, right, np.append(absent, missed))
    held_out, right = (of[~np.isnan(held_out)] for of in (held_out, right))
    choices = calibration.first_y if folds is None else assigned_choices(held_out, right, evidence)
    probability = share_of_matched * choices.platt(plain)
    expected = expected_right(np.nan_to_num(probability), choices.factors)
    bins = reliability(choices.platt(held_out), right)
    return Chosen(y, probability, expected, bins, outcomes)


def _share_of_matched(share: float, held_out: np.ndarray, y: np.ndarray) -> float:
    """Return which part of the matched items of x has a partner, by Bayes' rule.

    It is at least that of all items: one to one, those with a partner are matched more often.

    Args:
      share: of all items of x that have a partner.
      held_out: [k] of items with a partner, NaN without a match; y: [n] of all, -1 without one.
    """
    matched = np.mean(y >= 0)
    return float(np.clip(share * np.mean(~np.isnan(held_out)) / matched, share, 1.0))
