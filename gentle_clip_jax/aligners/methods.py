"""Table of methods: each fits an aligner to a problem."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from gentle_clip_jax.aligners import choose
from gentle_clip_jax.aligners.aligner import Aligner, fitted
from gentle_clip_jax.aligners.closed_form.arrays import Array
from gentle_clip_jax.aligners.closed_form.maps import Joined
from gentle_clip_jax.aligners.closed_form.procrustes import procrustes
from gentle_clip_jax.aligners.closed_form.relative import relative
from gentle_clip_jax.aligners.closed_form.shrinkage import (
    ShrunkFit,
    chosen_shrinkage,
    shrunk_cca,
    shrunk_ridge,
)
from gentle_clip_jax.aligners.closed_form.transported import plan_part, transported_cca
from gentle_clip_jax.aligners.joint import fit_joint
from gentle_clip_jax.aligners.problem import Features, Problem
from gentle_clip_jax.aligners.settings import Procrustes, TransportedCca
from gentle_clip_jax.aligners.standardize import Classes, in_one_unit, standardized
from gentle_clip_jax.evaluation.cross_validation import Embeds

# Functions of standardised features and classes in their units: maps, and their metadata.
Metadata = dict[str, Any]
MapsFit = Callable[[Features, Classes | None], tuple[Embeds, Metadata]]


class Method(NamedTuple):
    """An entry of the table.

    unmatched: uses unmatched items. named: needs classes. shared: takes features of one space on
    both sides as they are, and needs no pair.
    """

    name: str
    label: str
    fit_maps: MapsFit
    unmatched: bool = False
    named: bool = False
    shared: bool = False

    def fit(self, problem: Problem) -> Aligner:
        """Fit an aligner to a problem."""

        def fit_maps(features: Features, classes: Classes | None) -> tuple[Embeds, Metadata]:
            part = plan_part(features, problem.plan_items)
            maps, metadata = self.fit_maps(part, classes)
            return maps, {"method": self.name, **metadata}

        return fitted(problem, fit_maps, in_one_unit if self.shared else standardized)


def _settings(**settings: Any) -> Metadata:
    return {"settings": settings}


def _pairs(features: Features) -> tuple[Array, Array]:
    return features.x.mean(axis=1), features.y.mean(axis=1)


def _shrunk(fit: ShrunkFit, x: Array, y: Array, shrinkage: float | None) -> tuple[Embeds, Metadata]:
    if shrinkage is None:
        shrinkage = chosen_shrinkage(fit, x, y)
    return fit(x, y)(shrinkage), _settings(shrinkage=shrinkage)


def _cca_relative(x: Array, y: Array, shrinkage: float | None) -> tuple[Embeds, Metadata]:
    maps, metadata = _shrunk(shrunk_cca, x, y, shrinkage)
    return Joined((maps, relative(x, y))), metadata


# Functions of standardised pairs [n, dx] and [n, dy], and a shrinkage, which held-out pairs choose
# if it is None.
OfPairs = Callable[[Array, Array, float | None], tuple[Embeds, Metadata]]
OF_PAIRS: dict[str, OfPairs] = {
    "cca": functools.partial(_shrunk, shrunk_cca),
    "procrustes": lambda x, y, _: (procrustes(x, y), _settings(dim=Procrustes.dim)),
    "ridge": functools.partial(_shrunk, shrunk_ridge),
    "relative": lambda x, y, _: (relative(x, y), {}),
    "cca_relative": _cca_relative,
}


def _of_pairs(name: str, label: str) -> Method:
    return Method(name, label, lambda features, classes: OF_PAIRS[name](*_pairs(features), None))


def _transported_cca(features: Features, classes: Classes | None) -> tuple[Embeds, Metadata]:
    x, y = _pairs(features)
    shrinkage = chosen_shrinkage(shrunk_cca, x, y)
    settings = {
        "shrinkage": shrinkage * TransportedCca.shrinkage,
        "mix": TransportedCca.mix,
        "rounds": TransportedCca.rounds,
    }
    start = shrunk_cca(x, y)(shrinkage)
    maps = transported_cca(features, start, **settings)
    return maps, _settings(**settings)


def _gentle_transport(*, joined: bool = False) -> MapsFit:
    return lambda features, classes: choose.gentle_transport(features, joined=joined)


def _joint(features: Features, classes: Classes | None) -> tuple[Embeds, Metadata]:
    return fit_joint(features, "joint")


def _joint_adapted(features: Features, classes: Classes | None) -> tuple[Embeds, Metadata]:
    return choose.joint_adapted(features)


def _named_transport(features: Features, classes: Classes | None) -> tuple[Embeds, Metadata]:
    if classes is None:
        raise ValueError("named_transport needs the classes of x's encoder: give classes.")
    return choose.gentle_transport(features, classes)


_RELATIVE = "gentle transport + relative representations"
_NAMED = "gentle transport + names of the encoder's classes"
_uses = {"unmatched": True}
METHODS = {
    method.name: method
    for method in (
        _of_pairs("cca", "shrinkage CCA"),
        _of_pairs("procrustes", "Procrustes"),
        _of_pairs("ridge", "ridge regression"),
        _of_pairs("relative", "relative representations"),
        _of_pairs("cca_relative", "CCA + relative representations"),
        Method("joint", "the space of the features", _joint, shared=True),
        Method("joint_adapted", "the same space, adapted", _joint_adapted, **_uses, shared=True),
        Method("transported_cca", "transported CCA", _transported_cca, **_uses),
        Method("gentle_transport", "gentle transport", _gentle_transport(), **_uses),
        Method("gentle_relative", _RELATIVE, _gentle_transport(joined=True), **_uses),
        Method("named_transport", _NAMED, _named_transport, **_uses, named=True),
    )
}
