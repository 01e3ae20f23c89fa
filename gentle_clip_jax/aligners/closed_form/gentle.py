"""Gentle transport: smoothed features, and a plan between unmatched sets.

`choose` lets held-out pairs decide which parts are used.
"""

import functools
from typing import NamedTuple

from gentle_clip_jax.aligners.closed_form.arrays import Array, concatenated
from gentle_clip_jax.aligners.closed_form.maps import Joined, Maps, Smoothed
from gentle_clip_jax.aligners.closed_form.neighbours import smooth_alike
from gentle_clip_jax.aligners.closed_form.shrinkage import chosen_shrinkage, shrunk_cca
from gentle_clip_jax.aligners.closed_form.transported import (
    few_pairs_shrinkage,
    few_pairs_weight,
    transported_cca,
)
from gentle_clip_jax.aligners.closed_form.zero_pairs import named_classes
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.aligners.settings import GentleTransport, Shrinkage, Transport

BANK_BYTES = GentleTransport.bank_bytes
FEW_PAIRS, FEW_DIMENSIONS = GentleTransport.few_pairs, GentleTransport.few_dimensions
NEIGHBOURS = GentleTransport.neighbours


Classes = tuple[Array, Array]


class Prepared(NamedTuple):
    """Smoothed features and their CCA: input of gentle transport, with or without a plan.

    features: those of the problem, x smoothed, a row an item; bank, weight: of the smoothing.
    shrinkage: chosen for CCA of the smoothed pairs, which is `maps`.
    """

    features: Features
    bank: Array
    weight: float
    shrinkage: float
    maps: Maps


def are_few_dimensions(features: Features) -> bool:
    """Return whether either modality has 64 dimensions or fewer."""
    return min(features.x.shape[2], features.y.shape[2]) <= FEW_DIMENSIONS


def prepare(
    features: Features, *, neighbours: float | None = None, shrinkage: float | None = None
) -> Prepared:
    """Smooth x, and choose the shrinkage of the CCA of the smoothed pairs.

    With few pairs, a map that is fitted to single features fits their noise; the mean of an item's
    neighbours, most of them unmatched, has less of it. The weight of the neighbours is 0.8s,
    s = 250 / (250 + n); in few dimensions, where smoothing may blur the features, 0 by default.

    Args:
      features: standardised, of matched and unmatched items.
      neighbours: their weight in units of s, however many dimensions there are.
      shrinkage: of the CCA; held-out pairs choose it if not given.

    Source: ours; docs/results/closed.md compares alternatives.
    """
    rows = concatenated([items.mean(axis=1) for items in (features.x, features.unmatched_x)])
    if neighbours is None:
        neighbours = 0.0 if are_few_dimensions(features) else NEIGHBOURS
    weight = neighbours * few_pairs_weight(len(features.x))
    bank = rows[: BANK_BYTES // rows[0].nbytes]
    if weight:
        rows = smooth_alike(rows, bank, weight=weight)  # large sets fit into memory only once
    x, unmatched_x = rows[: len(features.x)], rows[len(features.x) :]
    features = features._replace(x=x[:, None], unmatched_x=unmatched_x[:, None])
    y = features.y.mean(axis=1)
    shrinkage = chosen_shrinkage(shrunk_cca, x, y) if shrinkage is None else shrinkage
    bank = bank if weight else bank[:0]
    return Prepared(features, bank, weight, shrinkage, shrunk_cca(x, y)(shrinkage))


def fit_prepared(prepared: Prepared, classes: Classes | None, *, transport: bool) -> Smoothed:
    """Fit gentle transport with a plan, and the names of classes if given, or without a plan.

    Args:
      prepared: see `prepare`.
      classes: [c, dx] the classifier that x's encoder was trained with and [c, dy] features of the
        names of its classes, in the units of the features; its predictions for unmatched items
        then join the fit.
      transport: whether to use a plan.
    """
    maps = prepared.maps
    if transport:
        shrinkage = plan_shrinkage(prepared)
        maps = planned(
            prepared.features, maps, classes, shrinkage=shrinkage, within=GentleTransport.within
        )
    return Smoothed(maps, prepared.bank, prepared.weight)


def plan_shrinkage(prepared: Prepared) -> float:
    """Return the shrinkage of the CCA with a plan: the fewer pairs, the more.

    In few dimensions at most that of the pairs-only CCA: where the covariances of the pairs need
    little shrinkage, those of all items need no more.
    """
    most = most_shrinkage(few_pairs_weight(len(prepared.features.x)))
    return min(most, prepared.shrinkage) if are_few_dimensions(prepared.features) else most


def most_shrinkage(few: float) -> float:
    """Return the most shrinkage of covariances with a plan, by `few_pairs_weight`."""
    return Shrinkage.few_pairs if few > few_pairs_weight(FEW_PAIRS) else few_pairs_shrinkage(few)


def planned(
    features: Features,
    maps: Maps,
    classes: Classes | None,
    *,
    shrinkage: float | None,
    within: float = 0.0,
    rounds: int = Transport.rounds,
) -> Maps:
    """Fit transported CCA to smoothed features, from the maps and the names of classes."""
    if 0 in (len(features.unmatched_x), len(features.unmatched_y)):
        return maps
    fit = functools.partial(
        transported_cca, features, shrinkage=shrinkage, within=within, rounds=rounds
    )
    if classes is None:
        return fit(maps)
    x, y = (items.mean(axis=1) for items in (features.unmatched_x, features.unmatched_y))
    named = named_classes(x, y, *classes)
    fitted = fit(Joined((maps, named)), pseudo_y=named.pseudo_y(x))
    assert isinstance(fitted, Maps)
    return fitted
