"""Items without a partner: how probable each is, and how many items have one.

The nearest y of an item without a partner is further away than a partner would be. Held-out pairs
show how far: their cosine with the nearest y, with their partner in the gallery and without it.
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from gentle_clip_jax.evaluation.held_out_pairs import HeldOutPairs
from gentle_clip_jax.evaluation.nearest import Nearest
from gentle_clip_jax.matching.calibrated import Calibration
from gentle_clip_jax.matching.calibration import logits_of, platt

_SHARES = np.linspace(0, 1, 201)
_ERRORS = 1.96  # standard errors of a 95 % interval
# Fits without held-out pairs differ from the fit to all: mean ranks may differ by so much.
_SYSTEMATIC = 0.06
WIDE = 0.5  # an interval of the share at least so wide tells nothing


class Absence(NamedTuple):
    """Items of x without a partner.

    probability: [n] that each has none, NaN where none is shown. share: 95 % interval of the share
    that have one, None where nothing is known.
    """

    probability: np.ndarray
    share: tuple[float, float] | None


def absence(
    near_y: Nearest, evidence: HeldOutPairs | None, calibration: Calibration, share: float | None
) -> Absence:
    """Return which of the n unmatched items of x probably have no partner.

    Args:
      near_y: the nearest y of each x.
      evidence: held-out pairs, None if there are too few.
      share: share of the items of x that have a partner, None if it is not known.
    """
    if evidence is None:
        return Absence(np.full(len(near_y.index), np.nan), None)
    nearest, absent = (of.cosine[:, 0].astype(float) for of in (near_y, evidence.to_y))
    present = np.maximum(absent, evidence.to_y.partner)
    probability = np.full(len(nearest), np.nan)
    if share is not None:
        probability = no_partner(nearest, present, absent, share)
    is_whole = not (calibration.lacking or calibration.missed)  # and no likely part of a sample
    return Absence(probability, share_interval(nearest, present, absent) if is_whole else None)


def no_partner(
    nearest: np.ndarray, present: np.ndarray, absent: np.ndarray, share: float
) -> np.ndarray:
    """Return the probability [n] that an item of x has no partner; their mean is 1 - share.

    A logistic regression on the cosine tells held-out items with their partner from those without,
    with a prior that favours no difference. Where nothing tells them apart, every item gets
    1 - share.

    Args:
      nearest: [n] cosine with the nearest y.
      present, absent: [k] that of held-out items with their partner, and without it.
      share: share of the items of x that have a partner, above 0 to 1.
    """
    if share == 1:
        return np.zeros(len(nearest))
    events = np.concatenate([present, absent])
    has_partner = np.repeat([1.0, 0.0], [len(present), len(absent)])
    center, spread = np.mean(events), np.std(events) or 1.0
    scaled, events = (special.expit((of - center) / spread) for of in (nearest, events))
    odds = logits_of(platt(events, has_partner, slope=0.0, offset=np.inf)(scaled))

    def surplus(shift: float) -> float:
        return float(np.mean(special.expit(odds + shift))) - share

    shift = optimize.root_scalar(surplus, bracket=(-99, 99)).root
    return special.expit(-odds - shift)


def share_interval(
    nearest: np.ndarray, present: np.ndarray, absent: np.ndarray
) -> tuple[float, float] | None:
    """Return a 95 % interval of the share of items of x that have a partner.

    The mean rank, from 0 to 1, of cosines with the nearest y among those of held-out items is that
    of a mixture of items with and without a partner. The interval has every share under which the
    observed mean is within 1.96 standard errors and 0.06 (Fieller's method): it is 0 to 1 where
    nothing tells them apart. None if no share agrees with the mean: the items to match differ from
    held-out ones.

    Args: as `no_partner`.

    Sources: Fieller 1954, Some Problems in Interval Estimation; Forman 2008, Quantifying Counts and
    Costs via Classification, for adjusted counts.

    >>> rng = np.random.default_rng(0)
    >>> present, absent = rng.uniform(0.2, 1, 400), rng.uniform(0, 0.3, 400)
    >>> share_interval(np.concatenate([present[:100], absent[:100]]), present, absent)
    (0.315, 0.73)
    """
    pool = np.sort(np.concatenate([present, absent]))
    of_new, of_present, of_absent = (
        (np.searchsorted(pool, one, "left") + np.searchsorted(pool, one, "right")) / (2 * len(pool))
        for one in (nearest, present, absent)
    )
    mixed = _SHARES[:, None] * of_present + (1 - _SHARES[:, None]) * of_absent  # [s, k]
    error = np.sqrt(np.var(of_new) / len(of_new) + np.var(mixed, axis=1) / len(of_present))
    gap = np.abs(np.mean(of_new) - np.mean(mixed, axis=1))
    fits = _SHARES[gap <= _ERRORS * error + _SYSTEMATIC]
    return (float(fits[0]), float(fits[-1])) if len(fits) else None


def share_sentence(share: float | None, likely: tuple[float, float] | None) -> str:
    """Return a sentence, after a space, on the share that held-out pairs suggest; "" if it agrees.

    >>> share_sentence(0.9, (0.4, 0.6))
    ' Held-out pairs suggest that 40 to 60 % of the items of x have a partner, not 90 %.'
    >>> share_sentence(0.5, (0.4, 0.6))
    ''
    """
    if likely is None or likely[1] - likely[0] >= WIDE:
        return "" if share is not None else " Held-out pairs cannot tell how many have one."
    low, high = likely
    if share is not None and low <= share <= high:
        return ""
    given = "" if share is None else f", not {100 * share:g} %"
    return (
        f" Held-out pairs suggest that {100 * low:.0f} to {100 * high:.0f} % of the items of x "
        f"have a partner{given}."
    )
