"""What is tried on held-out pairs before a closed form is chosen: smaller fits than the last."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

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
from gentle_clip_jax.aligners.cross_validation import Embeds
from gentle_clip_jax.aligners.held_out import HeldOut, Trial, held_out, parts
from gentle_clip_jax.aligners.pairs import take
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.aligners.standardize import Classes

_ROUNDS = 3  # of a plan

# Names of trials. Those of pairs alone are also those of methods.
PLANNED, UNPLANNED = "gentle_transport", "gentle_transport without a plan"
SMOOTHED = "gentle_transport with neighbours"  # in few dimensions; in many it always has them
NAMED, JOINED = "named_transport", "gentle_relative"
NAMES_JOINED = "named_transport with names alone"  # joined with maps that no pair has a say in
_SHRUNK = {"cca": shrunk_cca, "ridge": shrunk_ridge}
RELATIVE, CCA_JOINED = "relative", "cca_relative"
ALONE = (*_SHRUNK, RELATIVE, CCA_JOINED)


def tried(
    features: Features, classes: Classes | None, *, seed: int = 0, relatives: bool | None = None
) -> HeldOut:
    """What held-out pairs say of every closed form that could be chosen; see `held_out`.

    Fits take 256 principal components, 1,000 unmatched items and three rounds of a plan, which is a
    smaller fit than the one to all pairs.

    Args:
      features: of three pairs or more, see `held_out.reduced_problem`.
      classes: likewise, see `gentle_transport`.
      seed: of the splits.
      relatives: whether to try relative representations; if not given, from 60 pairs on.
    """
    if relatives is None:
        relatives = len(features.x) >= FEW_PAIRS  # fewer resemble nothing
    trials = _all(plan_part(features), classes, relatives=relatives)
    return held_out(trials, len(features.x), seed=seed)


def alone(features: Features, *, relatives: bool) -> dict[str, Trial]:
    """Methods of pairs alone, with what shrinkage all pairs chose; relatives: see `tried`."""
    _, wrong = parts(features)
    x, y = jnp.mean(features.x, axis=1), jnp.mean(features.y, axis=1)
    galleries = [
        jnp.mean(items[wrong], axis=1) for items in (features.unmatched_x, features.unmatched_y)
    ]
    trials = {}
    for name, fit in _SHRUNK.items():
        shrinkage = chosen_shrinkage(fit, x, y)
        fit_rows = lambda rest, f=fit, s=shrinkage: f(*take(rest, x, y), s)  # noqa: E731
        trials[name] = Trial(_once(fit_rows), x, y, *galleries)
    if relatives:
        trials[RELATIVE] = trials["cca"]._replace(fit=lambda rest: relative(*take(rest, x, y)))
        trials[CCA_JOINED] = _joined(trials["cca"])
    return trials


def are_unmatched(features: Features) -> bool:
    """Whether both modalities have unmatched items."""
    return min(len(features.unmatched_x), len(features.unmatched_y)) > 0


def _all(features: Features, classes: Classes | None, *, relatives: bool) -> dict[str, Trial]:
    trials = alone(features, relatives=relatives)
    if not are_unmatched(features):
        return trials
    names = {PLANNED: None, UNPLANNED: None} | ({} if classes is None else {NAMED: classes})
    trials |= _of_prepared(prepare(features), features, names)
    if classes is not None:
        trials[NAMES_JOINED] = _with_names_alone(trials[NAMED], features, classes)
    if CCA_JOINED in trials:
        trials[JOINED] = _joined(trials[PLANNED])
    if are_few_dimensions(features):
        trials |= _of_prepared(prepare(features, neighbours=NEIGHBOURS), features, {SMOOTHED: None})
    return trials


def _of_prepared(
    prepared: Prepared, features: Features, names: dict[str, Classes | None]
) -> dict[str, Trial]:
    """Trials of gentle transport of smoothed features, with the names of classes that each has."""
    fitted, wrong = parts(features)
    smoothed = prepared.features
    x, y = smoothed.x[:, 0], jnp.mean(smoothed.y, axis=1)
    wrong_x, wrong_y = smoothed.unmatched_x[wrong, 0], jnp.mean(features.unmatched_y[wrong], axis=1)
    trials = {}
    for name, classes in names.items():
        fit = _gentle_fit(prepared, fitted, classes, plan=name != UNPLANNED)
        trials[name] = Trial(_once(fit), x, y, wrong_x, wrong_y)
    return trials


def _joined(trial: Trial) -> Trial:
    """What is tried, joined with relative representations of the pairs."""

    def fit(rest: np.ndarray) -> Embeds:
        return Joined((trial.fit(rest), relative(*take(rest, trial.x, trial.y))))

    return trial._replace(fit=fit)


def _with_names_alone(trial: Trial, features: Features, classes: Classes) -> Trial:
    """What is tried, joined with maps from the names and all unmatched items but wrong answers."""
    _, wrong = parts(features)
    unmatched = (
        jnp.concatenate([items[: wrong.start], items[wrong.stop :]])
        for items in (features.unmatched_x, features.unmatched_y)
    )
    alone, _ = of_names_alone(Features(features.x, features.y, *unmatched), *classes)
    return trial._replace(fit=lambda rest: Joined((trial.fit(rest), alone)))


def _once(fit: Callable[[np.ndarray], Embeds]) -> Callable[[np.ndarray], Embeds]:
    """The fit, remembered until it is asked for other pairs: what is joined with it asks again."""
    last: list[Any] = []

    def remembered(rest: np.ndarray) -> Embeds:
        if not last or last[0] is not rest:
            last[:] = rest, fit(rest)
        return last[1]

    return remembered


def _gentle_fit(
    prepared: Prepared, fitted: slice, names: Classes | None, *, plan: bool
) -> Callable[[np.ndarray], Embeds]:
    """Gentle transport of smoothed features, with what all pairs chose."""
    smoothed = prepared.features
    some = smoothed._replace(
        unmatched_x=smoothed.unmatched_x[fitted], unmatched_y=smoothed.unmatched_y[fitted]
    )
    shrinkage = plan_shrinkage(prepared)

    def fit(rest: np.ndarray) -> Embeds:
        x, y = take(rest, smoothed.x, smoothed.y)
        y = jnp.mean(y, axis=1)
        maps = shrunk_cca(x[:, 0], y, prepared.shrinkage)
        if not plan:
            return maps
        part = some._replace(x=x, y=y[:, None])
        return planned(part, maps, names, shrinkage=shrinkage, rounds=_ROUNDS)

    return fit
