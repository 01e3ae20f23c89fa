"""Cross-validation of a fitted method: the recall to expect, and the gain from unmatched items."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gentle_clip_jax.aligners import METHODS, Problem, candidates, reduced
from gentle_clip_jax.aligners.fair_pairs import Fair
from gentle_clip_jax.aligners.fit import evaluate_problem
from gentle_clip_jax.aligners.joint import evaluate_method_of_space
from gentle_clip_jax.aligners.list_forecast import list_forecast
from gentle_clip_jax.aligners.methods import OF_PAIRS
from gentle_clip_jax.aligners.settings import Extrapolation
from gentle_clip_jax.evaluation import verdict
from gentle_clip_jax.evaluation.cross_validation import TOP, HeldOut, cross_validate
from gentle_clip_jax.evaluation.held_out_pairs import HeldOutPairs
from gentle_clip_jax.evaluation.intervals import Interval, in_log_odds, mean_interval, move_interval
from gentle_clip_jax.features.pairs import Matched
from gentle_clip_jax.parallel.cores import one_core_for_lapack


@one_core_for_lapack
def held_out_figures(problem: Problem, method: str, seed: int) -> HeldOut:
    """Cross-validate a method and the pairs-only methods."""
    if method in (candidates.PLANNED, candidates.NAMED, candidates.JOINED):
        return closed_forms(problem, seed)
    pairs_only = candidates.pairs_only(reduced.reduced_problem(problem)[0], relatives=True)
    held_out = cross_validate(pairs_only, len(problem.x), seed=seed)
    if method in pairs_only:
        return held_out
    return held_out.beside(evaluate_method(problem, method, seed))


def closed_forms(problem: Problem, seed: int) -> HeldOut:
    """Cross-validate every closed form, on the folds of `align` with the same seed."""
    return evaluate_problem(problem, seed, relatives=True)


@one_core_for_lapack
def evaluate_method(problem: Problem, method: str, seed: int) -> HeldOut:
    """Cross-validate one method on raw features."""
    if METHODS[method].shared:
        return evaluate_method_of_space(problem, method, seed)
    candidate = reduced.raw_candidate(problem, METHODS[method].fit)
    return cross_validate({method: candidate}, len(problem.x), seed=seed)


def expected(problem: Problem, metadata: dict[str, Any], held_out: HeldOut) -> dict[str, Any]:
    """Return the held-out figures of the method that `metadata` names.

    recall: see `extrapolated_recall`; chance: that value by chance; above_chance: see
    `verdict.above_chance`; among: how many items a partner was among; splits; unmatched: see
    `verdict.gain`, with the methods that were compared, None without unmatched items.
    """
    method, chosen = chosen_of(metadata), metadata.get("held_out", {})
    each = {name: values.mean(axis=(1, 2)) for name, values in held_out.recall.items()}
    rival = chosen.get("best_with_unmatched_items")
    if rival is None and METHODS[metadata["method"]].unmatched:
        rival = method
    has_unmatched = min(len(problem.unmatched_x), len(problem.unmatched_y)) > 0
    return {
        "recall": extrapolated_recall(held_out, method),
        "among": held_out.gallery,
        "splits": held_out.splits,
        "chance": chance_of(held_out),
        "above_chance": verdict.above_chance(held_out.log_rank[method], among=held_out.gallery),
        "unmatched": _unmatched(each, rival, held_out.fitted) if rival and has_unmatched else None,
    }


def to_match(evidence: HeldOutPairs | None, joined: Matched, fair: Fair) -> dict[str, Any]:
    """Return "among", the numbers [2] of unmatched items, and what `match` would find for them.

    first: R@1 among all of these; None where held-out partners were not ranked among all, as below
    60 pairs. list: see `ListForecast`; None where pairs suffice and there is no evidence of them.
    """
    among = [len(rows.items) - len(joined.pairs) for rows in (joined.x, joined.y)]
    forecast = list_forecast(evidence, fair, (among[0], among[1]))
    first = None
    if evidence is not None and evidence.galleries.tolist() == among:
        first = float(np.mean([of.ranks <= 1 for of in (evidence.to_y, evidence.to_x)]))
    return {"among": among, "first": first, "list": forecast and forecast._asdict()}


def chosen_of(metadata: Mapping[str, Any]) -> str:
    """Return the name of the candidate that an aligner was fitted by."""
    return metadata.get("held_out", {}).get("chosen", metadata["method"])


def held_out_recall(held_out: HeldOut, method: str) -> dict[str, Any]:
    """Return the recall of the fits without the held-out pairs.

    "value" (mean of R@1, 5 and 10, both ways), "low" and "high" (95 %), and the recalls "at" 1, 5
    and 10.
    """
    values = held_out.recall[method]
    each, at = values.mean(axis=(1, 2)), values.mean(axis=(0, 1))
    interval = mean_interval(
        each, fitted=held_out.fitted, level=verdict.EXPECTED, bounds=(0.0, 1.0)
    )
    return {**interval, "at": dict(zip(map(str, TOP), at.tolist()))}


def extrapolated_recall(held_out: HeldOut, method: str) -> dict[str, Any]:
    """Return the recall to expect of the fit to all pairs, as `held_out_recall` does.

    "held_out" is the value of the fits without the held-out pairs, from which it is extrapolated,
    see `settings.Extrapolation`.
    """
    found = held_out_recall(held_out, method)
    # The features as they are learn nothing from pairs.
    pairs = held_out.fitted if method == candidates.JOINT else len(held_out.recall[method])
    more = math.log(pairs / held_out.fitted)
    shift, spread = _slope(method) * more, Extrapolation.spread * more
    interval = Interval(value=found["value"], low=found["low"], high=found["high"])
    moved = move_interval(interval, shift=shift, spread=spread, level=verdict.EXPECTED)
    at = {top: in_log_odds(share, shift) for top, share in found["at"].items()}
    value = float(np.mean([*at.values()]))
    return {**moved, "value": value, "held_out": found["value"], "at": at}


def _slope(method: str) -> float:
    """Return how fast the log odds of recall rise by the log of the number of pairs."""
    without_plan = (*OF_PAIRS, *candidates.PAIRS_ONLY, candidates.UNPLANNED)
    return Extrapolation.slope if method in without_plan else Extrapolation.planned


def chance_of(held_out: HeldOut) -> float:
    """Return the chance level of the mean of R@1, 5 and 10."""
    return float(np.mean([min(1.0, top / held_out.gallery) for top in TOP]))


def _unmatched(each: dict[str, np.ndarray], rival: str, fitted: int) -> dict[str, Any]:
    pairs_only = (name for name in candidates.PAIRS_ONLY if name in each)
    against = max(pairs_only, key=lambda name: each[name].mean())
    gain = verdict.gain(each[rival], each[against], fitted=fitted)
    return {**gain, "method": rival, "against": against}
