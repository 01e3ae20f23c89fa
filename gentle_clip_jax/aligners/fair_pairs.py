"""The fair sample: pairs that are a random sample of the items to match.

Pairs that `ask`, a review or a person chose are easier or harder than the items to match. No weight
can correct that, as an item that is never chosen has no chance to be in the sample: they count for
the fit only, where there are enough others. A review also changes what earlier pairs say: it fits
better to items like them, and takes likely matches away from the items that they were a sample of.
So its latest random screens count, and as many pairs like those matches leave the sample.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from gentle_clip_jax.aligners.refits import LEAST_PAIRS
from gentle_clip_jax.evaluation.held_out_pairs import HeldOutPairs
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.origins import RANDOM, REVIEWED, Origins

FAR = 3.0  # standard errors of `HeldOutPairs.pair_bias`
_LEAST_FOUND = 3  # pairs of a fair sample, beside items whose partner was not found


class Fair(NamedTuple):
    """Pairs that count as a random sample of the items to match, or of those before a review.

    rows: [p] which of the pairs. reviewed: [p] which ones a review chose.
    later: [p] number of pairs that a review chose after each; of_missed: [m] after each item that
      was drawn at random and whose partner was not found.
    drawn: number of pairs in `rows` that are known to be drawn at random.
    """

    rows: np.ndarray
    reviewed: np.ndarray
    later: np.ndarray
    of_missed: np.ndarray
    drawn: int

    @property
    def missed(self) -> int:
        """Number of items drawn at random whose partner was not found."""
        return len(self.of_missed)

    @property
    def is_drawn(self) -> bool:
        """Whether all `rows` are known to be drawn at random, so that no test of bias is needed."""
        return self.drawn == int(self.rows.sum())

    def missed_partners(self, share: float, x: int, y: int) -> int:
        """Return how many of the missed items have a partner; matches of these are wrong.

        Args:
          share: of the items of x to match that have a partner. x, y: numbers of items to match.
        """
        confirmed = self.drawn + int(self.reviewed.sum())
        of_y = min(1.0, (share * x + confirmed) / (y + confirmed))
        return int(np.clip(round(of_y * (self.drawn + self.missed)) - self.drawn, 0, self.missed))

    def taken(self, items: int) -> int:
        """Return how many items of the sample would be in pairs that a review chose later.

        Args:
          items: number of items to match.
        """
        later = np.concatenate([self.later[self.rows], self.of_missed])
        return round(float(np.sum(later / (items + later))))


def lacking_pairs(pairs: int, missed: int) -> int:
    """Return how many more items must be drawn at random until a fair sample suffices."""
    return max(0, LEAST_PAIRS - pairs - missed, _LEAST_FOUND - pairs)


def fair_pairs(origins: Origins, ids: np.ndarray, item: Mapping[str, str]) -> Fair:
    """Return the pairs drawn at random if they suffice, or else all that are not known as chosen.

    Random screens of a review count if at least half of the pairs that it chose came before, and
    the latest 60 in any case. Pairs of unknown origin count unless a review chose more than these.

    Args:
      ids: [p] of the items of x in the pairs, as `read_matched` joins items.
      item: the item, after that, of each id of x.
    """
    half = sum(word == REVIEWED for *_, word in origins.lines) / 2
    chosen, reviewed, later, missed = set(), set(), {}, []
    for of_x, of_y, word in reversed(origins.lines):
        if word != RANDOM:
            chosen.add(item.get(of_x))
            if word == REVIEWED:
                reviewed.add(item.get(of_x))
        elif len(reviewed) <= half or len(later) + len(missed) < LEAST_PAIRS:
            if of_x and of_y:
                later[item.get(of_x)] = len(reviewed)
            else:
                missed.append(len(reviewed))
    pairs = ids.tolist()
    is_chosen, is_reviewed, is_drawn = (
        np.array([of_x in some for of_x in pairs], bool) for some in (chosen, reviewed, later)
    )
    is_drawn &= ~is_chosen
    suffices = not lacking_pairs(int(is_drawn.sum()), len(missed))
    is_stale = is_reviewed.sum() > np.sum(~is_chosen)
    rows = is_drawn if suffices or is_stale else ~is_chosen
    count = np.array([later.get(of_x, len(reviewed)) for of_x in pairs])
    return Fair(rows, is_reviewed, count, np.array(missed, int), int(is_drawn.sum()))


def fair_evidence(evidence: HeldOutPairs, fair: Fair) -> HeldOutPairs:
    """Return the evidence of the fair sample alone, or all of it where that does not suffice."""
    rows, reviewed = (np.flatnonzero(of[evidence.pairs]) for of in (fair.rows, fair.reviewed))
    if lacking_pairs(len(rows), fair.missed):
        return evidence
    count = min(fair.taken(int(evidence.galleries[0])), len(rows) - 1)
    ranks = np.log(evidence.to_y.ranks)
    taken = np.sort(ranks[reviewed])[evenly(len(reviewed), count)]
    return evidence.taking(without(rows, ranks[rows], taken))


def evenly(size: int, count: int) -> np.ndarray:
    """Return numbers of `count` of so many sorted values that stand for all of them."""
    return ((np.arange(count) + 0.5) * size / max(1, count)).astype(int)


def without(rows: np.ndarray, scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return rows without one for each of the other scores: that of the nearest score."""
    for score in others:
        nearest = np.argmin(np.abs(scores - score))
        rows, scores = np.delete(rows, nearest), np.delete(scores, nearest)
    return rows


def item_of(before: Collection, after: Collection) -> dict[str, str]:
    """Return the item of each id, as `read_matched` joins items."""
    return dict(zip(before.ids.tolist(), after.ids.tolist()))
