"""Gentle transport: smoothed features, and a plan between unmatched sets if pairs approve."""

import functools
from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.aligners.closed_form.cca import Maps
from gentle_clip_jax.aligners.closed_form.neighbours import smooth
from gentle_clip_jax.aligners.closed_form.shrinkage import (
    OF_FEW_PAIRS,
    SHRINKAGES,
    chosen_shrinkage,
    shrunk_cca,
)
from gentle_clip_jax.aligners.closed_form.transported import few_pairs_weight, transported_cca
from gentle_clip_jax.aligners.closed_form.zero_pairs import Joined, named_classes
from gentle_clip_jax.aligners.cross_validation import log_ranks
from gentle_clip_jax.aligners.problem import Features

# A trial of the plan on held-out pairs takes fewer unmatched items and rounds than the plan itself.
TRIAL_ITEMS, TRIAL_ROUNDS = 2048, 3
_TRIAL_FOLDS = 3
BANK_BYTES = 64 * 2**20  # of the rows among which neighbours are sought, at most
LEAST_TRIED = 60  # below, three folds of pairs are too few to tell
_WITHIN = 0.5


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


class Prepared(NamedTuple):
    """What gentle transport fits its maps to, before it is known whether a plan takes part.

    features: those of the problem, x smoothed, a row an item; bank, weight: what smoothed them.
    shrinkage: chosen for CCA of the smoothed pairs, which is `maps`.
    """

    features: Features
    bank: jax.Array
    weight: float
    shrinkage: float
    maps: Maps


def gentle_transport(
    features: Features,
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
      features: standardised, of matched and unmatched items.
      shrinkages: candidates for that of the first CCA, chosen by cross-validation.
      classes: [c, dx] the classifier that x's encoder was trained with and [c, dy] features of the
        names of its classes, if they are known, both in the units of the features: what it says of
        unmatched items then counts too, unless held-out pairs, of 60 or more, find each other
        better without.
      transport: whether to use a plan; if not given, the pairs decide.

    Source: ours; docs/results/negative.md says what else was tried.
    """
    prepared = prepare(features, shrinkages)
    undecided = transport is None or (transport and classes is not None)
    if undecided and len(features.x) >= LEAST_TRIED:
        helps, classes = _tried(prepared, classes)
        transport = helps if transport is None else transport
    return fit_prepared(prepared, classes, transport=transport is None or transport)


def prepare(features: Features, shrinkages: Iterable[float] = SHRINKAGES) -> Prepared:
    """Smooths x, and chooses how far the CCA of the smoothed pairs is shrunk."""
    rows = jnp.concatenate([jnp.mean(z, axis=1) for z in (features.x, features.unmatched_x)])
    bank, weight = rows[: BANK_BYTES // rows[0].nbytes], 0.8 * few_pairs_weight(len(features.x))
    rows = smooth(rows, bank, weight=weight)  # of large sets there is no room for both
    x, unmatched_x = jnp.split(rows, [len(features.x)])
    features = features._replace(x=x[:, None], unmatched_x=unmatched_x[:, None])
    y = jnp.mean(features.y, axis=1)
    shrinkage = chosen_shrinkage(shrunk_cca, x, y, shrinkages=shrinkages)
    return Prepared(features, bank, weight, shrinkage, shrunk_cca(x, y, shrinkage))


def fit_prepared(prepared: Prepared, classes: Classes | None, *, transport: bool) -> Smoothed:
    """Gentle transport with a plan, and the names of classes if given, or without any."""
    maps = prepared.maps
    if transport:
        few = OF_FEW_PAIRS if len(prepared.features.x) < LEAST_TRIED else None
        maps = planned(prepared.features, maps, classes, shrinkage=few, within=_WITHIN)
    return Smoothed(maps, prepared.bank, prepared.weight)


def planned(
    features: Features,
    maps: Maps,
    classes: Classes | None,
    *,
    shrinkage: float | None,
    within: float = 0.0,
    rounds: int = 8,
) -> Maps:
    """Transported CCA of smoothed features from the maps, and from what the classes are called."""
    if 0 in (len(features.unmatched_x), len(features.unmatched_y)):
        return maps
    fit = functools.partial(
        transported_cca, features, shrinkage=shrinkage, within=within, rounds=rounds
    )
    if classes is None:
        return fit(maps)
    x, y = (jnp.mean(items, axis=1) for items in (features.unmatched_x, features.unmatched_y))
    named = named_classes(x, y, *classes)
    fitted = fit(Joined((maps, named)), pseudo_y=named.pseudo_y(x))
    assert isinstance(fitted, Maps)
    return fitted


def _tried(prepared: Prepared, classes: Classes | None) -> tuple[bool, Classes | None]:
    """Whether held-out pairs bear a plan; and the classes, if a plan finds more pairs by them."""
    features = prepared.features
    tried = features._replace(
        unmatched_x=features.unmatched_x[:TRIAL_ITEMS],
        unmatched_y=features.unmatched_y[:TRIAL_ITEMS],
    )

    def fit(x: jax.Array, y: jax.Array, plan: float) -> Maps:
        maps = shrunk_cca(x, y, prepared.shrinkage)
        if not plan:
            return maps
        part, names = tried._replace(x=x[:, None], y=y[:, None]), classes if plan == 2 else None
        return planned(part, maps, names, shrinkage=None, rounds=TRIAL_ROUNDS)

    x, y = (jnp.mean(items, axis=1) for items in (features.x, features.y))
    plans = (0.0, 1.0) if classes is None else (0.0, 1.0, 2.0)
    without, *with_plan = log_ranks(fit, x, y, plans, folds=_TRIAL_FOLDS)
    best = int(np.argmin([np.mean(ranks) for ranks in with_plan]))
    worse = with_plan[best] - without
    bears = np.mean(worse) <= 2 * np.std(worse) / np.sqrt(len(worse))
    return bool(bears), classes if best else None
