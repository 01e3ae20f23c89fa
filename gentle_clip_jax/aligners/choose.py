"""Choice of a closed form by held-out pairs."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.aligners.candidates import (
    JOINED,
    JOINT,
    MOVED,
    NAMED,
    NAMES_JOINED,
    PAIRS_ONLY,
    PLANNED,
    SMOOTHED,
    TRANSPORTED,
    UNPLANNED,
    evaluate_candidates,
    has_unmatched,
)
from gentle_clip_jax.aligners.closed_form.gentle import (
    FEW_PAIRS,
    NEIGHBOURS,
    Smoothed,
    are_few_dimensions,
    fit_prepared,
    prepare,
)
from gentle_clip_jax.aligners.closed_form.joined import Joined, with_relative
from gentle_clip_jax.aligners.closed_form.transported import plan_part
from gentle_clip_jax.aligners.closed_form.zero_pairs import of_names_alone
from gentle_clip_jax.aligners.joint import evaluate_joint, fit_joint
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.aligners.reduced import reduced
from gentle_clip_jax.aligners.standardize import Classes
from gentle_clip_jax.evaluation.cross_validation import Embeds, HeldOut
from gentle_clip_jax.evaluation.intervals import standard_errors

_LEAST_PAIRS = 6  # held-out pairs; with fewer, defaults apply
_STANDARD_ERRORS = 2.0  # by which a candidate is better, or worse, for sure
_WORSE = 1.0  # standard errors; worse by more, unmatched items are not used
_METHODS = {
    UNPLANNED: PLANNED,
    SMOOTHED: PLANNED,
    NAMES_JOINED: NAMED,
    MOVED: TRANSPORTED,
}  # methods of the candidates whose name is no method


class Choice(NamedTuple):
    """The closed form to fit to all pairs.

    candidate: its name among the candidates.
    summary: the figures that decided, ready for JSON.
    shrinkage: of the fit to the pairs alone; held-out pairs choose it if None.
    """

    candidate: str
    summary: dict[str, Any]
    shrinkage: float | None = None

    @property
    def method(self) -> str:
        """Return the name of the method in `METHODS`."""
        return _METHODS.get(self.candidate, self.candidate)


def choose(
    features: Features,
    held_out: HeldOut | None,
    *,
    named: bool,
    pairs_only: Iterable[str] | None = None,
) -> Choice:
    """Choose the closed form that ranks held-out partners best.

    It uses unmatched items only where they help.

    A method's score is the mean logarithm of the partner's rank; two methods are compared pair by
    pair. The pairs-only methods (CCA, ridge regression, relative representations) compete with
    gentle transport: with a plan, without, with the names of classes (where that is better, joined
    with maps from the names alone), and joined with relative representations if that is better by
    two standard errors. A method that uses unmatched items is chosen unless it is worse by a
    standard error: held-out pairs are weak evidence, and it mostly helps. In 64 dimensions or fewer
    of either modality neighbours take part only if gentle transport is better by two standard
    errors with them. Fewer than six pairs decide nothing.

    Source: ours; docs/results/few_pairs_benchmark.md has what it costs.

    Args:
      features: standardised, of two pairs or more.
      held_out: of `evaluate_candidates`.
      named: whether the names of classes are given.
      pairs_only: which pairs-only methods compete; all that were evaluated if not given.
    """
    if held_out is None or len(features.x) < _LEAST_PAIRS:
        is_pairs_only = are_few_dimensions(features) or not has_unmatched(features)
        candidate = "cca" if is_pairs_only else NAMES_JOINED if named else PLANNED
        reason = {"chosen": candidate, "decided_by": "too few pairs to hold any out"}
        return Choice(candidate, reason)
    ranks = held_out.log_rank
    compared = [name for name in pairs_only or PAIRS_ONLY if name in ranks]
    best = min(compared, key=lambda name: ranks[name].mean())
    rival = _rival(ranks, len(features.x))
    if rival is None:
        return Choice(best, {"chosen": best, **_summary(ranks, best, None)})
    gain = standard_errors(ranks[best] - ranks[rival])
    candidate = best if gain < -_WORSE else rival
    return Choice(candidate, {"chosen": candidate, **_summary(ranks, best, rival)})


def joint_adapted(features: Features) -> tuple[Embeds, dict[str, Any]]:
    """Fit to features of one space, from which pairs and unmatched items move them if they can.

    The space is moved by ridge regression that shrinks towards the identity, also with a plan, or
    stays as it is, by the rule of `choose`; with fewer than six pairs it stays.

    Args:
      features: of `in_one_unit`.

    Returns:
      The maps, and their metadata.
    """
    if len(features.x) < _LEAST_PAIRS:
        summary = {"chosen": JOINT, "decided_by": "too few pairs to hold any out"}
    else:
        held_out = evaluate_joint(features)
        summary = choose(features, held_out, named=False, pairs_only=(JOINT, MOVED)).summary
    maps, metadata = fit_joint(features, summary["chosen"])
    return maps, metadata | {"held_out": summary}


def gentle_transport(
    features: Features, classes: Classes | None = None, *, joined: bool = False
) -> tuple[Embeds, dict[str, Any]]:
    """Fit gentle transport, as rich as held-out pairs can support, and report their figures.

    Transported CCA whose x is smoothed over neighbours, see `gentle.prepare`: with a plan, without,
    or CCA of the pairs as they are, by the rule of `choose`. Unmatched sets that show different
    things mislead it, and so do plans and neighbours where a few pairs suffice to fix the maps.

    Args:
      features: standardised.
      classes: likewise, see `gentle.fit_prepared`; used unless held-out pairs object.
      joined: whether to join it with relative representations, see `joined.with_relative`.

    Returns:
      The maps, and their metadata.
    """
    held_out = None
    if len(features.x) >= _LEAST_PAIRS:
        small = reduced(plan_part(features), classes)
        held_out = evaluate_candidates(*small, relatives=False)
    choice = choose(features, held_out, named=classes is not None, pairs_only=("cca",))
    maps, metadata = transported(features, classes, choice, joined=joined)
    return maps, metadata | {"held_out": choice.summary}


def transported(
    features: Features, classes: Classes | None, choice: Choice, *, joined: bool
) -> tuple[Smoothed | Joined, dict[str, Any]]:
    """Fit gentle transport to all pairs as it was chosen; if that was CCA, x is not smoothed."""
    neighbours = {"cca": 0.0, SMOOTHED: NEIGHBOURS}.get(choice.candidate)
    names = classes if choice.candidate in (NAMED, NAMES_JOINED) else None
    transport = choice.candidate not in ("cca", UNPLANNED)
    prepared = prepare(features, neighbours=neighbours, shrinkage=choice.shrinkage)
    fitted = fit_prepared(prepared, names, transport=transport)
    settings = {"neighbours": prepared.weight, "shrinkage": prepared.shrinkage}
    metadata = {"settings": settings}
    if joined:
        fitted = fitted._replace(maps=with_relative(prepared.features, fitted.maps))
    if names is not None and choice.candidate == NAMES_JOINED:
        alone, _ = of_names_alone(plan_part(features), *names)
        return Joined((fitted, alone)), metadata
    return fitted, metadata


def _rival(ranks: dict[str, np.ndarray], num_pairs: int) -> str | None:
    """Return the candidate that competes with the pairs-only methods, if there is one."""
    rivals = [name for name in (_gentle_rival(ranks, num_pairs), TRANSPORTED) if name in ranks]
    return min(rivals, key=lambda name: ranks[name].mean(), default=None)


def _gentle_rival(ranks: dict[str, np.ndarray], num_pairs: int) -> str | None:
    """Return the form of gentle transport that competes, if it was evaluated."""
    if PLANNED not in ranks:
        return None
    rival = PLANNED
    if NAMED in ranks:
        bar = _STANDARD_ERRORS if num_pairs < FEW_PAIRS else 0.0
        named = min(NAMES_JOINED, NAMED, key=lambda name: ranks[name].mean())
        rival = named if standard_errors(ranks[named] - ranks[PLANNED]) <= bar else PLANNED
    for other in (SMOOTHED, JOINED):
        if other in ranks and standard_errors(ranks[rival] - ranks[other]) >= _STANDARD_ERRORS:
            rival = other
    worse = standard_errors(ranks[rival] - ranks[UNPLANNED])
    return UNPLANNED if worse > _STANDARD_ERRORS else rival


def _summary(ranks: dict[str, np.ndarray], pairs_only: str, rival: str | None) -> dict[str, Any]:
    held_out: dict[str, Any] = {
        "mean_log_rank": {name: float(values.mean()) for name, values in ranks.items()},
        "best_pairs_only": pairs_only,
    }
    if rival is not None:
        held_out["best_with_unmatched_items"] = rival
        held_out["gain_in_standard_errors"] = standard_errors(ranks[pairs_only] - ranks[rival])
    return held_out
