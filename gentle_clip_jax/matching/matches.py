"""Result of `match`, and its summary in one sentence."""

from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.aligners.refits import LEAST_PAIRS
from gentle_clip_jax.evaluation.listed import Outcomes
from gentle_clip_jax.evaluation.nearest import NEAREST
from gentle_clip_jax.matching.absence import share_sentence
from gentle_clip_jax.matching.calibrated import Calibration
from gentle_clip_jax.matching.calibration import Bin
from gentle_clip_jax.matching.groups import Groups
from gentle_clip_jax.matching.item_sets import ItemSets


class Candidates(NamedTuple):
    """The nearest items of the other modality, nearest first.

    item: [n] indices of the items that were unmatched.
    candidate: [n, c] indices of the other modality's items, c at most 48.
    cosine: [n, c]; probability: [n, c] that the candidate is the partner, NaN where none is shown.
    """

    item: np.ndarray
    candidate: np.ndarray
    cosine: np.ndarray
    probability: np.ndarray


class Expected(NamedTuple):
    """Expected number of right matches: the sum of probabilities, with a 95 % interval."""

    value: float
    low: float
    high: float


class Matches(NamedTuple):
    """A match for each of the n unmatched items of x; indices are rows of x and y.

    x: [n]; y: [n], -1 where one-to-one leaves none.
    probability: [n] that y is the partner of x; NaN where none is shown.
    runner_up: [n] the likeliest other y, -1 where there is none; runner_up_probability: [n].
    mutual: [n] true where x and y are each other's nearest.
    group: [n] the likeliest group of the partner; group_probability: [n] that it is, if there is
      a partner; NaN where none is shown.
    group_sets: [n, g] 90 % prediction sets of the partner's group.
    groups: of all of y.
    of_x, of_y: candidates both ways.
    calibration: of the probabilities; share: of unmatched x that have a partner.
    no_partner: [n] probability that x has no partner in y; NaN where none is shown.
    likely_share: 95 % interval of the share that held-out pairs suggest, None where they suggest
      none.
    expected: right ones among the matches, None where no probability is shown.
    reliability: of the probabilities that held-out pairs would get; None likewise.
    outcomes: scores of the matches and of held-out pairs, for lists at a chosen error; None
      likewise, and where they were not asked for.
    sets: prediction sets, None where they were not asked for or cannot be given.
    """

    x: np.ndarray
    y: np.ndarray
    probability: np.ndarray
    runner_up: np.ndarray
    runner_up_probability: np.ndarray
    mutual: np.ndarray
    group: np.ndarray
    group_probability: np.ndarray
    group_sets: np.ndarray
    groups: Groups
    of_x: Candidates
    of_y: Candidates
    calibration: Calibration
    share: float | None
    no_partner: np.ndarray
    likely_share: tuple[float, float] | None
    expected: Expected | None
    reliability: list[Bin] | None = None
    outcomes: Outcomes | None = None
    sets: ItemSets | None = None

    @property
    def cosine(self) -> np.ndarray:
        """Cosine [n] of each match; NaN where y is not among the nearest of x."""
        is_match = self.of_x.candidate == self.y[:, None]
        cosine = np.sum(is_match * self.of_x.cosine, axis=1)
        return np.where(is_match.any(axis=1), cosine, np.nan)

    @property
    def summary(self) -> str:
        """Return a sentence with the expected result and the next step."""
        calibration, n = self.calibration, len(self.x)
        if calibration.among is None:
            return (
                f"{calibration.pairs} pairs are too few for probabilities, which need "
                f"{LEAST_PAIRS}: share and accept have no effect, and accepted.csv has only the "
                f"given pairs. Confirm {LEAST_PAIRS - calibration.pairs} more pairs by gentle-clip "
                "review, or accept matches by hand in matches.html."
            )
        if self.share is None or self.expected is None:
            return (
                "No match has a probability, as nothing says how many items of x have a partner: "
                "give share, 1 if all have one. Until then accept has no effect, and accepted.csv "
                f"has only the given pairs.{share_sentence(self.share, self.likely_share)}"
            )
        low, high = round(self.expected.low), round(self.expected.high)
        among = _two_digits(n * self.share * calibration.among)
        return (
            f"Of {n:,} items of x we expect {low:,} to {high:,} right "
            f"{'matches' if (self.y != self.of_x.candidate[:, 0]).any() else 'first choices'}; for "
            f"about {among:,} the partner is among the {NEAREST} nearest: run review."
            f"{calibration.caveats}{share_sentence(self.share, self.likely_share)}"
        )

    def __repr__(self) -> str:
        return f"Matches({len(self.x):,} items; {self.summary})"

    @property
    def metadata(self) -> dict[str, Any]:
        """Return the summary and its evidence as JSON data."""
        return {
            "summary": self.summary,
            "share": self.share,
            "likely_share": self.likely_share,
            "sets": None if self.sets is None else self.sets.metadata,
            "expected": None if self.expected is None else self.expected._asdict(),
            "calibration": self.calibration.metadata,
            "reliability": None
            if self.reliability is None
            else [one._asdict() for one in self.reliability],
        }


def _two_digits(number: float) -> int:
    """Round an estimate to two digits."""
    return int(float(f"{number:.2g}"))
