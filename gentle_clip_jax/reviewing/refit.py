"""Quick refits during a review: gentle transport without cross-validation.

Features are prepared once: standardised, projected on their leading directions, and averaged with
their neighbours. The closed forms of `aligners` then run on NumPy arrays, without compilation for
each number of pairs; no setting is chosen by cross-validation.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.aligners.closed_form.arrays import Array, unit_rows
from gentle_clip_jax.aligners.closed_form.cca import Maps, cca
from gentle_clip_jax.aligners.closed_form.gentle import most_shrinkage
from gentle_clip_jax.aligners.closed_form.neighbours import smooth
from gentle_clip_jax.aligners.closed_form.transported import few_pairs_weight, transported_cca
from gentle_clip_jax.aligners.methods import OF_PAIRS
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.aligners.settings import GentleTransport, Review, Shrinkage
from gentle_clip_jax.aligners.standardize import Standardizer
from gentle_clip_jax.features.collection import Collection

Two = tuple[np.ndarray, np.ndarray]


class Turned(NamedTuple):
    """Raw features [n, d], standardised and turned to their leading directions [n, k]."""

    standard: Standardizer
    axes: np.ndarray | None

    def rows(self, raw: np.ndarray) -> np.ndarray:
        """Return rows [n, k] of raw features [n, d]."""
        rows = self.standard.rows(raw)
        return rows if self.axes is None else rows @ self.axes


class Fit(NamedTuple):
    """The part of a fit that does not depend on the pairs.

    x [n, d], y [m, e]: standardised features of items in their leading directions.
    neighbours: [n, d] the mean of the neighbours of each x.
    planned: whether unmatched items take part, as they did in the aligner.
    turned: the transforms that made x and y of raw features.
    """

    x: np.ndarray
    y: np.ndarray
    neighbours: np.ndarray
    planned: bool
    turned: tuple[Turned, Turned]

    def fitted(self, of_x: np.ndarray, of_y: np.ndarray, weight: np.ndarray) -> "Fitted":
        """Fit the maps to pairs.

        Args:
          of_x, of_y: [p] numbers of the items.
          weight: [p] how much each pair counts, 1 for one that is confirmed.

        Raises:
          ValueError: there are fewer than two pairs.
        """
        if len(of_x) < 2:
            raise ValueError("A refit needs two pairs or more: confirm more.")
        few = few_pairs_weight(round(float(weight.sum())))
        smoothing = GentleTransport.neighbours * few if self.planned else 0.0
        items = self._smoothed(smoothing), self.y
        x, y = (rows[of] for rows, of in zip(items, (of_x, of_y)))
        weight = weight.astype(x.dtype)
        maps = cca(x, y, weight, shrinkage=Shrinkage.few_pairs)
        if self.planned:
            rest = (_unmatched(rows, of) for rows, of in zip(items, (of_x, of_y)))
            arrays: list[Array] = [rows[:, None] for rows in (x, y, *rest)]
            features = Features(*arrays)
            shrinkage = most_shrinkage(few)
            maps = transported_cca(
                features, maps, weights=weight, shrinkage=shrinkage, rounds=Review.rounds
            )
        return Fitted(self, maps, smoothing)

    def own(self) -> Two:
        """Return unit rows [n, k] and [m, k] for similarity within one modality.

        They do not depend on pairs: the first 64 directions, x half-way to its neighbours, as in
        `ask`.
        """
        leading = (
            rows[:, -Review.own_dimensions :] for rows in ((self.x + self.neighbours) / 2, self.y)
        )
        x, y = (unit_rows(rows - rows.mean(axis=0)) for rows in leading)
        return x, y

    def embedded(self, of_x: np.ndarray, of_y: np.ndarray, weight: np.ndarray) -> Two:
        """Return unit rows [n, k] and [m, k] of all items; see `fitted`."""
        return self.fitted(of_x, of_y, weight).embedded()

    def _smoothed(self, weight: float) -> np.ndarray:
        return (1 - weight) * self.x + weight * self.neighbours


class Fitted(NamedTuple):
    """Maps into the joint space; smoothing: weight of the neighbours of an x."""

    fit: Fit
    maps: Maps
    smoothing: float

    def embedded(self) -> Two:
        """Return unit rows [n, k] and [m, k] of the items of the fit."""
        return self.maps.embed_x(self.fit._smoothed(self.smoothing)), self.maps.embed_y(self.fit.y)

    def embed_x(self, raw: np.ndarray) -> np.ndarray:
        """Return unit rows [n, k] of raw features [n, d] of other items of x."""
        rows = self.fit.turned[0].rows(np.asarray(raw))
        if self.smoothing:
            rows = np.asarray(smooth(rows, self.fit.x, weight=self.smoothing))
        return self.maps.embed_x(rows)

    def embed_y(self, raw: np.ndarray) -> np.ndarray:
        """Return unit rows [m, k] of raw features [m, e] of other items of y."""
        return self.maps.embed_y(self.fit.turned[1].rows(np.asarray(raw)))


def prepare(x: Collection, y: Collection, method: str) -> Fit:
    """Prepare refits; the method of the aligner decides whether unmatched items take part."""
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
    if rows.shape[1] <= Review.dimensions:
        return Turned(standard, None)
    rows = standard.rows(rows)
    _, vectors = np.linalg.eigh(rows.T @ rows)
    return Turned(standard, vectors[:, -Review.dimensions :])


def _unmatched(rows: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return items without a partner, as many as a plan takes; the same order each time."""
    order = np.random.default_rng(0).permutation(len(rows))
    return rows[order[~np.isin(order, of)][: Review.unmatched]]
