"""A fit that is quick enough to be made while a person goes on: gentle transport, made lean.

What does not change with the pairs is done once: features are standardised, taken to their leading
directions, and averaged with their neighbours. No setting is chosen by cross-validation.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.aligners.closed_form.cca import Maps, cca
from gentle_clip_jax.aligners.closed_form.neighbours import smooth
from gentle_clip_jax.aligners.closed_form.shrinkage import OF_FEW_PAIRS
from gentle_clip_jax.aligners.closed_form.transported import few_pairs_weight, transported_cca
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.aligners.standardize import Standardizer
from gentle_clip_jax.review.sides import Side

_DIRECTIONS = 256
_UNMATCHED = 1000  # of each modality, which make a plan
_ROUNDS = 3
PAIRS_ALONE = ("cca", "ridge", "procrustes", "relative")


class Fit(NamedTuple):
    """What every refit begins with.

    x [n, d], y [m, e]: standardised features of items in their leading directions.
    neighbours: [n, d] the mean of the neighbours of each x.
    planned: whether unmatched items take part, as they did in the aligner.
    """

    x: np.ndarray
    y: np.ndarray
    neighbours: np.ndarray
    planned: bool

    def embedded(self, of_x: np.ndarray, of_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Unit rows [n, k] and [m, k] of all items by pairs of numbers of_x [p] and of_y [p].

        Raises:
          ValueError: there are fewer than two pairs.
        """
        weight = 0.8 * few_pairs_weight(len(of_x)) if self.planned else 0.0
        x, y = (1 - weight) * self.x + weight * self.neighbours, self.y
        maps = cca(jnp.asarray(x[of_x]), jnp.asarray(y[of_y]), shrinkage=OF_FEW_PAIRS)
        if self.planned:
            maps = self._planned(maps, x, of_x, of_y)
        return np.asarray(maps.embed_x(jnp.asarray(x))), np.asarray(maps.embed_y(jnp.asarray(y)))

    def _planned(self, maps: Maps, x: np.ndarray, of_x: np.ndarray, of_y: np.ndarray) -> Maps:
        rng = np.random.default_rng(0)
        # Always as many, so that a refit compiles little; twice an item does no harm.
        rest = [
            rng.permutation(np.setdiff1d(np.arange(len(rows)), of))[:_UNMATCHED]
            for rows, of in ((x, of_x), (self.y, of_y))
        ]
        if not all(map(len, rest)):
            return maps
        rows = [x[of_x], self.y[of_y], x[rest[0]], self.y[rest[1]]]
        features = Features(*(jnp.asarray(part[:, None]) for part in rows))
        shrinkage = OF_FEW_PAIRS if len(of_x) < 60 else None
        return transported_cca(features, maps, shrinkage=shrinkage, rounds=_ROUNDS)


def prepare(x: Side, y: Side, method: str) -> Fit:
    """What refits begin with; method: of the aligner, which says if unmatched items take part."""
    of_x, of_y = (_leading(side.means(side.features)) for side in (x, y))
    planned = method not in PAIRS_ALONE
    neighbours = of_x
    if planned:
        neighbours = np.asarray(smooth(jnp.asarray(of_x), jnp.asarray(of_x), weight=1.0))
    return Fit(of_x, of_y, neighbours, planned)


def _leading(rows: np.ndarray) -> np.ndarray:
    """Standardised rows [n, d] turned to their leading directions [n, k]."""
    rows = Standardizer.of(rows).rows(rows)
    if rows.shape[1] <= _DIRECTIONS:
        return rows
    _, vectors = np.linalg.eigh(rows.T @ rows)
    return rows @ vectors[:, -_DIRECTIONS:]
