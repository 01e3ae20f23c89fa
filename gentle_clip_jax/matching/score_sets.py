"""Prediction sets from the scores of another program: the rows that hold the partner of an item."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.matching.calibration import Platt
from gentle_clip_jax.matching.probabilities import scaled
from gentle_clip_jax.matching.row_softmax import HeldOut, Softmax
from gentle_clip_jax.matching.scores import Scores
from gentle_clip_jax.matching.sets import has_none, least_scores

_CELLS = 2**22  # candidates at a time


class ScoreSets(NamedTuple):
    """Prediction sets of n items of x.

    rows: their members, likeliest first: dicts of x, y ("" for no partner) and probability.
    size: [n] number of items of y in each set. none: [n] whether "no partner" is in it.
    """

    rows: list[dict[str, Any]]
    size: np.ndarray
    none: np.ndarray


def sets_of(
    table: Scores,
    items: np.ndarray,
    softmax: Softmax,
    platt: Platt,
    held: HeldOut,
    share: float,
    coverage: float,
) -> ScoreSets | None:
    """Return the prediction sets of items, None if too few known partners have a row for them.

    A row is in the set of its x if p(y | x) is not too low for a partner; below a share of 1, "no
    partner" is if p(y | x) of the best row is not too high for an x without a partner. Each of the
    two has the coverage on its own, see `sets`.

    Args:
      softmax: for p(y | x). platt: scaling of the best candidate.
      held: probabilities of known items. A partner without a row is in no set of rows.
    """
    if np.sum(np.isnan(held.partner)) >= (1 - coverage) * (len(held.partner) + 1):
        return None
    least = least_scores(held.partner, len(items), coverage)
    none, size = np.zeros(len(items), bool), np.zeros(len(items), int)
    if share < 1:
        none = has_none(softmax.of_first(table, items), held.other, coverage)
    members = []
    for block in _blocks(table, items):
        plain = _plain(table, items[block], softmax)
        probability = share * scaled(plain, platt)
        probability = np.column_stack([probability, 1 - np.nansum(probability, axis=1)])
        is_row = plain >= least[block, None]  # NaN is not
        size[block] = np.sum(is_row, axis=1)
        place, column = np.nonzero(np.column_stack([is_row, none[block]]))
        order = np.lexsort((-probability[place, column], place))
        place, column = place[order], column[order]
        is_none, item = column == plain.shape[1], items[block[place]]
        row = table.start[item] + np.where(is_none, 0, column)
        y = np.where(is_none, "", table.y[table.candidate[row]])
        members += zip(*(one.tolist() for one in (table.x[item], y, probability[place, column])))
    members.sort(key=lambda one: one[0])  # blocks are by the number of candidates
    return ScoreSets([dict(zip(("x", "y", "probability"), one)) for one in members], size, none)


def _blocks(table: Scores, items: np.ndarray) -> Iterator[np.ndarray]:
    """Yield places of items with similarly many candidates, so that few cells are empty."""
    sizes = np.diff(table.start)[items]
    count = 1 + len(items) * int(sizes.max()) // _CELLS
    ordered = np.argsort(sizes, kind="stable")
    yield from (block for block in np.array_split(ordered, count) if len(block))


def _plain(table: Scores, items: np.ndarray, softmax: Softmax) -> np.ndarray:
    """Return p(y | x) of the candidates [n, c] of items, NaN for none."""
    sizes = np.diff(table.start)[items]
    place = np.arange(sizes.max())
    is_row = place < sizes[:, None]
    rows = np.where(is_row, table.start[items][:, None] + place, 0)
    logits = table.score[rows] / softmax.temperature
    total = softmax.log_totals(table, items)
    return np.where(is_row, np.exp(np.minimum(logits - total[:, None], 0)), np.nan)
