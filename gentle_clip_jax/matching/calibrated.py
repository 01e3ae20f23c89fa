"""What held-out pairs say about an aligner's cosines: the numbers behind all probabilities."""

import functools
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.matching import calibration
from gentle_clip_jax.matching.assignment import assign
from gentle_clip_jax.matching.calibration import OFFSET, TEMPERATURES, Events, Platt
from gentle_clip_jax.matching.held_out import Cosines, Fold, HeldOut
from gentle_clip_jax.matching.nearest import NEAREST, nearest

LEAST_PAIRS = 60  # of fewer, no probability is shown
_OF_FEW = 0.12  # the temperature of cosines where pairs are too few to say; they chose it near 100
_FAR = 3.0  # standard errors
_COUNTED = 2.0  # first choices that are thought to be as expected, beside those that are counted
_OF_ASSIGNED = 1.0  # the offset that is thought likely: one-to-one knows what p(y | x) does not


class Choices(NamedTuple):
    """What held-out pairs say about choices.

    platt: from p(y | x) of a candidate y to how often such a one is right. Fitted to all that are
      shown of an x: few first choices are right, and their number alone is mostly chance.
    factors: [100] by how much the mean of that differs under others that are as likely.
    """

    platt: Platt
    factors: np.ndarray


class Calibration(NamedTuple):
    """Fitted to held-out pairs.

    to_y, to_x, group_temperature: temperatures of cosines from x to y, from y to x, and of groups.
    first_y, first_x: of the nearest y of an x, and the nearest x of a y.
    platt: for the probability of the likeliest group.
    threshold: the share from which on a group is in the set that holds the right one in 90 %.
    first, among: share of held-out x that find their partner first, and among the 48 nearest y;
      None where none were held out.
    apart: by how many standard errors held-out partners are oftener first among items to match
      than among as many held-out ones; None likewise.
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
    apart: float | None

    @classmethod
    def of_few(cls, pairs: int) -> "Calibration":
        """What orders matches where pairs are too few for probabilities: none is held out."""
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
            apart=None,
        )

    @property
    def shown(self) -> bool:
        """Whether the pairs are enough for probabilities."""
        return self.pairs >= LEAST_PAIRS

    @property
    def stands_out(self) -> bool:
        """Whether the held-out pairs are of another kind than the items to match."""
        return self.apart is not None and self.apart > _FAR

    @property
    def about(self) -> dict[str, Any]:
        """The same for JSON."""
        platts = {"first_y": self.first_y.platt, "first_x": self.first_x.platt, "platt": self.platt}
        return {**self._asdict(), **{name: one._asdict() for name, one in platts.items()}}


def calibrate(held: HeldOut, own: np.ndarray, group: np.ndarray) -> Calibration:
    """Fits temperatures, and what becomes of first choices and of groups.

    Args:
      held: cosines of held-out pairs.
      own: [k] the group of each held-out y, from 0.
      group: [v] that of each unmatched y.
    """
    to_y = calibration.grid(held.to_y, group[held.drawn_y], own)
    to_x = calibration.grid(held.to_x)
    rows = np.arange(len(own))
    best = calibration.likeliest(np.log(np.maximum(to_y.groups[:, rows, own], 1e-30)))
    shares = to_y.groups[best]
    likeliest = np.argmax(shares, axis=1)
    best_y, best_x = calibration.likeliest(to_y.partner), calibration.likeliest(to_x.partner)
    ranks = calibration.ranks(held.to_y)
    choices = functools.partial(_choices, counted=held.unmatched)
    return Calibration(
        pairs=len(own),
        to_y=float(TEMPERATURES[best_y]),
        to_x=float(TEMPERATURES[best_x]),
        group_temperature=float(TEMPERATURES[best]),
        first_y=choices(calibration.candidates(held.to_y, to_y, best_y, NEAREST)),
        first_x=choices(calibration.candidates(held.to_x, to_x, best_x, NEAREST)),
        platt=calibration.platt(shares[rows, likeliest], likeliest == own),
        threshold=calibration.conformal_threshold(shares, own),
        first=float(np.mean(ranks < 1.5)),
        among=float(np.mean(ranks <= NEAREST)),
        apart=_apart(held),
    )


def _apart(held: HeldOut) -> float:
    """Of both ways the larger.

    Pairs that are drawn at random from what is to be matched are first as often among either.
    """
    to_y, to_x, start = [], [], 0
    for fold in held.folds:
        x, y, ranked_x, ranked_y = fold.pairs
        rows = slice(start, start + len(x))
        to_y.append(calibration.surplus(_peers(x @ ranked_y.T), held.to_y.of(rows)))
        to_x.append(calibration.surplus(_peers(y @ ranked_x.T), held.to_x.of(rows)))
        start += len(x)
    return max(_standard_errors(np.concatenate(way)) for way in (to_y, to_x))


def _peers(cosines: np.ndarray) -> Cosines:
    """Of f items and the partners [f, f] of all of them."""
    others = cosines[~np.eye(len(cosines), dtype=bool)].reshape(len(cosines), -1)
    return Cosines(others, np.diagonal(cosines), 1.0)


def _standard_errors(values: np.ndarray) -> float:
    """How many the mean is away from 0."""
    error = np.std(values) / np.sqrt(len(values))
    return float(np.mean(values) / error) if error else 0.0


def calibrate_assigned(held: HeldOut, known: Calibration) -> Choices:
    """What becomes of p(y | x) where y is what one-to-one gives to x.

    That x and y are left over for each other says more than x alone does. So the held-out pairs of
    each fold are mixed with the unmatched items, and all are matched one to one.
    """
    parts = [_assigned(fold, (known.to_y, known.to_x)) for fold in held.folds]
    probability, right = (np.concatenate(part)[:, None] for part in zip(*parts))
    return _choices(Events(probability, right, np.ones_like(probability)), offset=_OF_ASSIGNED)


def _choices(events: Events, *, offset: float = OFFSET, counted: bool = False) -> Choices:
    """Of candidates of items [k, c], the first of which is chosen.

    A method that fits unmatched items to each other is surer of the nearest candidate than of the
    others for no reason that these show. Of such a one, first choices are counted too: the
    probabilities move by the logarithm of how many are right to how many would be.
    """
    if not len(events.right):
        return Choices(Platt(1.0, 0.0), np.ones(1))
    found = calibration.platt(*events, offset=offset)
    others = calibration.as_likely(found, events.probability, events.weight, offset=offset)
    if counted:
        said = np.sum(found(events.probability[:, 0])) + _COUNTED
        right = np.sum(events.right[:, 0]) + _COUNTED
        # What else the number may be is that of a Poisson process: a gamma distribution.
        likely = np.random.default_rng(0).gamma(right, size=len(others))
        found, *others = (
            one._replace(offset=one.offset + np.log(number / said))
            for one, number in zip((found, *others), (right, *likely))
        )
    means = [np.mean(platt(events.probability[:, 0])) for platt in (found, *others)]
    return Choices(found, np.array(means[1:]) / means[0])


def _assigned(fold: Fold, temperatures: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """p(y | x) of the matches of a fold's pairs that have one, and whether each is right."""
    rows = fold.others.then(fold.pairs)
    of_x = nearest(rows.x, rows.ranked_y, temperatures[0])
    of_y = nearest(rows.y, rows.ranked_x, temperatures[1])
    first_x, first_y = len(fold.others.x), len(fold.others.y)
    found = assign(rows, of_x, of_y, temperatures)[first_x:]
    cosine = np.sum(fold.pairs.x * rows.ranked_y[found], axis=1)
    probability = np.exp(cosine / temperatures[0] - of_x.log_total[first_x:])
    right = found == first_y + np.arange(len(found))
    return probability[found >= 0], right[found >= 0]
