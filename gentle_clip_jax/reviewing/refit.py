"""A fit that is quick enough to be made while a person goes on: gentle transport, made lean.

What does not change with the pairs is done once: features are standardised, taken to their leading
directions, and averaged with their neighbours. No setting is chosen by cross-validation, and all is
done in NumPy: compiling for one more pair would take longer than the fit.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.aligners.closed_form.gentle import most_shrinkage
from gentle_clip_jax.aligners.closed_form.neighbours import smooth
from gentle_clip_jax.aligners.closed_form.shrinkage import OF_FEW_PAIRS
from gentle_clip_jax.aligners.closed_form.transported import few_pairs_weight
from gentle_clip_jax.aligners.methods import OF_PAIRS
from gentle_clip_jax.aligners.standardize import Standardizer
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.reviewing.queue import unit

_DIRECTIONS = 256  # of each modality
_OWN = 64  # of those, which tell items of one modality apart
_DIM = 128  # of the joint space
_UNMATCHED = 2000  # of each modality, which make a plan
_ROUNDS = 5
_EPSILON, _ITERATIONS = 0.02, 10  # of the plan
Two = tuple[np.ndarray, np.ndarray]


class Turned(NamedTuple):
    """Raw features [n, d], standardised and turned to their leading directions [n, k]."""

    standard: Standardizer
    axes: np.ndarray | None

    def rows(self, raw: np.ndarray) -> np.ndarray:
        """Rows [n, k] of raw features [n, d]."""
        rows = self.standard.rows(raw)
        return rows if self.axes is None else rows @ self.axes


class Fit(NamedTuple):
    """What every refit begins with.

    x [n, d], y [m, e]: standardised features of items in their leading directions.
    neighbours: [n, d] the mean of the neighbours of each x.
    planned: whether unmatched items take part, as they did in the aligner.
    turned: what made x and y of raw features.
    """

    x: np.ndarray
    y: np.ndarray
    neighbours: np.ndarray
    planned: bool
    turned: tuple[Turned, Turned]

    def fitted(self, of_x: np.ndarray, of_y: np.ndarray, weight: np.ndarray) -> "Fitted":
        """The maps by pairs.

        Args:
          of_x, of_y: [p] numbers of the items.
          weight: [p] how much each pair counts, 1 for one that is confirmed.

        Raises:
          ValueError: there are fewer than two pairs.
        """
        if len(of_x) < 2:
            raise ValueError("A fit takes two pairs or more.")
        few = few_pairs_weight(round(float(weight.sum())))
        smoothing = 0.8 * few if self.planned else 0.0
        sides = (1 - smoothing) * self.x + smoothing * self.neighbours, self.y
        pairs = [_Centred.of(side[of], weight) for side, of in zip(sides, (of_x, of_y))]
        cross = pairs[0].covariance(pairs[1])
        covariances = [side.covariance(side) for side in pairs]
        maps = _maps([side.mean for side in pairs], covariances, cross, OF_FEW_PAIRS)
        if self.planned:
            rest = [_others(side, of) for side, of in zip(sides, (of_x, of_y))]
            if all(len(side.rows) for side in rest):
                maps = _planned(maps, pairs, rest, few)
        return Fitted(self, maps, smoothing)

    def own(self) -> Two:
        """Unit rows [n, k] and [m, k] by which items of one side are told apart, whatever the fit.

        Their first 64 directions, x half-way to its neighbours, as `ask` has them.
        """
        x, y = ((self.x + self.neighbours) / 2, self.y)
        return unit(x[:, -_OWN:] - x[:, -_OWN:].mean(0)), unit(y[:, -_OWN:] - y[:, -_OWN:].mean(0))

    def embedded(self, of_x: np.ndarray, of_y: np.ndarray, weight: np.ndarray) -> Two:
        """Unit rows [n, k] and [m, k] of all items; arguments and errors are those of `fitted`."""
        return self.fitted(of_x, of_y, weight).embedded()


class _Maps(NamedTuple):
    means: Two
    maps: Two

    def embed(self, side: int, rows: np.ndarray) -> np.ndarray:
        return unit((rows - self.means[side]) @ self.maps[side])


class Fitted(NamedTuple):
    """Maps into the joint space; smoothing: how much the neighbours of an x count."""

    fit: Fit
    maps: _Maps
    smoothing: float

    def embedded(self) -> Two:
        """Unit rows [n, k] and [m, k] of the items of the fit."""
        x = (1 - self.smoothing) * self.fit.x + self.smoothing * self.fit.neighbours
        return self.maps.embed(0, x), self.maps.embed(1, self.fit.y)

    def embed_x(self, raw: np.ndarray) -> np.ndarray:
        """Unit rows [n, k] of raw features [n, d] of other items of x."""
        rows = self.fit.turned[0].rows(np.asarray(raw))
        if self.smoothing:
            bank = jnp.asarray(self.fit.x)
            rows = np.asarray(smooth(jnp.asarray(rows), bank, weight=self.smoothing))
        return self.maps.embed(0, rows)

    def embed_y(self, raw: np.ndarray) -> np.ndarray:
        """Unit rows [m, k] of raw features [m, e] of other items of y."""
        return self.maps.embed(1, self.fit.turned[1].rows(np.asarray(raw)))


class _Centred(NamedTuple):
    """Rows [n, d] without their mean [d], and the share of each [n]."""

    mean: np.ndarray
    rows: np.ndarray
    share: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, weight: np.ndarray) -> "_Centred":
        share = (weight / weight.sum()).astype(np.float32)
        mean = share @ rows
        return cls(mean, rows - mean, share)

    def covariance(self, other: "_Centred") -> np.ndarray:
        return (self.rows * self.share[:, None]).T @ other.rows


def _others(rows: np.ndarray, of: np.ndarray) -> _Centred:
    """Items without a partner, as many as a plan takes; the same order each time."""
    order = np.random.default_rng(0).permutation(len(rows))
    rest = rows[order[~np.isin(order, of)][:_UNMATCHED]]
    return _Centred.of(rest, np.ones(len(rest))) if len(rest) else _Centred(rest, rest, rest)


def _planned(maps: _Maps, pairs: list[_Centred], rest: list[_Centred], few: float) -> _Maps:
    """`aligners.closed_form.transported_cca` from some maps on, with the same settings."""
    mix = 0.5 + 0.3 * few
    shrinkage = most_shrinkage(few)
    known = (1 - mix) * pairs[0].covariance(pairs[1])
    means = [(1 - mix) * a.mean + mix * b.mean for a, b in zip(pairs, rest)]
    covariances = [(1 - mix) * a.covariance(a) + mix * b.covariance(b) for a, b in zip(pairs, rest)]
    whitenings = [_whitening(covariance, shrinkage) for covariance in covariances]
    for _ in range(_ROUNDS):
        plan = _plan(*(maps.embed(i, side.mean + side.rows) for i, side in enumerate(rest)))
        across = rest[0].rows.T @ (plan @ rest[1].rows) / len(plan)
        maps = _canonical(means, whitenings, known + mix * across)
    return maps


def _plan(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The entropic plan [n, m] between unit rows, times n. Source: Cuturi 2013, arXiv 1306.0895."""
    plan = x @ y.T
    plan -= plan.max(axis=1, keepdims=True)
    plan /= _EPSILON
    np.exp(plan, out=plan)
    columns = np.ones(len(y), np.float32)
    for _ in range(_ITERATIONS):
        rows = 1 / (plan @ columns)
        # A column that no row comes near keeps a finite share.
        columns = 1 / np.maximum(rows @ plan, np.float32(1e-30))
    plan *= columns
    plan /= plan.sum(axis=1, keepdims=True)
    return plan


def _maps(means, covariances, cross: np.ndarray, shrinkage: float) -> _Maps:
    """`aligners.closed_form.cca` of covariances."""
    whitenings = [_whitening(covariance, shrinkage) for covariance in covariances]
    return _canonical(means, whitenings, cross)


def _canonical(means, whitenings, cross: np.ndarray) -> _Maps:
    white_x, white_y = whitenings
    left, correlations, right = np.linalg.svd(white_x.T @ cross @ white_y, full_matrices=False)
    weight = np.sqrt(correlations[:_DIM])
    maps = white_x @ (left[:, :_DIM] * weight), white_y @ (right[:_DIM].T * weight)
    return _Maps(tuple(means), maps)


def _whitening(covariance: np.ndarray, shrinkage: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 0)
    shrunk = values + np.float32(shrinkage) * values.mean()
    # Features that never vary have nothing to correlate.
    return vectors / np.sqrt(np.where(shrunk > 0, shrunk, np.inf))


def prepare(x: Collection, y: Collection, method: str) -> Fit:
    """What refits begin with; method: of the aligner, which says if unmatched items take part."""
    rows = [side.means() for side in (x, y)]
    turned = [_turned(side) for side in rows]
    of_x, of_y = (turn.rows(side) for turn, side in zip(turned, rows))
    planned = method not in OF_PAIRS
    neighbours = of_x
    if planned:
        neighbours = np.asarray(smooth(jnp.asarray(of_x), jnp.asarray(of_x), weight=1.0))
    return Fit(of_x, of_y, neighbours, planned, (turned[0], turned[1]))


def _turned(rows: np.ndarray) -> Turned:
    standard = Standardizer.of(rows)
    if rows.shape[1] <= _DIRECTIONS:
        return Turned(standard, None)
    rows = standard.rows(rows)
    _, vectors = np.linalg.eigh(rows.T @ rows)
    return Turned(standard, vectors[:, -_DIRECTIONS:])
