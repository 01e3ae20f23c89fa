"""From cosines to probabilities by held-out pairs: temperatures, shares of groups, sets of them.

Given that x has a partner, the chance that it is y is

  p(y | x) = exp(cos(x, y) / T) / sum over unmatched y' of exp(cos(x, y') / T),

with the T under which the partners of held-out pairs are likeliest (Guo et al. 2017, On Calibration
of Modern Neural Networks). Platt scaling then mends what one number cannot.
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize, special, stats

from gentle_clip_jax.matching.held_out import Cosines

TEMPERATURES = np.geomspace(0.01, 10, 71)  # a step of 10 %, below what 1,000 pairs can tell
# How far few pairs may bend probabilities: the deviations of the slope from 1, and of the offset
# from 0, that are thought likely beforehand.
_SLOPE, OFFSET = 0.3, 0.3
_MISSES = 0.1  # the share of sets that may lack the right group
_ROUNDING = 1e-6  # what cosines of rows that are equal differ by, at most


class Grid(NamedTuple):
    """Of k held-out items at each temperature.

    partner: [t, k] log probability of the partner.
    groups: [t, k, g] probability of each group, the partner's own with it.
    """

    partner: np.ndarray
    groups: np.ndarray


class Platt(NamedTuple):
    """p becomes sigmoid(slope (logit(p) - center) + center + offset).

    Around the center, the mean logit of what it was fitted to, so that a slope changes few sums.
    """

    slope: float
    offset: float
    center: float = 0.0

    def __call__(self, probability: np.ndarray) -> np.ndarray:
        logits = _logits(probability)
        return special.expit(self.slope * (logits - self.center) + self.center + self.offset)


def _logits(probability: np.ndarray) -> np.ndarray:
    """Finite also where a probability is 0 or 1."""
    return special.logit(np.clip(probability, 1e-6, 1 - 1e-6))


def grid(cosines: Cosines, group: np.ndarray | None = None, own: np.ndarray | None = None) -> Grid:
    """Probabilities at every one of `TEMPERATURES`.

    Args:
      cosines: of held-out items, see `Cosines`.
      group: [v] the group of each of the others, from 0; all are one if not given.
      own: [k] that of each partner.
    """
    k, v = cosines.others.shape
    group = np.zeros(v, int) if group is None else group
    own = np.zeros(k, int) if own is None else own
    count = 1 + max(group.max(initial=0), own.max(initial=0))
    member = np.zeros((v, count), np.float32)
    member[np.arange(v), group] = cosines.weight
    top = np.maximum(cosines.others.max(axis=1, initial=-1), cosines.partner)
    above, of_partner = cosines.others - top[:, None], cosines.partner - top
    partner, groups = [], []
    for temperature in TEMPERATURES.astype(np.float32):
        masses = (np.exp(above / temperature) @ member).astype(np.float64)
        mine = np.exp(of_partner.astype(np.float64) / temperature)
        masses[np.arange(k), own] += mine
        total = masses.sum(axis=1)
        partner.append(of_partner / temperature - np.log(total))
        groups.append(masses / total[:, None])
    return Grid(np.stack(partner), np.stack(groups))


def likeliest(log_likelihoods: np.ndarray) -> int:
    """Index of the temperature under which held-out items [t, k] are likeliest."""
    return int(np.argmax(log_likelihoods.mean(axis=1)))


class Events(NamedTuple):
    """Probabilities [k, c] of candidates, nearest first, and whether each is the partner, 0 to 1.

    weight: [k, c] how many candidates each stands for.
    """

    probability: np.ndarray
    right: np.ndarray
    weight: np.ndarray


def candidates(cosines: Cosines, at: Grid, best: int, count: int) -> Events:
    """What became of the nearest candidates of held-out items.

    Where the partner ties with others, each of them is right in one of so many.

    Args:
      cosines: of held-out items.
      at: their probabilities at all temperatures; best: the index of the one to take.
      count: how many candidates, at most.
    """
    every = np.concatenate([cosines.others, cosines.partner[:, None]], axis=1)
    order = np.argpartition(-every, min(count, every.shape[1]) - 1, axis=1)[:, :count]
    nearest_first = np.argsort(-np.take_along_axis(every, order, axis=1), axis=1)
    order = np.take_along_axis(order, nearest_first, axis=1)
    nearer = np.take_along_axis(every, order, axis=1) - cosines.partner[:, None]
    probability = np.exp(at.partner[best][:, None] + nearer / TEMPERATURES[best])
    _, ties = _above(cosines)
    right = (np.abs(nearer) <= _ROUNDING) / (1 + cosines.weight * ties[:, None])
    weight = np.where(order == cosines.others.shape[1], 1.0, cosines.weight)
    return Events(np.minimum(probability, 1), right, weight)


def platt(
    probability: np.ndarray,
    right: np.ndarray,
    weight: np.ndarray | float = 1.0,
    *,
    offset: float = OFFSET,
) -> Platt:
    """Platt scaling of probabilities of events, right or not, 0 to 1; shrunk to none.

    Args:
      probability, right: of one shape.
      weight: how often each event counts.
      offset: how large an offset is thought likely.

    Source: Platt 1999, Probabilistic Outputs for Support Vector Machines; the shrinkage is ours.
    """
    logits = _logits(probability)
    center = float(np.mean(logits))
    above = logits - center

    def loss(slope_and_offset: np.ndarray) -> tuple[float, np.ndarray]:
        slope, shift = slope_and_offset
        scores = slope * above + center + shift
        prior = ((slope - 1) / _SLOPE) ** 2 / 2 + (shift / offset) ** 2 / 2
        gaps = weight * (special.expit(scores) - right)
        gradient = [
            np.sum(gaps * above) + (slope - 1) / _SLOPE**2,
            np.sum(gaps) + shift / offset**2,
        ]
        total = np.sum(weight * (np.logaddexp(0, scores) - right * scores))
        return float(total + prior), np.array(gradient)

    found = optimize.minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS")
    # Fewer cosines in favour of a group never make it likelier.
    return Platt(max(float(found.x[0]), 0.0), float(found.x[1]), center)


def as_likely(
    found: Platt,
    probability: np.ndarray,
    weight: np.ndarray | float = 1.0,
    *,
    offset: float = OFFSET,
    count: int = 100,
) -> list[Platt]:
    """Draws from the posterior of what `platt` has found, near it normal (Laplace).

    Where hardly any event was right, a bootstrap of the events knows too little of what else could
    be: its intervals held 5 of 8 numbers of right matches that they should hold in 95 %.

    Args:
      found: what `platt` gives for the other arguments.

    Source: MacKay 1992, The Evidence Framework Applied to Classification Networks.
    """
    logits = _logits(probability)
    above, now = logits - found.center, found(probability)
    certain = weight * now * (1 - now)
    precision = np.array(
        [
            [np.sum(certain * above**2) + 1 / _SLOPE**2, np.sum(certain * above)],
            [np.sum(certain * above), np.sum(certain) + 1 / offset**2],
        ]
    )
    rng, center = np.random.default_rng(0), (found.slope, found.offset)
    drawn = rng.multivariate_normal(center, np.linalg.inv(precision), count)
    return [Platt(max(slope, 0.0), shift, found.center) for slope, shift in drawn.tolist()]


def conformal_threshold(groups: np.ndarray, own: np.ndarray) -> float:
    """What a group's probability must reach to be in the set that holds the right one in 90 %.

    The quantile of the right groups' probabilities: exchangeable items meet it in 90 % at least,
    whatever the probabilities are worth. 0, all groups, below nine pairs.

    Args:
      groups: [k, g] probabilities of held-out items' groups.
      own: [k] the right group.

    Source: Sadinle, Lei and Wasserman 2019, Least Ambiguous Set-Valued Classifiers.
    """
    right = np.sort(groups[np.arange(len(own)), own])
    allowed = int(np.floor(_MISSES * (len(right) + 1)))
    return float(right[allowed - 1]) if allowed else 0.0


def ranks(cosines: Cosines) -> np.ndarray:
    """Rank [k] of the partner, from 1; half of those that tie with it are before it."""
    above, ties = _above(cosines)
    return 1 + cosines.weight * (above + ties / 2)


def surplus(peers: Cosines, others: Cosines) -> np.ndarray:
    """How much oftener [k] the partner is nearest among the others than among as many peers.

    Args:
      peers: cosines of held-out items with the partners of other held-out items.
      others: those of the same items with unmatched ones.
    """
    count = min(peers.others.shape[1], others.others.shape[1])
    among_peers = sum(_above(peers._replace(others=peers.others[:, :count]))) == 0
    as_near = sum(_above(others))
    return stats.hypergeom.pmf(0, others.others.shape[1], as_near, count) - among_peers


def _above(cosines: Cosines) -> tuple[np.ndarray, np.ndarray]:
    """How many of the others are before the partner, and how many tie with it: captions repeat."""
    further = cosines.others - cosines.partner[:, None]
    above = np.sum(further > _ROUNDING, axis=1)
    return above, np.sum(further >= -_ROUNDING, axis=1) - above


def expected_calibration_error(probability: np.ndarray, right: np.ndarray) -> float:
    """Mean over items of the gap, in each of ten equal bins, between probability and what is right.

    >>> expected_calibration_error(np.array([0.5, 0.5]), np.array([True, False]))
    0.0
    """
    bins = np.digitize(probability, np.linspace(0, 1, 11)[1:-1])
    gaps = np.bincount(bins, probability - right.astype(float))
    return float(np.sum(np.abs(gaps)) / len(probability))
