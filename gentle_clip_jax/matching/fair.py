"""Calibration to the fair sample: items whose partner was not found count too."""

import numpy as np

from gentle_clip_jax.aligners.fair_pairs import Fair, evenly, lacking_pairs, without
from gentle_clip_jax.evaluation.held_out_pairs import Direction, HeldOutPairs
from gentle_clip_jax.evaluation.nearest import Nearest
from gentle_clip_jax.matching import calibration
from gentle_clip_jax.matching.calibrated import OF_ASSIGNED, Calibration, Choices, choices_of
from gentle_clip_jax.matching.calibration import Events


def like_missed(found: np.ndarray, every: np.ndarray, missed: int, share: float) -> np.ndarray:
    """Return numbers of items [missed] to stand for those whose partner was not found.

    A part `share` of all items are those with a partner, found ones and missed ones. So the scores
    of the missed are those of all items without those of the found.

    Args:
      found: [k] scores of the matches of held-out items, NaN where there is no match.
      every: [n] scores of all matches, likewise.
    """
    if not missed:
        return np.zeros(0, int)
    found, every = (np.nan_to_num(scores, nan=-1.0) for scores in (found, every))
    count = round((len(found) + missed) / share)
    some = np.argsort(every, kind="stable")[evenly(len(every), count)]
    rest = without(some, every[some], found)
    return rest[evenly(len(rest), missed)]


def fairly_scaled(
    fitted: Calibration,
    evidence: HeldOutPairs,
    fair: Fair,
    near: tuple[Nearest, Nearest],
    share: float | None,
) -> Calibration:
    """Return a calibration that also counts items of the sample without a partner found.

    Args:
      fitted: to `evidence`, which is the result of `fair_evidence`.
      near: the nearest y of each x, and the nearest x of each y.
      share: of the items of x to match that have a partner, None if it is not known.
    """
    pairs, others = int(fair.rows[evidence.pairs].sum()), int(np.sum(~fair.rows))
    lacking = 0 if pairs == fitted.pairs else lacking_pairs(pairs, fair.missed)
    fitted = fitted._replace(fair=pairs, others=others, lacking=lacking)
    if not lacking and fair.is_drawn:
        fitted = fitted._replace(pair_bias=0.0)
    share = 1.0 if share is None else share
    missed = 0 if lacking else fair.missed_partners(share, *(len(of.index) for of in near))
    if not missed or fitted.first is None or fitted.among is None:
        return fitted
    part = fitted.pairs / (fitted.pairs + missed)
    return fitted._replace(
        missed=missed,
        first_y=_choices(evidence, evidence.to_y, near[0], fitted.to_y, missed, share),
        first_x=_choices(evidence, evidence.to_x, near[1], fitted.to_x, missed, share),
        first=fitted.first * part,
        among=fitted.among * part,
    )


def _choices(
    evidence: HeldOutPairs,
    searches: Direction,
    near: Nearest,
    temperature: float,
    missed: int,
    share: float,
) -> Choices:
    at = calibration.grid(searches)
    events = calibration.candidates(searches, at, calibration.place_of(temperature))
    every = near.probability(near.cosine, temperature)
    rows = like_missed(events.probability[:, 0], every[:, 0], missed, share)
    probability = np.concatenate([events.probability, every[rows]])
    right = np.concatenate([events.right, np.zeros_like(every[rows])])
    return choices_of(Events(probability, right), evidence, offset=OF_ASSIGNED)
