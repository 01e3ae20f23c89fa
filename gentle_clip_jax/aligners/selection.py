"""Which closed form for these pairs? Held-out pairs decide, and say when they cannot."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.aligners.closed_form.gentle import (
    FEW_PAIRS,
    NEIGHBOURS,
    Prepared,
    Smoothed,
    are_few_dimensions,
    fit_prepared,
    plan_shrinkage,
    planned,
    prepare,
)
from gentle_clip_jax.aligners.closed_form.shrinkage import (
    chosen_shrinkage,
    shrunk_cca,
    shrunk_ridge,
)
from gentle_clip_jax.aligners.closed_form.transported import plan_part
from gentle_clip_jax.aligners.cross_validation import Embeds
from gentle_clip_jax.aligners.held_out import (
    HeldOut,
    Trial,
    held_out,
    parts,
    reduced,
    standard_errors,
)
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.aligners.standardize import Classes

_LEAST_PAIRS = 6  # of fewer, held-out ones decide nothing
_STANDARD_ERRORS = 2.0
_TRIAL_ROUNDS = 3

# Names of trials. Those of pairs alone, "cca" and "ridge", are also those of methods.
PLANNED, UNPLANNED = "gentle_transport", "gentle_transport without a plan"
SMOOTHED = "gentle_transport with neighbours"  # in few dimensions; in many it always has them
NAMED = "named_transport"
_ALONE = {"cca": shrunk_cca, "ridge": shrunk_ridge}


class Choice(NamedTuple):
    """What to fit to all pairs.

    trial: the name of the trial that was chosen.
    summary: what decided, ready for JSON.
    """

    trial: str
    summary: dict[str, Any]

    @property
    def method(self) -> str:
        """ "cca", "ridge", "gentle_transport" or "named_transport"."""
        return PLANNED if self.trial in (UNPLANNED, SMOOTHED) else self.trial


def choose(
    features: Features,
    found: HeldOut | None,
    *,
    named: bool,
    alone: Iterable[str] = tuple(_ALONE),
) -> Choice:
    """The closed form whose maps find held-out pairs best; unmatched items only where they may.

    A method's score is the mean logarithm of the partner's rank; two methods are compared pair by
    pair. CCA and ridge regression, of pairs alone, stand against gentle transport with a plan,
    without, and with the names of classes. A method that uses unmatched items is chosen if it is no
    worse; of fewer than 60 pairs, which tell little, unless it is worse by a standard error; in 64
    dimensions or fewer of either modality only if it is better by two. There neighbours take part
    only if gentle transport is better by two with them. Fewer than six pairs decide nothing.

    Args:
      features: standardised, of two pairs or more.
      found: of `tried`.
      named: whether the names of classes are known.
      alone: which methods of pairs alone there are.
    """
    few_dimensions = are_few_dimensions(features)
    if found is None or len(features.x) < _LEAST_PAIRS:
        is_alone = few_dimensions or not _unmatched(features)
        trial = "cca" if is_alone else NAMED if named else PLANNED
        told = {"chosen": trial, "decided_by": "too few pairs to hold any out"}
        return Choice(trial, told)
    ranks = found.log_rank
    best = min(alone, key=lambda name: ranks[name].mean())
    rival = _rival(ranks, len(features.x))
    if rival is None:
        return Choice(best, {"chosen": best, **_summary(ranks, best, None)})
    gain = standard_errors(ranks[best] - ranks[rival])
    few_pairs = len(features.x) < FEW_PAIRS
    taken = gain >= (_STANDARD_ERRORS if few_dimensions else -1.0 if few_pairs else 0.0)
    trial = rival if taken else best
    summary = {"chosen": trial, **_summary(ranks, best, rival), "few_dimensions": few_dimensions}
    return Choice(trial, summary)


def gentle_transport(features: Features, classes: Classes | None = None) -> tuple[Smoothed, Choice]:
    """Gentle transport as far as held-out pairs bear it, and what they said.

    Transported CCA whose x is smoothed over neighbours, see `gentle.prepare`: with a plan, without,
    or CCA of the pairs as they are, by the rule of `choose`. Unmatched sets that show different
    things lead astray, and so do plans and neighbours where a few pairs alone fix the maps.

    Args:
      features: standardised.
      classes: likewise, see `gentle.fit_prepared`; used unless held-out pairs object.
    """
    found = None
    if len(features.x) >= _LEAST_PAIRS:
        found = tried(*reduced(plan_part(features), classes))
    choice = choose(features, found, named=classes is not None, alone=("cca",))
    return transported(features, classes, choice), choice


def transported(features: Features, classes: Classes | None, choice: Choice) -> Smoothed:
    """Gentle transport of all pairs as it was chosen; if that was CCA, x is not smoothed."""
    neighbours = {"cca": 0.0, SMOOTHED: NEIGHBOURS}.get(choice.trial)
    names = classes if choice.trial == NAMED else None
    transport = choice.trial not in ("cca", UNPLANNED)
    return fit_prepared(prepare(features, neighbours=neighbours), names, transport=transport)


def tried(features: Features, classes: Classes | None, *, seed: int = 0) -> HeldOut:
    """What held-out pairs say of every closed form that could be chosen; see `held_out`.

    Fits take 256 principal components, 1,000 unmatched items and three rounds of a plan, which is a
    smaller fit than the one to all pairs.

    Args:
      features: of three pairs or more, see `held_out.reduced_problem`.
      classes: likewise, see `gentle_transport`.
      seed: of the splits.
    """
    return held_out(_trials(plan_part(features), classes), len(features.x), seed=seed)


def alone(features: Features) -> dict[str, Trial]:
    """CCA and ridge regression of the pairs, with what shrinkage all pairs chose."""
    _, wrong = parts(features)
    x, y = jnp.mean(features.x, axis=1), jnp.mean(features.y, axis=1)
    galleries = [
        jnp.mean(items[wrong], axis=1) for items in (features.unmatched_x, features.unmatched_y)
    ]
    trials = {}
    for name, fit in _ALONE.items():
        shrinkage = chosen_shrinkage(fit, x, y)
        fit_rows = lambda rest, f=fit, s=shrinkage: f(x[rest], y[rest], s)  # noqa: E731
        trials[name] = Trial(fit_rows, x, y, *galleries)
    return trials


def _rival(ranks: dict[str, np.ndarray], num_pairs: int) -> str | None:
    """What stands against pairs alone: of few pairs, the most that is known, unless they object."""
    if PLANNED not in ranks:
        return None
    rival = PLANNED
    if NAMED in ranks:
        bar = _STANDARD_ERRORS if num_pairs < FEW_PAIRS else 0.0
        rival = NAMED if standard_errors(ranks[NAMED] - ranks[PLANNED]) <= bar else PLANNED
    if SMOOTHED in ranks and standard_errors(ranks[rival] - ranks[SMOOTHED]) >= _STANDARD_ERRORS:
        rival = SMOOTHED
    worse = standard_errors(ranks[rival] - ranks[UNPLANNED])
    return UNPLANNED if worse > _STANDARD_ERRORS else rival


def _summary(ranks: dict[str, np.ndarray], alone: str, rival: str | None) -> dict[str, Any]:
    held_out: dict[str, Any] = {
        "mean_log_rank": {name: float(values.mean()) for name, values in ranks.items()},
        "best_of_pairs_alone": alone,
    }
    if rival is not None:
        held_out["best_with_unmatched_items"] = rival
        held_out["gain_in_standard_errors"] = standard_errors(ranks[alone] - ranks[rival])
    return held_out


def _unmatched(features: Features) -> bool:
    return min(len(features.unmatched_x), len(features.unmatched_y)) > 0


def _trials(features: Features, classes: Classes | None) -> dict[str, Trial]:
    trials = alone(features)
    if not _unmatched(features):
        return trials
    names = {PLANNED: None, UNPLANNED: None} | ({} if classes is None else {NAMED: classes})
    trials |= _of_prepared(prepare(features), features, names)
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
        trials[name] = Trial(fit, x, y, wrong_x, wrong_y)
    return trials


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
        x, y = smoothed.x[rest], jnp.mean(smoothed.y[rest], axis=1)
        maps = shrunk_cca(x[:, 0], y, prepared.shrinkage)
        if not plan:
            return maps
        part = some._replace(x=x, y=y[:, None])
        return planned(part, maps, names, shrinkage=shrinkage, rounds=_TRIAL_ROUNDS)

    return fit
