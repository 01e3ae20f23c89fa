"""Calibration of an aligner's cosines by held-out pairs."""

from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.aligners.fair_pairs import FAR
from gentle_clip_jax.aligners.refits import LEAST_PAIRS, ROUGH
from gentle_clip_jax.aligners.sentences import random_screens
from gentle_clip_jax.aligners.settings import Extrapolation
from gentle_clip_jax.evaluation.held_out_pairs import TEMPERATURES, HeldOutPairs
from gentle_clip_jax.evaluation.nearest import NEAREST
from gentle_clip_jax.matching import calibration
from gentle_clip_jax.matching.calibration import OFFSET, Events, Platt

_OF_FEW = 0.12  # temperature for few pairs, fitted to some 100 pairs
_COUNTED = 2.0  # prior count of first choices, added to the observed ones
OF_ASSIGNED = 1.0  # prior deviation of the offset where there is more evidence than p(y | x)


class Choices(NamedTuple):
    """Scaling of the probabilities of choices.

    platt: from p(y | x) of a candidate y to the probability that it is right. Fitted to all listed
      candidates of an x: right first choices are too few for a stable fit.
    factors: [100] relative means under samples of the posterior of the scaling.
    """

    platt: Platt
    factors: np.ndarray


class Calibration(NamedTuple):
    """Calibration fitted to held-out pairs.

    to_y, to_x, group_temperature: temperatures of cosines from x to y, from y to x, and of groups.
    first_y, first_x: of the nearest y of an x, and the nearest x of a y.
    platt: for the probability of the likeliest group.
    threshold: least share of a group in the 90 % prediction set.
    first, among: share of held-out x with their partner first, and among the 48 nearest y; None
      without held-out pairs.
    pair_bias: see `HeldOutPairs`; None likewise.
    fair: number of the `pairs` that count as a random sample of the items to match; None if all do.
    others: number of pairs that do not, which are left out if the fair ones suffice.
    missed: number of items of that sample whose partner was not found.
    lacking: number of items that must still be drawn at random until the fair ones suffice.
    """

    pairs: int
    to_y: float
    to_x: float
    group_temperature: float
    first_y: Choices
    first_x: Choices
    platt: Platt
    threshold: float
    first: float | None
    among: float | None
    pair_bias: float | None
    fair: int | None = None
    others: int = 0
    missed: int = 0
    lacking: int = 0

    @classmethod
    def of_few(cls, pairs: int) -> "Calibration":
        """Return the default calibration for too few pairs, which only ranks matches."""
        as_it_is = Platt(1.0, 0.0)
        choices = Choices(as_it_is, np.ones(1))
        return cls(
            pairs=pairs,
            to_y=_OF_FEW,
            to_x=_OF_FEW,
            group_temperature=_OF_FEW,
            first_y=choices,
            first_x=choices,
            platt=as_it_is,
            threshold=0.0,
            first=None,
            among=None,
            pair_bias=None,
        )

    @property
    def shown(self) -> bool:
        """Return whether there are enough pairs for probabilities."""
        return self.pairs >= LEAST_PAIRS

    @property
    def is_biased(self) -> bool:
        """Return whether the held-out pairs differ in kind from the items to match."""
        return self.pair_bias is not None and self.pair_bias > FAR

    @property
    def why_unfair(self) -> str:
        """Return why these pairs can guarantee nothing, and what to do; "" if they can."""
        if self.lacking:
            return (
                f"only {self.fair:,} of the {self.pairs:,} pairs are a random sample of the items "
                f"to match. {random_screens(self.lacking)}"
            )
        if self.is_biased:
            return f"the pairs differ from the items to match. {random_screens(LEAST_PAIRS)}"
        return ""

    @property
    def caveats(self) -> str:
        """Return sentences on what the expected number of right matches rests on, "" for none."""
        sample, rest = "a random sample of the items to match", f"{self.pairs} pairs"
        is_part = self.others > 0 and not self.lacking
        if is_part:
            rest += f" that are {sample}, without the {self.others:,} others"
        caveats = f" They rest on {rest}." * is_part
        if self.pairs < ROUGH:
            caveats = f" These are rough figures: they rest on {rest}."
        if self.lacking:
            caveats += (
                f" Only {self.fair:,} of the {self.pairs:,} pairs are {sample}: far fewer may be "
                f"right. {self.lacking} more random screens of a review would be enough."
            )
        elif self.is_biased:
            caveats += (
                " The pairs differ from the items to match: expect fewer right matches, unless the "
                "pairs are a random sample of these items."
            )
        return caveats

    @property
    def metadata(self) -> dict[str, Any]:
        """Return the calibration as JSON data."""
        platts = {"first_y": self.first_y.platt, "first_x": self.first_x.platt, "platt": self.platt}
        return {**self._asdict(), **{name: one._asdict() for name, one in platts.items()}}


def calibrate(evidence: HeldOutPairs, own: np.ndarray, group: np.ndarray) -> Calibration:
    """Fit temperatures, and the scaling of first choices and of groups.

    Args:
      evidence: candidates of held-out pairs, numbered by the rows of unmatched items.
      own: [k] the group of each held-out y, from 0.
      group: [v] that of each unmatched y.
    """
    to_y, to_x = calibration.grid(evidence.to_y, group, own), calibration.grid(evidence.to_x)
    rows = np.arange(len(own))
    best = calibration.likeliest(np.log(np.maximum(to_y.groups[:, rows, own], 1e-30)))
    shares = to_y.groups[best]
    likeliest = np.argmax(shares, axis=1)
    best_y, best_x = calibration.likeliest(to_y.partner), calibration.likeliest(to_x.partner)
    ranks = evidence.to_y.ranks
    return Calibration(
        pairs=len(own),
        to_y=float(TEMPERATURES[best_y]),
        to_x=float(TEMPERATURES[best_x]),
        group_temperature=float(TEMPERATURES[best]),
        first_y=choices_of(calibration.candidates(evidence.to_y, to_y, best_y), evidence),
        first_x=choices_of(calibration.candidates(evidence.to_x, to_x, best_x), evidence),
        platt=calibration.platt(shares[rows, likeliest], likeliest == own),
        threshold=calibration.conformal_threshold(shares, own),
        first=float(np.mean(ranks < 1.5)),
        among=float(np.mean(ranks <= NEAREST)),
        pair_bias=float(evidence.pair_bias),
    )


def assigned_choices(probability: np.ndarray, right: np.ndarray, evidence: HeldOutPairs) -> Choices:
    """Fit the scaling of p(y | x) where y is the one-to-one match of x.

    One-to-one matching is more reliable than a first choice, so the held-out pairs are matched one
    to one among the unmatched items, see `assign_held_out`.

    Args:
      probability: [k] of the matches of held-out x; right: [k] whether each is.
    """
    events = Events(probability[:, None], right[:, None])
    return choices_of(events, evidence, offset=OF_ASSIGNED, counted=False)


def choices_of(
    events: Events, evidence: HeldOutPairs, *, offset: float = OFFSET, counted: bool = True
) -> Choices:
    """Fit the scaling of candidates [k, c] of held-out items, the first of which is chosen.

    The fit to all pairs is better than those without the held-out ones, so log odds move as
    `settings.Extrapolation` says. They do not where unmatched items were learned from: there the
    numbers of right matches were not too low without it.

    First choices may be right more or less often than all candidates of their probability are,
    above all where a method fits unmatched items to each other. So they are counted too, unless
    `counted` is false: the probabilities move by the logarithm of the ratio of right choices to
    expected ones.
    """
    if not len(events.right):
        return Choices(Platt(1.0, 0.0), np.ones(1))
    scaling = calibration.platt(*events, offset=offset)
    others = calibration.as_likely(scaling, events.probability, offset=offset)
    if counted:
        expected = np.sum(scaling(events.probability[:, 0])) + _COUNTED
        right = np.sum(events.right[:, 0]) + _COUNTED
        # Posterior samples of the number, of a Poisson process: a gamma distribution.
        likely = np.random.default_rng(0).gamma(right, size=len(others))
        scaling, *others = (
            one._replace(offset=one.offset + np.log(number / expected))
            for one, number in zip((scaling, *others), (right, *likely))
        )
    means = [np.mean(platt(events.probability[:, 0])) for platt in (scaling, *others)]
    folds = len(np.unique(evidence.fold))
    more = np.log(folds / (folds - 1)) if folds > 1 else 0.0  # trained towers are not refitted
    slope = 0.0 if evidence.uses_unmatched else Extrapolation.slope
    spread = np.random.default_rng(1).normal(0, Extrapolation.spread * more, len(others))
    return Choices(
        scaling._replace(offset=scaling.offset + slope * more),
        np.array(means[1:]) / means[0] * np.exp(spread),
    )
