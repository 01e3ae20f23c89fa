"""Sample of the items that an aligner was fitted to, to recognise items of another kind."""

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from gentle_clip_jax.aligners.closed_form.arrays import unit_rows
from gentle_clip_jax.aligners.standardizer import Standardizer

if TYPE_CHECKING:
    from gentle_clip_jax.aligners.problem import Problem

EXPECTED, UNLIKE = 0.05, 0.3  # share of atypical items: of the fitted ones, and to warn from
NEIGHBOURS = 10
_ITEMS, _LEAST = 1000, 100  # items of the sample
_CHECKED, _LEAST_CHECKED = 500, 20  # rows of a collection that are compared with it


class FittedSample(NamedTuple):
    """Items of a modality, matched or not, to which an aligner was fitted.

    items [n, d]: float16 unit rows of standardised features, one row of each item.
    low: 5 % quantile of their typicality.

    The typicality of a row is its mean cosine with its 10 nearest items of the sample, without the
    row's own item; a row below `low` is atypical.
    """

    items: np.ndarray
    low: float

    @classmethod
    def of(
        cls, problem: "Problem", side: str, standardizer: Standardizer, *, seed: int = 0
    ) -> Self | None:
        """Return a sample of 1,000 items of modality "x" or "y"; None of fewer than 100."""
        matched, unmatched = getattr(problem, side), getattr(problem, f"unmatched_{side}")
        first, count = len(matched), len(matched) + len(unmatched)
        if count < _LEAST:
            return None
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(count)[:_ITEMS]
        parts = matched[chosen[chosen < first]], unmatched[chosen[chosen >= first] - first]
        items = np.concatenate(parts)
        single = items[np.arange(len(items)), rng.integers(items.shape[1], size=len(items))]
        rows = unit_rows(standardizer.rows(single))
        cosines = rows @ rows.T
        np.fill_diagonal(cosines, -1)
        low = float(np.quantile(_typicality(cosines), EXPECTED))
        return cls(rows.astype(np.float16), low)

    def share_atypical(self, features: np.ndarray, standardizer: Standardizer) -> float:
        """Return the share of atypical rows among raw features [n, d]; 500 of them are compared.

        Fewer than 20 show nothing: 0.
        """
        if len(features) < _LEAST_CHECKED:
            return 0.0
        chosen = np.linspace(0, len(features) - 1, min(len(features), _CHECKED)).astype(int)
        rows = unit_rows(standardizer.rows(np.asarray(features[chosen])))
        cosines = rows @ np.asarray(self.items).astype(rows.dtype).T
        return float(np.mean(_typicality(cosines) < self.low))


def _typicality(cosines: np.ndarray) -> np.ndarray:
    return -np.partition(-cosines, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS].mean(axis=1)
