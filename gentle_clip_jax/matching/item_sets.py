"""Sets of candidates, one for each item of x, that hold its partner with a chosen probability."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.aligners.refits import LEAST_PAIRS
from gentle_clip_jax.evaluation.held_out_pairs import HeldOutPairs, Rows
from gentle_clip_jax.evaluation.nearest import NEAREST, Nearest, blocks_of_cosines, greatest
from gentle_clip_jax.matching.calibrated import Calibration
from gentle_clip_jax.matching.calibration import grid, place_of
from gentle_clip_jax.matching.sets import has_none, least_pairs, least_scores, sets_sentence


class ItemSets(NamedTuple):
    """Prediction sets of the n unmatched items of x.

    coverage: chance that the set of an item with a partner holds it, and that the set of an item
      without one holds "no partner".
    size: [n] number of items of y in each set.
    best: [n, c] rows of the likeliest of them, c at most 48, likeliest first; -1 for no more.
    none: [n] whether "no partner" is in the set.
    """

    coverage: float
    size: np.ndarray
    best: np.ndarray
    none: np.ndarray

    @property
    def is_short(self) -> np.ndarray:
        """Which sets have so few items that `best` has all of them."""
        return self.size <= self.best.shape[1]

    @property
    def metadata(self) -> dict[str, Any]:
        """The coverage and the sizes as JSON data."""
        return {
            "coverage": self.coverage,
            "median_size": float(np.median(self.size)),
            "mean_size": float(np.mean(self.size)),
            "short": int(np.sum(self.is_short)),
            "no_partner": int(np.sum(self.none)),
        }


def check_coverage(coverage: float | None) -> None:
    """Raise ValueError if a coverage is not above 0 and below 1; None is no sets."""
    if coverage is not None:
        least_pairs(coverage)


def why_none(calibration: Calibration, coverage: float) -> str:
    """Return why there can be no sets, "" if there can be."""
    needed = max(LEAST_PAIRS, least_pairs(coverage))
    if calibration.pairs + calibration.missed < needed:
        return f"there are {calibration.pairs} pairs, and a coverage of {coverage:g} needs {needed}"
    return calibration.why_unfair


def item_sets(
    rows: Rows,
    near: tuple[Nearest, Nearest],
    of_y: np.ndarray,
    evidence: HeldOutPairs | None,
    calibration: Calibration,
    coverage: float | None,
    share: float | None,
) -> ItemSets | None:
    """Return the prediction sets of the unmatched items of x, None where `why_none` says why.

    An item y is in the set if p(y | x) p(x | y) is not too low for a partner, as held-out pairs
    show: both directions, as this gave smaller sets than p(y | x) alone in ten of eleven trials, by
    6 % in the median. "No partner" is in the set if p(y | x) of the nearest y is not too high
    for an x without a partner, as held-out pairs show whose partner is taken away. Each of the two
    has the coverage on its own, see `sets`.

    Args:
      rows: of the unmatched items.
      near: the nearest y of each x, and the nearest x of each y.
      of_y: [m] numbers of the unmatched items of y, for `best`.
      coverage: above 0 and below 1; None for no sets.
      share: share of the items of x that have a partner: 1 leaves "no partner" out of every set.
    """
    if coverage is None or evidence is None or why_none(calibration, coverage):
        return None
    near_y, to_y, to_x = near[0], calibration.to_y, calibration.to_x
    held_out = (
        grid(evidence.to_y).partner[place_of(to_y)] + grid(evidence.to_x).partner[place_of(to_x)]
    )
    missed = np.full(calibration.missed, -np.inf)  # partners that nobody found
    least = least_scores(np.append(held_out, missed), len(near_y.index), coverage)
    sizes, best = [], []
    for start, scores in _scores(rows, near, calibration):
        of_block = least[start : start + len(scores), None]
        index = greatest(scores, min(NEAREST, scores.shape[1]))
        is_in = np.take_along_axis(scores, index, axis=1) >= of_block
        sizes.append(np.sum(scores >= of_block, axis=1))
        best.append(np.where(is_in, of_y[index], -1))
    none = np.zeros(len(least), bool)
    if share != 1:
        first = near_y.probability(near_y.cosine[:, 0], to_y)
        absent = evidence.to_y.first_without_partner(place_of(to_y))
        none = has_none(first, absent, coverage)
    return ItemSets(coverage, np.concatenate(sizes), np.concatenate(best), none)


def _scores(
    rows: Rows, near: tuple[Nearest, Nearest], calibration: Calibration
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield log p(y | x) p(x | y) of blocks [b, m] of x, and the number of the first of them."""
    near_y, near_x = near
    for start, cosines in blocks_of_cosines(rows.x, rows.ranked_y):
        back = rows.ranked_x[start : start + len(cosines)] @ rows.y.T
        of_x = near_y.log_total[start : start + len(cosines), None]
        scores = cosines / calibration.to_y + back / calibration.to_x
        yield start, scores - of_x - near_x.log_total


def sets_summary(sets: ItemSets | None, calibration: Calibration, coverage: float) -> str:
    """Return the sentence on prediction sets, or why there are none."""
    if sets is None:
        return f"No prediction sets: {why_none(calibration, coverage)}."
    short = f"{np.sum(sets.is_short):,} of {len(sets.size):,} have at most {sets.best.shape[1]}"
    return sets_sentence(coverage, sets.size, sets.none, f", and {short}")
