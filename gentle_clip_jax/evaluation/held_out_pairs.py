"""Nearest candidates of held-out pairs: the evidence from which matches are calibrated.

Each pair is held out once from a fit to the others, and its items are queries among all unmatched
ones. The evidence has the 48 nearest candidates of every query, with their cosines and the sum
over all candidates at each temperature: enough to calibrate later without another fit.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from gentle_clip_jax.evaluation.nearest import (
    NEAREST,
    TIE,
    blocks_of_cosines,
    greatest,
    log_total,
)

_SUMMED = (
    16384  # items of a gallery over which sums at all temperatures are taken; more are sampled
)
TEMPERATURES = np.geomspace(0.01, 10, 71)  # steps of 10 %, finer than 1,000 pairs can resolve


class Rows(NamedTuple):
    """Unit rows x [n, k] and y [m, k] as queries, and as they are ranked for the other modality.

    The two are one where no gallery is smoothed.
    """

    x: np.ndarray
    y: np.ndarray
    ranked_x: np.ndarray
    ranked_y: np.ndarray


class Direction(NamedTuple):
    """Searches of k held-out items among the unmatched items of the other modality.

    candidate: [k, c] row numbers of the nearest unmatched items, nearest first, c at most 48.
    cosine: [k, c] with them.
    partner: [k] cosine with the item's own partner.
    above, ties: [k] number of unmatched items nearer than the partner, and of those that tie.
    log_total: [k, t] log of the sum over all unmatched items of exp(cosine / T) at all T.
    """

    candidate: np.ndarray
    cosine: np.ndarray
    partner: np.ndarray
    above: np.ndarray
    ties: np.ndarray
    log_total: np.ndarray

    @property
    def ranks(self) -> np.ndarray:
        """Rank [k] of the partner, from 1; half of those that tie with it are before it."""
        return 1 + self.above + self.ties / 2

    @property
    def log_probability(self) -> np.ndarray:
        """Log p(y | x) [k, t] of the partner at all temperatures."""
        logits = self.partner[:, None] / TEMPERATURES
        return logits - np.logaddexp(self.log_total, logits)

    def first_choices(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Return p(y | x) [k] of the nearest item, the partner being in the gallery, and whether it
        is the partner: from 0 to 1, one in so many where others tie with it.

        Args:
          place: index of T in `TEMPERATURES`.
        """
        nearer = np.maximum(self.cosine[:, 0] - self.partner, 0)
        probability = np.exp(self.log_probability[:, place] + nearer / TEMPERATURES[place])
        return np.minimum(probability, 1), (nearer <= TIE) / (1 + self.ties)

    def first_without_partner(self, place: int) -> np.ndarray:
        """Return p(y | x) [k] of the nearest unmatched item, were the partner not in the gallery.

        place: as in `first_choices`.
        """
        logits = self.cosine[:, 0] / TEMPERATURES[place]
        return np.exp(np.minimum(logits - self.log_total[:, place], 0))


# For each fold the numbers of its pairs, and a function that fits without them and returns the rows
# of these pairs, and of all unmatched items.
Folds = Iterable[tuple[np.ndarray, Callable[[np.ndarray], tuple[Rows, Rows]]]]


class HeldOutPairs(NamedTuple):
    """Evidence of k held-out pairs.

    pairs: [k] which pairs of the problem; fold: [k] which fit did not see them.
    to_y: searches of their x among y; to_x: of their y among x.
    rivals: [2, k, ceil(k / 8)] packed bits, for to_y and to_x: which other pairs of its fold are as
      near to an item as its own partner is, or nearer.
    galleries: [2] number of unmatched items of x and of y that were searched.
    uses_unmatched: whether the fits have learned from unmatched items too.
    """

    pairs: np.ndarray
    fold: np.ndarray
    to_y: Direction
    to_x: Direction
    rivals: np.ndarray
    galleries: np.ndarray
    uses_unmatched: bool

    @property
    def pair_bias(self) -> float:
        """Excess, in standard errors, of held-out partners that are nearest among the unmatched
        items over those among as many held-out ones of the same fold.

        For pairs that are a random sample of the items to match, both rates are equal.
        """
        peers = np.bincount(self.fold)[self.fold] - 1
        return max(
            _standard_errors(_surplus(rivals.sum(axis=1), peers, among, int(count)))
            for rivals, among, count in zip(
                _unpacked(self.rivals), (self.to_y, self.to_x), self.galleries[::-1]
            )
        )

    def taking(self, rows: np.ndarray) -> "HeldOutPairs":
        """Return the evidence of some of the pairs: their numbers [r], or a mask [k]."""
        to_y, to_x = (Direction(*(part[rows] for part in of)) for of in (self.to_y, self.to_x))
        return self._replace(
            pairs=self.pairs[rows],
            fold=self.fold[rows],
            to_y=to_y,
            to_x=to_x,
            rivals=np.packbits(_unpacked(self.rivals)[:, rows][:, :, rows], axis=2),
        )

    def numbered(self, unmatched_x: np.ndarray, unmatched_y: np.ndarray) -> "HeldOutPairs":
        """Return the same with other numbers [u], [v] for the unmatched items."""
        return self._replace(
            to_y=self.to_y._replace(candidate=unmatched_y[self.to_y.candidate]),
            to_x=self.to_x._replace(candidate=unmatched_x[self.to_x.candidate]),
        )


def hold_out_pairs(folds: Folds, *, uses_unmatched: bool) -> HeldOutPairs:
    """Search for the partners of held-out pairs.

    Args:
      folds: see `Folds`. uses_unmatched: see `HeldOutPairs`.
    """
    from scipy.linalg import block_diag  # slow to load

    pairs, numbers, to_y, to_x, nearer = [], [], [], [], ([], [])
    galleries = np.zeros(2, np.int32)
    for number, (fold, fit) in enumerate(folds):
        own, others = fit(fold)
        galleries = np.array([len(others.x), len(others.y)], np.int32)
        to_y.append(_direction(own.x, own.ranked_y, others.ranked_y))
        to_x.append(_direction(own.y, own.ranked_x, others.ranked_x))
        nearer[0].append(_rivals(own.x @ own.ranked_y.T))
        nearer[1].append(_rivals(own.y @ own.ranked_x.T))
        pairs.append(fold)
        numbers.append(np.full(len(fold), number))
    return HeldOutPairs(
        np.concatenate(pairs).astype(np.int32),
        np.concatenate(numbers).astype(np.int32),
        _joined(to_y),
        _joined(to_x),
        np.stack([np.packbits(np.asarray(block_diag(*blocks)), axis=1) for blocks in nearer]),
        galleries,
        uses_unmatched,
    )


def _direction(queries: np.ndarray, partners: np.ndarray, gallery: np.ndarray) -> Direction:
    """Search for held-out items [k, d] in a gallery [m, d]; partners [k, d] as they are ranked."""
    partner, count, parts = np.sum(queries * partners, axis=1), min(NEAREST, len(gallery)), []
    for start, cosines in blocks_of_cosines(queries, gallery):
        index = greatest(cosines, count)
        further = cosines - partner[start : start + len(cosines), None]
        above = np.sum(further > TIE, axis=1)
        every = -(-len(gallery) // _SUMMED)
        totals = [log_total(cosines[:, ::every], t) + np.log(every) for t in TEMPERATURES]
        ties = np.sum(further >= -TIE, axis=1) - above
        nearest = np.take_along_axis(cosines, index, axis=1)
        parts.append((index, nearest, above, ties, np.stack(totals, axis=1)))
    index, nearest, above, ties, totals = (np.concatenate(part) for part in zip(*parts))
    return Direction(
        index.astype(np.int32),
        nearest,
        partner,
        above.astype(np.int32),
        ties.astype(np.int32),
        totals.astype(np.float32),
    )


def _joined(parts: list[Direction]) -> Direction:
    return Direction(*(np.concatenate(part) for part in zip(*parts)))


def _rivals(cosines: np.ndarray) -> np.ndarray:
    """Return which pairs of a fold are as near to an item as its partner is: bool [f, f]."""
    partner = np.diagonal(cosines)[:, None]
    return (cosines - partner >= -TIE) & ~np.eye(len(cosines), dtype=bool)


def _unpacked(rivals: np.ndarray) -> np.ndarray:
    """Return packed bits of k pairs as numbers 0 and 1: [2, k, k]."""
    return np.unpackbits(np.asarray(rivals), axis=2, count=rivals.shape[1])


def _surplus(rivals: np.ndarray, peers: np.ndarray, among: Direction, count: int) -> np.ndarray:
    """Return the surplus [k] of partners nearest among unmatched items over those among peers.

    Args:
      rivals: [k] number of the peers that are as near as the partner; peers: [k] number of all.
      among: the searches of the same items among `count` unmatched ones.
    """
    fewer = np.minimum(peers, count)
    before = among.above + among.ties
    return _chance_first(before, count, fewer) - _chance_first(rivals, peers, fewer)


def _chance_first(before: np.ndarray, of: int | np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return the chance [k] that none of the items before the partner is drawn, of so many items.

    By the hypergeometric distribution.
    """
    from scipy.special import gammaln  # slow to load, and scipy.stats slower

    ways, every = (gammaln(n + 1) - gammaln(n - drawn + 1) for n in (of - before, of))
    return np.exp(ways - every)


def _standard_errors(values: np.ndarray) -> float:
    error = np.std(values) / np.sqrt(len(values))
    return float(np.mean(values) / error) if error else 0.0
