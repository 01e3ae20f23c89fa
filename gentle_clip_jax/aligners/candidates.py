"""Cross-validation of the candidate methods: smaller fits than the final one."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gentle_clip_jax.aligners.closed_form.arrays import concatenated
from gentle_clip_jax.aligners.closed_form.gentle import (
    FEW_PAIRS,
    NEIGHBOURS,
    Prepared,
    are_few_dimensions,
    plan_shrinkage,
    planned,
    prepare,
)
from gentle_clip_jax.aligners.closed_form.joined import Joined
from gentle_clip_jax.aligners.closed_form.relative import relative
from gentle_clip_jax.aligners.closed_form.shrinkage import (
    chosen_shrinkage,
    shrunk_cca,
    shrunk_ridge,
)
from gentle_clip_jax.aligners.closed_form.transported import plan_part
from gentle_clip_jax.aligners.closed_form.zero_pairs import of_names_alone
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.aligners.reduced import unmatched_parts
from gentle_clip_jax.aligners.settings import CrossValidation
from gentle_clip_jax.aligners.standardize import Classes
from gentle_clip_jax.evaluation.cross_validation import Candidate, Embeds, HeldOut, cross_validate
from gentle_clip_jax.evaluation.pairs import take
from gentle_clip_jax.parallel.cores import one_core_for_lapack

# Names of candidates. Pairs-only candidates are named as their methods.
PLANNED, UNPLANNED = "gentle_transport", "gentle_transport without a plan"
SMOOTHED = "gentle_transport with neighbours"  # in few dimensions; in many it always smooths
NAMED, JOINED = "named_transport", "gentle_relative"
NAMES_JOINED = "named_transport with names alone"  # joined with maps fitted without pairs
_SHRUNK = {"cca": shrunk_cca, "ridge": shrunk_ridge}
RELATIVE, CCA_JOINED = "relative", "cca_relative"
JOINT, TRANSPORTED = "joint", "joint_adapted"  # of features of one space, see `joint`
MOVED = "joint_adapted without a plan"
PAIRS_ONLY = (*_SHRUNK, RELATIVE, CCA_JOINED, JOINT, MOVED)


@one_core_for_lapack
def evaluate_candidates(
    features: Features, classes: Classes | None, *, seed: int = 0, relatives: bool | None = None
) -> HeldOut:
    """Cross-validate every closed form that could be chosen; see `cross_validate`.

    Fits take 256 principal components, 1,000 unmatched items and three rounds of transport, which
    is less than the final fit.

    Args:
      features: of three pairs or more, see `reduced.reduced_problem`.
      classes: likewise, see `gentle_transport`.
      seed: of the splits.
      relatives: whether to try relative representations; if not given, from 60 pairs on.
    """
    if relatives is None:
        relatives = len(features.x) >= FEW_PAIRS  # too few for an item to resemble any
    candidates = _all(plan_part(features), classes, relatives=relatives)
    return cross_validate(candidates, len(features.x), seed=seed)


def pairs_only(features: Features, *, relatives: bool) -> dict[str, Candidate]:
    """Return the pairs-only candidates, with the shrinkage that all pairs chose."""
    _, distractors = unmatched_parts(features)
    x, y = features.x.mean(axis=1), features.y.mean(axis=1)
    unmatched = features.unmatched_x, features.unmatched_y
    galleries = [items[distractors].mean(axis=1) for items in unmatched]
    candidates = {}
    for name, fit in _SHRUNK.items():
        shrinkage = chosen_shrinkage(fit, x, y)
        fit_rows = lambda rest, f=fit, s=shrinkage: f(*take(rest, x, y))(s)  # noqa: E731
        candidates[name] = Candidate(_once(fit_rows), x, y, *galleries)
    if relatives:
        candidates[RELATIVE] = candidates["cca"]._replace(
            fit=lambda rest: relative(*take(rest, x, y))
        )
        candidates[CCA_JOINED] = _joined(candidates["cca"])
    return candidates


def has_unmatched(features: Features) -> bool:
    """Return whether both modalities have unmatched items."""
    return min(len(features.unmatched_x), len(features.unmatched_y)) > 0


def _all(features: Features, classes: Classes | None, *, relatives: bool) -> dict[str, Candidate]:
    candidates = pairs_only(features, relatives=relatives)
    if not has_unmatched(features):
        return candidates
    names = {PLANNED: None, UNPLANNED: None} | ({} if classes is None else {NAMED: classes})
    candidates |= _of_prepared(prepare(features), features, names)
    if classes is not None:
        candidates[NAMES_JOINED] = _with_names_alone(candidates[NAMED], features, classes)
    if CCA_JOINED in candidates:
        candidates[JOINED] = _joined(candidates[PLANNED])
    if are_few_dimensions(features):
        candidates |= _of_prepared(
            prepare(features, neighbours=NEIGHBOURS), features, {SMOOTHED: None}
        )
    return candidates


def _of_prepared(
    prepared: Prepared, features: Features, names: dict[str, Classes | None]
) -> dict[str, Candidate]:
    """Return candidates of gentle transport, with the names of classes that each has."""
    fitted, distractors = unmatched_parts(features)
    smoothed = prepared.features
    x, y = smoothed.x[:, 0], smoothed.y.mean(axis=1)
    distractors_x, distractors_y = (
        smoothed.unmatched_x[distractors, 0],
        features.unmatched_y[distractors].mean(axis=1),
    )
    candidates = {}
    for name, classes in names.items():
        fit = _gentle_fit(prepared, fitted, classes, plan=name != UNPLANNED)
        candidates[name] = Candidate(_once(fit), x, y, distractors_x, distractors_y)
    return candidates


def _joined(candidate: Candidate) -> Candidate:
    """Join a candidate with relative representations of the pairs."""

    def fit(rest: np.ndarray) -> Embeds:
        return Joined((candidate.fit(rest), relative(*take(rest, candidate.x, candidate.y))))

    return candidate._replace(fit=fit)


def _with_names_alone(candidate: Candidate, features: Features, classes: Classes) -> Candidate:
    """Join a candidate with maps from the names and all unmatched items but the distractors."""
    _, distractors = unmatched_parts(features)
    unmatched = (
        concatenated([items[: distractors.start], items[distractors.stop :]])
        for items in (features.unmatched_x, features.unmatched_y)
    )
    alone, _ = of_names_alone(Features(features.x, features.y, *unmatched), *classes)
    return candidate._replace(fit=lambda rest: Joined((candidate.fit(rest), alone)))


def _once(fit: Callable[[np.ndarray], Embeds]) -> Callable[[np.ndarray], Embeds]:
    """Remember the last fit: a candidate that is joined with it asks for it again."""
    last: list[Any] = []

    def remembered(rest: np.ndarray) -> Embeds:
        if not last or last[0] is not rest:
            last[:] = rest, fit(rest)
        return last[1]

    return remembered


def _gentle_fit(
    prepared: Prepared, fitted: slice, names: Classes | None, *, plan: bool
) -> Callable[[np.ndarray], Embeds]:
    """Return the fit of gentle transport, with the settings that all pairs chose."""
    smoothed = prepared.features
    some = smoothed._replace(
        unmatched_x=smoothed.unmatched_x[fitted], unmatched_y=smoothed.unmatched_y[fitted]
    )
    shrinkage = plan_shrinkage(prepared)

    def fit(rest: np.ndarray) -> Embeds:
        x, y = take(rest, smoothed.x, smoothed.y)
        y = y.mean(axis=1)
        maps = shrunk_cca(x[:, 0], y)(prepared.shrinkage)
        if not plan:
            return maps
        part = some._replace(x=x, y=y[:, None])
        return planned(part, maps, names, shrinkage=shrinkage, rounds=CrossValidation.rounds)

    return fit
