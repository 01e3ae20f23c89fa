"""Probabilities of candidates and matches, and the expected number of right matches."""

import numpy as np

from gentle_clip_jax.evaluation.nearest import Nearest
from gentle_clip_jax.matching.calibrated import Calibration
from gentle_clip_jax.matching.calibration import Platt
from gentle_clip_jax.matching.matches import Candidates, Expected


def is_share(value: object) -> bool:
    """Return whether a value is a number above 0 and up to 1."""
    return isinstance(value, float | int | np.floating | np.integer) and bool(0 < value <= 1)


def candidates_of(
    items: tuple[np.ndarray, np.ndarray],
    near: tuple[Nearest, Nearest],
    calibration: Calibration,
    share: float | None,
) -> tuple[Candidates, Candidates]:
    """Return the candidates of x and of y, with probabilities where there is a share.

    The share of x gives the number of partners for y, at most one each.

    Args:
      items: numbers of the unmatched items of x and of y.
      near: the nearest y of each x, and the nearest x of each y.
    """
    (of_x, of_y), (near_y, near_x) = items, near
    share = share if calibration.shown else None
    back = None if share is None else min(1.0, share * len(of_x) / len(of_y))
    to_y = _probability(near_y, calibration.to_y, calibration.first_y.platt, share)
    to_x = _probability(near_x, calibration.to_x, calibration.first_x.platt, back)
    return (
        Candidates(of_x, of_y[near_y.index], near_y.cosine, to_y),
        Candidates(of_y, of_x[near_x.index], near_x.cosine, to_x),
    )


def _probability(
    near: Nearest, temperature: float, platt: Platt, share: float | None
) -> np.ndarray:
    """Return probabilities of all candidates [n, c]; NaN where there is no share."""
    if share is None:
        return np.full(near.cosine.shape, np.nan)
    return share * scaled(near.probability(near.cosine, temperature), platt)


def scaled(plain: np.ndarray, platt: Platt) -> np.ndarray:
    """Return calibrated probabilities of candidates [n, c], likeliest first.

    The other candidates lose the gain of the first one; none overtakes it.
    """
    first = platt(plain[:, :1])
    others = plain[:, 1:] * (1 - first) / np.maximum(1 - plain[:, :1], 1e-6)
    return np.concatenate([first, np.minimum(others, first)], axis=1)


def runner_up(of_x: Candidates, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the likeliest y other than the chosen one, -1 for none, and its probability."""
    rows = np.arange(len(chosen))
    if of_x.candidate.shape[1] < 2:
        return np.full(len(chosen), -1), np.full(len(chosen), np.nan)
    place = (of_x.candidate[:, 0] == chosen).astype(int)
    return of_x.candidate[rows, place], of_x.probability[rows, place]


def expected_right(probability: np.ndarray, factors: np.ndarray) -> Expected:
    """Return the expected number of right matches.

    The interval covers posterior samples of the scaling, [samples] factors, and chance.
    """
    rng = np.random.default_rng(0)
    right = [np.sum(rng.random(len(probability)) < probability * factor) for factor in factors]
    return Expected(float(probability.sum()), *map(float, np.quantile(right, [0.025, 0.975])))
