"""Choices of partners: the nearest, or one to one, with calibrated probabilities."""

from typing import NamedTuple

import numpy as np

from gentle_clip_jax.evaluation.held_out_pairs import HeldOutPairs, Rows
from gentle_clip_jax.evaluation.nearest import Nearest
from gentle_clip_jax.matching.assignment import assign, assigned_held_out, edges
from gentle_clip_jax.matching.calibrated import Calibration, assigned_choices
from gentle_clip_jax.matching.calibration import (
    Bin,
    candidates,
    grid,
    place_of,
    reliability,
)
from gentle_clip_jax.matching.fair import like_missed
from gentle_clip_jax.matching.listed import Outcomes
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
    near_y: Nearest,
    near_x: Nearest,
    rows: Rows,
    evidence: HeldOutPairs | None,
    calibration: Calibration,
    share: float | None,
    one_to_one: bool,
    *,
    with_outcomes: bool,
) -> Chosen:
    """Choose first choices, or one to one, and calibrate them if there are held-out pairs."""
    y, possible = near_y.index[:, 0], None
    if one_to_one:
        possible = edges(rows, near_y, near_x, (calibration.to_y, calibration.to_x))
        y = assign(possible, len(near_y.index), len(near_x.index))
    if share is None or evidence is None:
        return Chosen(y, np.full(len(y), np.nan), None, None, None)
    cosine = np.sum(rows.x * rows.ranked_y[y], axis=1)
    plain = near_y.probability(cosine, calibration.to_y)
    plain = np.where(y < 0, np.nan, plain)
    choices, temperatures = calibration.first_y, (calibration.to_y, calibration.to_x)
    best_y, best_x = map(place_of, temperatures)
    if possible is None:
        firsts = candidates(evidence.to_y, grid(evidence.to_y), best_y)
        held_out, right = firsts.probability[:, 0], firsts.right[:, 0]
    else:
        held_out, right = assigned_held_out(evidence, possible, near_y, near_x, (best_y, best_x))
    missed = plain[like_missed(held_out, plain, calibration.missed, share)]
    held_out, right = np.append(held_out, missed), np.append(right, np.zeros(len(missed)))
    outcomes = None
    if with_outcomes:
        if possible is None:
            absent = evidence.to_y.first_without_partner(best_y)
        else:
            absent, _ = assigned_held_out(
                evidence, possible, near_y, near_x, (best_y, best_x), partners_present=False
            )
        outcomes = Outcomes(plain, held_out, right, np.append(absent, missed))
    held_out, right = (of[~np.isnan(held_out)] for of in (held_out, right))
    if possible is not None:
        choices = assigned_choices(held_out, right)
    probability = share * choices.platt(plain)
    expected = expected_right(np.nan_to_num(probability), choices.factors)
    bins = reliability(choices.platt(held_out), right)
    return Chosen(y, probability, expected, bins, outcomes)
