"""Calibration of cosines to probabilities by held-out pairs: temperatures and prediction sets.

Given that x has a partner, the chance that it is y is

  p(y | x) = exp(cos(x, y) / T) / sum over unmatched y' of exp(cos(x, y') / T),

with the T under which the partners of held-out pairs are likeliest (Guo et al. 2017, On Calibration
of Modern Neural Networks). Platt scaling then corrects the remaining error.
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from gentle_clip_jax.evaluation.cross_validation import TIE
from gentle_clip_jax.evaluation.held_out_pairs import TEMPERATURES, Direction
from gentle_clip_jax.evaluation.intervals import wilson
from gentle_clip_jax.evaluation.nearest import NEAREST

# Prior standard deviations of the slope around 1, and of the offset around 0.
_SLOPE, OFFSET = 0.3, 0.3
_MISSES = 0.1  # share of prediction sets without the right group
_SAMPLES = 100  # of a posterior
_OF_A_BIN, _BINS = 12, 8  # least held-out pairs of a bin, and the most bins


class Grid(NamedTuple):
    """Log probabilities of k held-out items at each temperature.

    partner: [t, k] log probability of the partner.
    groups: [t, k, g] probability of each group, the partner's own with it.
    """

    partner: np.ndarray
    groups: np.ndarray


class Platt(NamedTuple):
    """Platt scaling: p becomes sigmoid(slope (logit(p) - center) + center + offset).

    The center is the mean logit of the fitted events, so that the slope hardly changes sums.
    """

    slope: float
    offset: float
    center: float = 0.0

    def __call__(self, probability: np.ndarray) -> np.ndarray:
        logits = logits_of(probability)
        return special.expit(self.slope * (logits - self.center) + self.center + self.offset)


def logits_of(probability: np.ndarray) -> np.ndarray:
    """Return logits that are finite also for probabilities of 0 and 1."""
    return special.logit(np.clip(probability, 1e-6, 1 - 1e-6))


def grid(
    searches: Direction, group: np.ndarray | None = None, own: np.ndarray | None = None
) -> Grid:
    """Return probabilities at every one of `TEMPERATURES`.

    The nearest candidates count with their own groups, others by the frequencies of groups.

    Args:
      searches: of held-out items.
      group: [v] the group of each unmatched item, from 0; all are one if not given.
      own: [k] that of each partner.
    """
    k = len(searches.partner)
    logits, partner = searches.partner[:, None] / TEMPERATURES, searches.log_probability  # [k, t]
    if group is None or own is None:
        return Grid(partner.T, np.ones((len(TEMPERATURES), k, 1)))
    count = 1 + max(group.max(initial=0), own.max(initial=0))
    frequency = np.bincount(group, minlength=count) / max(1, len(group))
    member = np.eye(count)[group[searches.candidate]]  # [k, c, g]
    groups = []
    for place, temperature in enumerate(TEMPERATURES):
        log_total = np.logaddexp(searches.log_total, logits)[:, place]
        near = np.exp(searches.cosine / temperature - log_total[:, None])
        masses = np.einsum("kc,kcg->kg", near, member)
        mine = np.exp(partner[:, place])
        further = np.maximum(1 - mine - near.sum(axis=1), 0)
        masses += further[:, None] * frequency
        masses[np.arange(k), own] += mine
        groups.append(masses / masses.sum(axis=1, keepdims=True))
    return Grid(partner.T, np.stack(groups))


def likeliest(log_likelihoods: np.ndarray) -> int:
    """Return the index of the temperature under which held-out items [t, k] are likeliest."""
    return int(np.argmax(log_likelihoods.mean(axis=1)))


class Events(NamedTuple):
    """Probabilities [k, c] of candidates, nearest first, and their outcomes from 0 to 1."""

    probability: np.ndarray
    right: np.ndarray


def place_of(temperature: float) -> int:
    """Return the index of a temperature in `TEMPERATURES`."""
    return int(np.argmin(np.abs(TEMPERATURES - temperature)))


def candidates(searches: Direction, at: Grid, best: int) -> Events:
    """Return the outcomes of the nearest candidates of held-out items, 48 at most.

    Where the partner ties with others, each of them is right in one of so many.

    Args:
      searches: of held-out items.
      at: their probabilities at all temperatures; best: the index of the one to take.
    """
    every = np.concatenate([searches.cosine, searches.partner[:, None]], axis=1)
    nearest = np.sort(every, axis=1)[:, ::-1][:, :NEAREST]
    nearer = nearest - searches.partner[:, None]
    probability = np.exp(at.partner[best][:, None] + nearer / TEMPERATURES[best])
    right = (np.abs(nearer) <= TIE) / (1 + searches.ties[:, None])
    return Events(np.minimum(probability, 1), right)


def platt(
    probability: np.ndarray,
    right: np.ndarray,
    *,
    offset: float = OFFSET,
    slope: float = 1.0,
) -> Platt:
    """Fit Platt scaling to probabilities and outcomes from 0 to 1, shrunk towards none.

    Args:
      probability, right: of one shape.
      offset: prior standard deviation of the offset.
      slope: prior mean of the slope.

    Source: Platt 1999, Probabilistic Outputs for Support Vector Machines; the shrinkage is ours.
    """
    logits = logits_of(probability)
    center = float(np.mean(logits))
    above = logits - center

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        factor, shift = parameters
        scores = factor * above + center + shift
        prior = ((factor - slope) / _SLOPE) ** 2 / 2 + (shift / offset) ** 2 / 2
        gaps = special.expit(scores) - right
        gradient = [
            np.sum(gaps * above) + (factor - slope) / _SLOPE**2,
            np.sum(gaps) + shift / offset**2,
        ]
        total = np.sum(np.logaddexp(0, scores) - right * scores)
        return float(total + prior), np.array(gradient)

    optimum = optimize.minimize(loss, np.array([slope, 0.0]), jac=True, method="BFGS")
    # Fewer cosines in favour of a group never make it likelier.
    return Platt(max(float(optimum.x[0]), 0.0), float(optimum.x[1]), center)


def as_likely(fitted: Platt, probability: np.ndarray, *, offset: float = OFFSET) -> list[Platt]:
    """Sample the posterior of a fitted Platt scaling, by a normal approximation (Laplace).

    Where hardly any event was right, a bootstrap of the events underestimates the uncertainty: its
    95 % intervals covered 5 of 8 numbers of right matches.

    Args:
      fitted: result of `platt` for the other arguments.

    Source: MacKay 1992, The Evidence Framework Applied to Classification Networks.
    """
    logits = logits_of(probability)
    above, now = logits - fitted.center, fitted(probability)
    certain = now * (1 - now)
    precision = np.array(
        [
            [np.sum(certain * above**2) + 1 / _SLOPE**2, np.sum(certain * above)],
            [np.sum(certain * above), np.sum(certain) + 1 / offset**2],
        ]
    )
    rng, center = np.random.default_rng(0), (fitted.slope, fitted.offset)
    samples = rng.multivariate_normal(center, np.linalg.inv(precision), _SAMPLES)
    return [Platt(max(slope, 0.0), shift, fitted.center) for slope, shift in samples.tolist()]


def conformal_threshold(groups: np.ndarray, own: np.ndarray) -> float:
    """Return the least probability of a group in the 90 % prediction set.

    The quantile of the right groups' probabilities: exchangeable items reach it in 90 % at least,
    even if the probabilities are poor. 0, all groups, below nine pairs.

    Args:
      groups: [k, g] probabilities of held-out items' groups.
      own: [k] the right group.

    Source: Sadinle, Lei and Wasserman 2019, Least Ambiguous Set-Valued Classifiers.
    """
    right = np.sort(groups[np.arange(len(own)), own])
    allowed = int(np.floor(_MISSES * (len(right) + 1)))
    return float(right[allowed - 1]) if allowed else 0.0


class Bin(NamedTuple):
    """Held-out pairs of similar probability: its mean, and the share of right ones (95 %)."""

    probability: float
    value: float
    low: float
    high: float
    pairs: int


def reliability(probability: np.ndarray, right: np.ndarray) -> list[Bin]:
    """Return the reliability of probabilities [k], in bins of equally many outcomes from 0 to 1.

    >>> [one.pairs for one in reliability(np.linspace(0, 1, 30), np.ones(30))]
    [15, 15]
    """
    order = np.argsort(probability, kind="stable")
    bins = []
    for rows in np.array_split(order, min(_BINS, max(1, len(order) // _OF_A_BIN))):
        if len(rows):
            share = wilson(float(right[rows].sum()), len(rows))
            bins.append(Bin(float(probability[rows].mean()), **share, pairs=len(rows)))
    return bins


def expected_calibration_error(probability: np.ndarray, right: np.ndarray) -> float:
    """Return the mean gap, over ten equal bins, between probability and share of right items.

    >>> expected_calibration_error(np.array([0.5, 0.5]), np.array([True, False]))
    0.0
    """
    bins = np.digitize(probability, np.linspace(0, 1, 11)[1:-1])
    gaps = np.bincount(bins, probability - right.astype(float))
    return float(np.sum(np.abs(gaps)) / len(probability))
