"""Which closed form for these pairs? Held-out pairs decide, and say when they cannot."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.aligners import trials
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
from gentle_clip_jax.aligners.cross_validation import Embeds
from gentle_clip_jax.aligners.held_out import HeldOut, reduced, standard_errors
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.aligners.standardize import Classes
from gentle_clip_jax.aligners.trials import (
    ALONE,
    JOINED,
    NAMED,
    NAMES_JOINED,
    PLANNED,
    SMOOTHED,
    UNPLANNED,
    are_unmatched,
)

_LEAST_PAIRS = 6  # of fewer, held-out ones decide nothing
_STANDARD_ERRORS = 2.0
_METHODS = {UNPLANNED: PLANNED, SMOOTHED: PLANNED, NAMES_JOINED: NAMED}  # of trials that are none


class Choice(NamedTuple):
    """What to fit to all pairs.

    trial: the name of the trial that was chosen.
    summary: what decided, ready for JSON.
    """

    trial: str
    summary: dict[str, Any]

    @property
    def method(self) -> str:
        """A name in `METHODS`."""
        return _METHODS.get(self.trial, self.trial)


def choose(
    features: Features,
    found: HeldOut | None,
    *,
    named: bool,
    alone: Iterable[str] | None = None,
) -> Choice:
    """The closed form whose maps find held-out pairs best; unmatched items only where they may.

    A method's score is the mean logarithm of the partner's rank; two methods are compared pair by
    pair. CCA, ridge regression and relative representations, of pairs alone, stand against gentle
    transport with a plan, without, with the names of classes (where that is better, joined with
    maps from the names alone), and joined with relative representations if it is better so by two
    standard errors. A method that uses unmatched items is chosen if it is no worse; of fewer than
    60 pairs, which tell little, unless it is worse by a standard error; in 64 dimensions or fewer
    of either modality only if it is better by two. There neighbours take part only if gentle
    transport is better by two with them. Fewer than six pairs decide nothing.

    Args:
      features: standardised, of two pairs or more.
      found: of `trials.tried`.
      named: whether the names of classes are known.
      alone: which methods of pairs alone there are; all that were tried if not given.
    """
    few_dimensions = are_few_dimensions(features)
    if found is None or len(features.x) < _LEAST_PAIRS:
        is_alone = few_dimensions or not are_unmatched(features)
        trial = "cca" if is_alone else NAMES_JOINED if named else PLANNED
        told = {"chosen": trial, "decided_by": "too few pairs to hold any out"}
        return Choice(trial, told)
    ranks = found.log_rank
    tried_alone = (name for name in ALONE if name in ranks)
    best = min(alone or tried_alone, key=lambda name: ranks[name].mean())
    rival = _rival(ranks, len(features.x))
    if rival is None:
        return Choice(best, {"chosen": best, **_summary(ranks, best, None)})
    gain = standard_errors(ranks[best] - ranks[rival])
    few_pairs = len(features.x) < FEW_PAIRS
    taken = gain >= (_STANDARD_ERRORS if few_dimensions else -1.0 if few_pairs else 0.0)
    trial = rival if taken else best
    summary = {"chosen": trial, **_summary(ranks, best, rival), "few_dimensions": few_dimensions}
    return Choice(trial, summary)


def gentle_transport(
    features: Features, classes: Classes | None = None, *, joined: bool = False
) -> tuple[Embeds, dict[str, Any]]:
    """Gentle transport as far as held-out pairs bear it, and what they said.

    Transported CCA whose x is smoothed over neighbours, see `gentle.prepare`: with a plan, without,
    or CCA of the pairs as they are, by the rule of `choose`. Unmatched sets that show different
    things lead astray, and so do plans and neighbours where a few pairs alone fix the maps.

    Args:
      features: standardised.
      classes: likewise, see `gentle.fit_prepared`; used unless held-out pairs object.
      joined: whether to join it with relative representations, see `joined.with_relative`.

    Returns:
      The maps, and what to tell of them.
    """
    found = None
    if len(features.x) >= _LEAST_PAIRS:
        found = trials.tried(*reduced(plan_part(features), classes), relatives=False)
    choice = choose(features, found, named=classes is not None, alone=("cca",))
    maps, about = transported(features, classes, choice, joined=joined)
    return maps, about | {"held_out": choice.summary}


def transported(
    features: Features, classes: Classes | None, choice: Choice, *, joined: bool
) -> tuple[Smoothed | Joined, dict[str, Any]]:
    """Gentle transport of all pairs as it was chosen; if that was CCA, x is not smoothed."""
    neighbours = {"cca": 0.0, SMOOTHED: NEIGHBOURS}.get(choice.trial)
    names = classes if choice.trial in (NAMED, NAMES_JOINED) else None
    transport = choice.trial not in ("cca", UNPLANNED)
    prepared = prepare(features, neighbours=neighbours)
    fitted = fit_prepared(prepared, names, transport=transport)
    about = {"settings": {"neighbours": prepared.weight}}
    if joined:
        fitted = fitted._replace(maps=with_relative(prepared.features, fitted.maps))
    if names is not None and choice.trial == NAMES_JOINED:
        alone, _ = of_names_alone(plan_part(features), *names)
        return Joined((fitted, alone)), about
    return fitted, about


def _rival(ranks: dict[str, np.ndarray], num_pairs: int) -> str | None:
    """What stands against pairs alone: of few pairs, the most that is known, unless they object."""
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


def _summary(ranks: dict[str, np.ndarray], alone: str, rival: str | None) -> dict[str, Any]:
    held_out: dict[str, Any] = {
        "mean_log_rank": {name: float(values.mean()) for name, values in ranks.items()},
        "best_of_pairs_alone": alone,
    }
    if rival is not None:
        held_out["best_with_unmatched_items"] = rival
        held_out["gain_in_standard_errors"] = standard_errors(ranks[alone] - ranks[rival])
    return held_out
