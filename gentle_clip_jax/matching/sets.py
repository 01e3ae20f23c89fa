"""Prediction sets: the candidates of an item that hold its partner with a chosen probability.

Split conformal prediction: held-out pairs show how low a partner's score can be. Whatever the
scores mean, the sets hold the partner of as many items as asked for, on average over items and
held-out pairs, if held-out pairs and new items are exchangeable. Better scores give smaller sets.

"No partner" is a category of its own (label-conditional conformal prediction): the set of an item
without a partner holds "no partner" as often as asked for too, so that no share of items with a
partner has to be known.

Source: Vovk, Gammerman and Shafer 2005, Algorithmic Learning in a Random World, Section 4.5.
"""

import math

import numpy as np

_DIGITS = 9  # 1 - 0.9 is not quite 0.1


def least_pairs(coverage: float) -> int:
    """Return the least number of held-out pairs for sets that leave any candidate out.

    Args:
      coverage: share of the sets that hold the partner, above 0 and below 1.

    Raises:
      ValueError: if it is not.

    >>> least_pairs(0.9), least_pairs(0.95)
    (9, 19)
    """
    if not 0 < coverage < 1:
        raise ValueError(f"coverage must be above 0 and below 1, not {coverage}.")
    return math.ceil(round(1 / (1 - coverage), _DIGITS)) - 1


def least_scores(held_out: np.ndarray, count: int, coverage: float, *, seed: int = 0) -> np.ndarray:
    """Return the least score [n] that is in the prediction set of each of n items.

    A candidate with score s is in the set if its smoothed p-value is above 1 - coverage:

      p = (number of held-out scores below s + u (1 + number equal to s)) / (k + 1),

    with one u per item, uniform from 0 to 1. The random u decides where s is at the boundary, so
    that the expected coverage is the one asked for: without it, few pairs or ties would give more.
    With fewer than `least_pairs(coverage)` held-out pairs, every score is in the set.

    Args:
      held_out: [k] scores of the partners of held-out items, higher for likelier ones; NaN counts
        as lower than any score.
      count: n.
      coverage: share of the sets that hold the partner, above 0 and below 1.
      seed: of the random u.

    Raises:
      ValueError: if the coverage is not between 0 and 1.

    Sources: Vovk, Gammerman and Shafer 2005, Algorithmic Learning in a Random World, Section 2.2,
    for smoothed p-values; Sadinle, Lei and Wasserman 2019, Least Ambiguous Set-Valued Classifiers,
    for probabilities as scores.
    """
    if len(held_out) < least_pairs(coverage):
        return np.full(count, -np.inf)
    held_out = np.nan_to_num(held_out, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    scores, equal = np.unique(held_out, return_counts=True)
    below = np.cumsum(equal) - equal
    chance = 1 - np.random.default_rng(seed).random(count)  # above 0
    allowed = round((1 - coverage) * (len(held_out) + 1), _DIGITS)
    # Which scores, and which gaps above a score, are in the set: the higher ones.
    at, above = (
        number + chance[:, None] * weight > allowed
        for number, weight in ((below, 1 + equal), (below + equal, 1))
    )
    place = len(scores) - np.sum(at, axis=1)
    least = np.append(scores, np.inf)[place]
    is_gap = np.sum(above, axis=1) > np.sum(at, axis=1)
    return np.where(is_gap, np.nextafter(scores[place - 1], np.inf), least)


def has_none(first: np.ndarray, absent: np.ndarray, coverage: float) -> np.ndarray:
    """Return whether "no partner" is in the prediction set of each of n items.

    It is unless the best candidate has a higher score than is usual without a partner.

    Args:
      first: [n] scores of the best candidates.
      absent: [k] scores of the best candidates of held-out items whose partner is taken away; NaN
        counts as higher than any score.
      coverage: share of the sets of items without a partner that hold "no partner", above 0 and
        below 1.

    Raises:
      ValueError: if the coverage is not between 0 and 1.

    >>> has_none(np.array([0.1, 0.9]), np.linspace(0, 0.5, 99), 0.9)
    array([ True, False])
    """
    return -first >= least_scores(-absent, len(first), coverage, seed=1)


def sets_sentence(coverage: float, size: np.ndarray, none: np.ndarray, short: str = "") -> str:
    """Return the sentence on the prediction sets of n items.

    Args:
      size: [n] number of items of y in each set. none: [n] whether "no partner" is in it.
      short: what else to say of the sizes.
    """
    held = "all are expected to have a partner"
    if count := int(np.sum(none)):
        held = f"for {count:,} items, no partner is possible too"
    return (
        f"The sets hold the partner with a probability of {100 * coverage:g} %: they have "
        f"{np.median(size):,.0f} items of y in the median{short}; {held}."
    )
