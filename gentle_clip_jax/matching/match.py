"""`match_arrays`: matches of two arrays with probabilities that mean what they say."""

from typing import NamedTuple

import jax
import numpy as np
from jax.typing import ArrayLike

from gentle_clip_jax.aligners import Problem
from gentle_clip_jax.aligners.fair_pairs import Fair, fair_evidence
from gentle_clip_jax.aligners.refits import (
    LEAST_PAIRS,
    Embedder,
    embedded,
    held_out_pairs,
    means,
    refits_without,
)
from gentle_clip_jax.evaluation.held_out_pairs import HeldOutPairs
from gentle_clip_jax.evaluation.nearest import nearest
from gentle_clip_jax.matching.absence import absence
from gentle_clip_jax.matching.calibrated import Calibration, calibrate
from gentle_clip_jax.matching.chosen import choose
from gentle_clip_jax.matching.fair import fairly_scaled
from gentle_clip_jax.matching.groups import group
from gentle_clip_jax.matching.item_sets import check_coverage, item_sets
from gentle_clip_jax.matching.matches import Matches
from gentle_clip_jax.matching.probabilities import candidates_of, is_share, runner_up

_LEAST = 3  # pairs: one held-out, two fitted


class _Sides(NamedTuple):
    """Indexed items: y [m, j, dy] raw; of_x, of_y: indices of the unmatched; pairs [p, 2]."""

    y: np.ndarray
    of_x: np.ndarray
    of_y: np.ndarray
    pairs: np.ndarray


def match_arrays(
    aligner: Embedder,
    x: ArrayLike,
    y: ArrayLike,
    *,
    pairs: ArrayLike,
    share: float | None = None,
    one_to_one: bool = False,
    with_outcomes: bool = False,
    coverage: float | None = None,
    key: jax.Array | None = None,
    classes: tuple[ArrayLike, ArrayLike] | None = None,
    orders: tuple[np.ndarray, np.ndarray] | None = None,
    held_out: HeldOutPairs | None = None,
    fair: Fair | None = None,
) -> Matches:
    """Return a partner for each unmatched item of x, and how probable it is.

    p(y | x) = share * exp(cos(x, y) / T) / sum over unmatched y' of exp(cos(x, y') / T)

    T is that under which the partners of held-out pairs are likeliest: the aligner is refitted to
    the other pairs, in five folds, or ten below 300 pairs. The probability of a choice is then
    Platt-scaled to the observed share of right choices of held-out pairs. Where the aligner smooths
    a gallery, cosines are those of smoothed rows, here and in its refits. Below 60 pairs, or
    without the share, which most data do not tell, there are no probabilities. An aligner whose
    method is not in `METHODS`, such as trained towers, is not refitted: give it pairs that it has
    not seen. Nothing can prove that the pairs are a random sample of the items to match, but if
    they differ in kind, `summary` warns.

    Args:
      aligner: embeds raw features of both.
      x: [n, dx] or [n, j, dx] features of all items, j rows an item.
      y: [m, dy] or [m, k, dy] likewise.
      pairs: [p, 2] labelled pairs: row of x, row of y. Their items are not matched again.
      share: share of unmatched items of x with a partner among those of y, above 0 to 1.
      one_to_one: no item of y is in two matches, see `assignment.assign`; or else each item of x
        gets its nearest.
      with_outcomes: whether to return the scores that a list at a chosen error needs.
      coverage: chance that the prediction set of an item holds its partner, above 0 and below 1;
        no sets are returned without it, or where `item_sets.why_none` says why.
      key: of folds, groups and refits; that of seed 0 if not given.
      classes: for named_transport, see `Problem`.
      orders: [n] items of x and [m] of y in the order in which random choices see them, such as
        that of their ids; as they are if not given.
      held_out: evidence of the same pairs and items, numbered by rows of x and y; the aligner is
        refitted if not given.
      fair: pairs that are a random sample of the items to match; all if not given.

    Raises:
      ValueError: there are fewer than three pairs, nothing is unmatched, share is not above 0 and
        at most 1, pairs name no row or one twice, or features are not as the aligner needs them.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, for T.
    """
    check_coverage(coverage)
    if share is not None and not is_share(share):
        raise ValueError(f"share is {share!r}: give what part of x has a partner, above 0 to 1.")
    key = jax.random.key(0) if key is None else key
    sides, problem = _sides(x, y, np.asarray(pairs), classes)
    orders = orders or (np.arange(len(np.asarray(x))), np.arange(len(sides.y)))
    ordered, by = _ordered(problem, sides, orders)
    groups = group(means(sides.y), key, orders[1])
    of_y = groups.of_item[sides.of_y]
    evidence, calibration = None, Calibration.of_few(len(sides.pairs))
    if calibration.shown:
        if held_out is None:
            evidence = held_out_pairs(aligner, ordered, key).numbered(*by)
        else:
            evidence = jax.tree.map(np.asarray, held_out)  # saved evidence may be JAX arrays
            unmatched = (sides.of_x, len(np.asarray(x))), (sides.of_y, len(sides.y))
            places = [np.searchsorted(items, np.arange(count)) for items, count in unmatched]
            evidence = evidence.numbered(*places)
        evidence = evidence if fair is None else fair_evidence(evidence, fair)
        calibration = calibrate(evidence, groups.of_item[sides.pairs[evidence.pairs, 1]], of_y)
    rows = embedded(aligner, means(problem.unmatched_x), means(problem.unmatched_y))
    near_y = nearest(
        rows.x,
        rows.ranked_y,
        calibration.to_y,
        group=of_y,
        num_groups=len(groups.central),
        group_temperature=calibration.group_temperature,
    )
    near_x = nearest(rows.y, rows.ranked_x, calibration.to_x)
    if fair is not None and evidence is not None:
        calibration = fairly_scaled(calibration, evidence, fair, (near_y, near_x), share)
    of_x, of_y = candidates_of((sides.of_x, sides.of_y), (near_y, near_x), calibration, share)
    near = near_y, near_x
    chosen = choose(
        near,
        rows,
        evidence,
        calibration,
        share,
        refits_without(aligner, ordered, key) if one_to_one else None,
        with_outcomes=with_outcomes,
    )
    partnerless = absence(near_y, evidence, calibration, share)
    sets = item_sets(rows, near, sides.of_y, evidence, calibration, coverage, share)
    y_items = np.where(chosen.y < 0, -1, sides.of_y[chosen.y])
    second, its_probability = runner_up(of_x, y_items)
    best = near_y.groups.max(axis=1)
    back = near_x.index[chosen.y, 0] == np.arange(len(chosen.y))
    return Matches(
        x=sides.of_x,
        y=y_items,
        probability=chosen.probability,
        runner_up=second,
        runner_up_probability=np.full(len(best), np.nan) if one_to_one else its_probability,
        mutual=(near_y.index[:, 0] == chosen.y) & back,
        group=np.argmax(near_y.groups, axis=1),
        group_probability=calibration.platt(best)
        if calibration.shown
        else np.full(len(best), np.nan),
        group_sets=near_y.groups >= np.minimum(calibration.threshold, best)[:, None],
        groups=groups,
        of_x=of_x,
        of_y=of_y,
        calibration=calibration,
        share=share,
        expected=chosen.expected,
        reliability=chosen.reliability,
        outcomes=chosen.outcomes,
        no_partner=partnerless.probability,
        likely_share=partnerless.share,
        sets=sets,
    )


def _ordered(
    problem: Problem, sides: _Sides, orders: tuple[np.ndarray, np.ndarray]
) -> tuple[Problem, list[np.ndarray]]:
    """Return the problem with its unmatched items in the order of random choices, and the place of
    each of x and of y in the order before."""
    unmatched = sides.of_x, sides.of_y
    by = [np.argsort(np.argsort(order)[items]) for order, items in zip(orders, unmatched)]
    rest = problem.unmatched_x[by[0]], problem.unmatched_y[by[1]]
    return Problem(problem.x, problem.y, *rest, classes=problem.classes), by


def _sides(
    x: ArrayLike, y: ArrayLike, pairs: np.ndarray, classes: tuple[ArrayLike, ArrayLike] | None
) -> tuple[_Sides, Problem]:
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise ValueError(
            "pairs must be integers [p, 2], a row of x and a row of y each; their shape is "
            f"{pairs.shape}, their type {pairs.dtype}."
        )
    if len(pairs) < _LEAST:
        raise ValueError(
            f"{len(pairs)} pairs are too few to hold any out: give {_LEAST}, or {LEAST_PAIRS} for "
            "probabilities."
        )
    both, rest = [], []
    for name, items, paired in (("x", x, pairs[:, 0]), ("y", y, pairs[:, 1])):
        items = np.asarray(items)
        if paired.min() < 0 or paired.max() >= len(items):
            raise ValueError(
                f"pairs name rows of {name} from {paired.min()} to {paired.max()}, but "
                f"{name} has {len(items)} items: count from 0."
            )
        if len(np.unique(paired)) < len(paired):
            raise ValueError(f"An item of {name} is in two pairs: leave one of them out.")
        both.append(items)
        rest.append(np.setdiff1d(np.arange(len(items)), paired))
        if not len(rest[-1]):
            raise ValueError(f"All items of {name} are in pairs: there is nothing left to match.")
    problem = Problem(
        *(items[paired] for items, paired in zip(both, pairs.T)),
        *(items[others] for items, others in zip(both, rest)),
        classes=classes,
    )
    all_y = both[1] if both[1].ndim == 3 else both[1][:, None]
    return _Sides(all_y, rest[0], rest[1], pairs), problem
