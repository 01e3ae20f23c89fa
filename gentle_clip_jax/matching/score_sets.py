"""Prediction sets from the scores of another program: the rows that hold the partner of an item."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gentle_clip_jax.matching.calibration import Platt
from gentle_clip_jax.matching.probabilities import scaled
from gentle_clip_jax.matching.row_softmax import HeldOut, Softmax
from gentle_clip_jax.matching.scores import Scores
from gentle_clip_jax.matching.sets import least_pairs, prediction_sets

_CELLS = 2**22  # candidates at a time


def check_coverage(coverage: float | None, pairs: int) -> None:
    """Check that there are enough known pairs for a coverage; None is for no sets.

    Raises:
      ValueError: there are too few, or the coverage is not above 0 and below 1.
    """
    if coverage is not None and pairs < (least := least_pairs(coverage)):
        raise ValueError(
            f"coverage is {coverage}, which needs {least:,} known pairs, and there are {pairs:,}: "
            "give more pairs or a lower coverage."
        )


def held_out_scores(held: HeldOut, share: float) -> np.ndarray:
    """Return the scores [k] of the right members of the sets of known items, NaN without a row.

    Each item has its partner with probability `share`; or else, without it, "no partner" is right.
    Its score is 1 - p of the best candidate: it is high where the best candidate is unlikely.
    """
    has_partner = np.random.default_rng(0).random(len(held.first)) < share
    without = 1 - share * np.nan_to_num(held.other)
    return np.where(has_partner, share * held.partner, without)


def sets_of(
    table: Scores,
    items: np.ndarray,
    softmax: Softmax,
    platt: Platt,
    held_out: np.ndarray,
    share: float,
    coverage: float,
) -> list[dict[str, Any]]:
    """Return the members of the sets of items, likeliest first: dicts of x, y, probability.

    Below a share of 1, y is "" for no partner. There are none if no sets of rows have the coverage,
    because too few partners have a row.

    Args:
      platt: scaling of the best candidate.
      held_out: result of `held_out_scores`.
    """
    members = []
    if np.sum(np.isnan(held_out)) >= (1 - coverage) * (len(held_out) + 1):
        return []
    for number, block in enumerate(_blocks(table, items)):
        plain = _plain(table, block, softmax)
        candidates, probability = share * plain, share * scaled(plain, platt)
        if share < 1:  # no partner, as in `held_out_scores`
            candidates = np.column_stack([candidates, 1 - candidates[:, 0]])
            probability = np.column_stack([probability, 1 - np.nansum(probability, axis=1)])
        is_member = prediction_sets(held_out, candidates, coverage, seed=number)
        place, column = np.nonzero(is_member)
        order = np.lexsort((-probability[place, column], place))
        place, column = place[order], column[order]
        is_none = column == plain.shape[1]
        row = table.start[block[place]] + np.where(is_none, 0, column)
        y = np.where(is_none, "", table.y[table.candidate[row]])
        columns = table.x[block[place]], y, probability[place, column]
        members += zip(*(column.tolist() for column in columns))
    members.sort(key=lambda one: one[0])  # blocks are by the number of candidates
    return [dict(zip(("x", "y", "probability"), one)) for one in members]


def _blocks(table: Scores, items: np.ndarray) -> Iterator[np.ndarray]:
    """Yield items with similarly many candidates, so that few cells of a block are empty."""
    sizes = np.diff(table.start)[items]
    count = 1 + len(items) * int(sizes.max()) // _CELLS
    ordered = items[np.argsort(sizes, kind="stable")]
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
