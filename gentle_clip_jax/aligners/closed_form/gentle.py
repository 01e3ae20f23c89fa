"""Gentle transport: smoothed features, and a plan between unmatched sets if pairs approve."""

import functools
from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.aligners.closed_form.cca import Maps, cca
from gentle_clip_jax.aligners.closed_form.neighbours import smooth
from gentle_clip_jax.aligners.closed_form.transported import scarcity, transported_cca
from gentle_clip_jax.aligners.closed_form.zero_pairs import Joined, named_classes
from gentle_clip_jax.aligners.cross_validation import cross_validated, log_ranks
from gentle_clip_jax.aligners.problem import Problem

SHRINKAGES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
# A trial of the plan on held-out pairs takes fewer unmatched items and rounds than the plan itself.
_TRIAL_ITEMS, _TRIAL_ROUNDS, _TRIAL_FOLDS = 2048, 3, 3
_LEAST_TRIED = 60  # below, held-out pairs are too few to tell
_WITHIN = 0.5
_FEW_SHRINKAGE = 10.0  # of so few pairs, with a plan


class Smoothed(NamedTuple):
    """Maps of features that are drawn towards their neighbours in a bank [m, dx] of x."""

    maps: Maps
    bank: jax.Array
    weight: float

    def smooth_x(self, x: jax.Array) -> jax.Array:
        """Features [n, dx] as the maps take them."""
        return smooth(x, self.bank, weight=self.weight)

    def embed_x(self, x: jax.Array) -> jax.Array:
        """Unit rows [n, k] of features [n, dx]."""
        return self.maps.embed_x(self.smooth_x(x))

    def embed_y(self, y: jax.Array) -> jax.Array:
        """Unit rows [m, k] of features [m, dy]."""
        return self.maps.embed_y(y)


Classes = tuple[jax.Array, jax.Array]


def gentle_transport(
    problem: Problem,
    *,
    shrinkages: Iterable[float] = SHRINKAGES,
    classes: Classes | None = None,
    transport: bool | None = None,
) -> Smoothed:
    """`transported_cca` where x is smoothed over its neighbours, the more the fewer the pairs.

    With few pairs, a map that is fitted to single features fits their noise; the mean of an item's
    neighbours, most of them unmatched, has less of it. The weight of the neighbours is 0.8s,
    s = 250 / (250 + n). A plan between sets that show different things leads astray: of 60 pairs or
    more some are held out, and if these find each other better by the CCA of the smoothed pairs
    alone, by two standard errors, that is returned.

    Args:
      problem: features of matched and unmatched items.
      shrinkages: candidates for that of the first CCA, chosen by cross-validation.
      classes: [c, dx] the classifier that x's encoder was trained with and [c, dy] features of the
        names of its classes, if they are known: what it says of unmatched items then counts too,
        unless held-out pairs, of 60 or more, find each other better without.
      transport: whether to use a plan; if not given, the pairs decide.

    Source: ours; docs/results/negative.md says what else was tried.
    """
    bank = jnp.concatenate([jnp.mean(items, axis=1) for items in (problem.x, problem.unmatched_x)])
    weight = 0.8 * scarcity(len(problem.x))
    x, unmatched_x = (
        smooth(jnp.mean(items, axis=1), bank, weight=weight)
        for items in (problem.x, problem.unmatched_x)
    )
    problem = problem._replace(x=x[:, None], unmatched_x=unmatched_x[:, None])
    y = jnp.mean(problem.y, axis=1)
    shrinkage = cross_validated(_pairs_alone, x, y, shrinkages, folds=5 if len(x) < 1500 else 2)
    maps = _pairs_alone(x, y, shrinkage)
    undecided = transport is None or (transport and classes is not None)
    if undecided and len(x) >= _LEAST_TRIED:
        helps, classes = _tried(problem, shrinkage, classes)
        transport = helps if transport is None else transport
    if transport or transport is None:
        few = _FEW_SHRINKAGE if len(x) < _LEAST_TRIED else None
        maps = _planned(problem, maps, classes, shrinkage=few, within=_WITHIN)
    return Smoothed(maps, bank, weight)


def _pairs_alone(x: jax.Array, y: jax.Array, shrinkage: float) -> Maps:
    return cca(x, y, shrinkage=shrinkage)


def _planned(
    problem: Problem,
    maps: Maps,
    classes: Classes | None,
    *,
    shrinkage: float | None,
    within: float = 0.0,
    rounds: int = 8,
) -> Maps:
    """Transported CCA from the maps, and from what the classes are called."""
    if 0 in (len(problem.unmatched_x), len(problem.unmatched_y)):
        return maps
    fit = functools.partial(
        transported_cca, problem, shrinkage=shrinkage, within=within, rounds=rounds
    )
    if classes is None:
        return fit(maps)
    x, y = (jnp.mean(items, axis=1) for items in (problem.unmatched_x, problem.unmatched_y))
    named = named_classes(x, y, *classes)
    fitted = fit(Joined((maps, named)), told=named.told(x))
    assert isinstance(fitted, Maps)
    return fitted


def _tried(
    problem: Problem, shrinkage: float, classes: Classes | None
) -> tuple[bool, Classes | None]:
    """Whether held-out pairs bear a plan; and the classes, if a plan finds more pairs by them."""
    tried = problem._replace(
        unmatched_x=problem.unmatched_x[:_TRIAL_ITEMS],
        unmatched_y=problem.unmatched_y[:_TRIAL_ITEMS],
    )

    def fit(x: jax.Array, y: jax.Array, plan: float) -> Maps:
        maps = _pairs_alone(x, y, shrinkage)
        if not plan:
            return maps
        part, told = tried._replace(x=x[:, None], y=y[:, None]), classes if plan == 2 else None
        return _planned(part, maps, told, shrinkage=None, rounds=_TRIAL_ROUNDS)

    x, y = (jnp.mean(items, axis=1) for items in (problem.x, problem.y))
    plans = (0.0, 1.0) if classes is None else (0.0, 1.0, 2.0)
    without, *planned = log_ranks(fit, x, y, plans, folds=_TRIAL_FOLDS)
    best = int(np.argmin([np.mean(ranks) for ranks in planned]))
    worse = planned[best] - without
    return bool(
        np.mean(worse) <= 2 * np.std(worse) / np.sqrt(len(worse))
    ), classes if best else None
