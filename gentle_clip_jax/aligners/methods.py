"""Table of methods: each fits an aligner to a problem."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from gentle_clip_jax.aligners import choose, closed_form
from gentle_clip_jax.aligners.aligner import Aligner, fitted
from gentle_clip_jax.aligners.closed_form.joined import Joined
from gentle_clip_jax.aligners.closed_form.shrinkage import (
    ShrunkFit,
    chosen_shrinkage,
    shrunk_cca,
    shrunk_ridge,
)
from gentle_clip_jax.aligners.closed_form.transported import plan_part
from gentle_clip_jax.aligners.problem import Features, Problem
from gentle_clip_jax.aligners.settings import Procrustes, TransportedCca
from gentle_clip_jax.aligners.standardize import Classes
from gentle_clip_jax.evaluation.cross_validation import Embeds

# Functions of standardised features, classes in their units and a key: maps, and their metadata.
Metadata = dict[str, Any]
MapsFit = Callable[[Features, Classes | None, jax.Array], tuple[Embeds, Metadata]]


class Method(NamedTuple):
    """An entry of the table.

    unmatched: uses unmatched items. trained: is trained by gradients. named: needs classes.
    fit: fit(problem, key) -> Aligner.
    """

    label: str
    fit: Callable[[Problem, jax.Array], Aligner]
    unmatched: bool = False
    trained: bool = False
    named: bool = False


def _settings(**settings: Any) -> Metadata:
    return {"settings": settings}


def _pairs(features: Features) -> tuple[jax.Array, jax.Array]:
    return jnp.mean(features.x, axis=1), jnp.mean(features.y, axis=1)


def cca(x: jax.Array, y: jax.Array) -> tuple[Embeds, Metadata]:
    """Fit CCA to standardised pairs [n, dx] and [n, dy], with cross-validated shrinkage."""
    return _chosen(shrunk_cca, x, y)


def ridge(x: jax.Array, y: jax.Array) -> tuple[Embeds, Metadata]:
    """Fit ridge regression to standardised pairs, with cross-validated shrinkage."""
    return _chosen(shrunk_ridge, x, y)


def _chosen(fit: ShrunkFit, x: jax.Array, y: jax.Array) -> tuple[Embeds, Metadata]:
    shrinkage = chosen_shrinkage(fit, x, y)
    return fit(x, y, shrinkage), _settings(shrinkage=shrinkage)


def _procrustes(x: jax.Array, y: jax.Array) -> tuple[Embeds, Metadata]:
    return closed_form.procrustes(x, y), _settings(dim=Procrustes.dim)


def _relative(x: jax.Array, y: jax.Array) -> tuple[Embeds, Metadata]:
    return closed_form.relative(x, y), {}


def _cca_relative(x: jax.Array, y: jax.Array) -> tuple[Embeds, Metadata]:
    maps, metadata = cca(x, y)
    return Joined((maps, closed_form.relative(x, y))), metadata


OF_PAIRS: dict[str, Callable[[jax.Array, jax.Array], tuple[Embeds, Metadata]]] = {
    "cca": cca,
    "procrustes": _procrustes,
    "ridge": ridge,
    "relative": _relative,
    "cca_relative": _cca_relative,
}


def _transported_cca(
    features: Features, classes: Classes | None, key: jax.Array
) -> tuple[Embeds, Metadata]:
    x, y = _pairs(features)
    shrinkage = chosen_shrinkage(shrunk_cca, x, y)
    settings = {
        "shrinkage": shrinkage * TransportedCca.shrinkage,
        "mix": TransportedCca.mix,
        "rounds": TransportedCca.rounds,
    }
    start = shrunk_cca(x, y, shrinkage)
    maps = closed_form.transported_cca(features, start, **settings)
    return maps, _settings(**settings)


def _gentle_transport(
    features: Features, classes: Classes | None, key: jax.Array
) -> tuple[Embeds, Metadata]:
    return choose.gentle_transport(features)


def _gentle_relative(
    features: Features, classes: Classes | None, key: jax.Array
) -> tuple[Embeds, Metadata]:
    return choose.gentle_transport(features, joined=True)


def _named_transport(
    features: Features, classes: Classes | None, key: jax.Array
) -> tuple[Embeds, Metadata]:
    if classes is None:
        raise ValueError("named_transport needs the classes of x's encoder: give classes.")
    return choose.gentle_transport(features, classes)


def _of_pairs(name: str, label: str) -> tuple[str, Method]:
    return _method(name, label, lambda features, classes, key: OF_PAIRS[name](*_pairs(features)))


def _method(
    name: str,
    label: str,
    fit: MapsFit,
    *,
    unmatched: bool = False,
    trained: bool = False,
    named: bool = False,
) -> tuple[str, Method]:
    def fit_problem(problem: Problem, key: jax.Array) -> Aligner:
        def fit_named(features: Features, classes: Classes | None) -> tuple[Embeds, Metadata]:
            part = features if trained else plan_part(features, problem.plan_items)
            maps, metadata = fit(part, classes, key)
            return maps, {"method": name, **metadata}

        return fitted(problem, fit_named)

    return name, Method(label, fit_problem, unmatched, trained, named)


def _trained(
    name: str,
    label: str,
    *,
    unmatched: bool = True,
    objective: str | None = None,
    start: Literal["gentle_transport"] | None = None,
) -> tuple[str, Method]:
    """Return the method that trains heads, for the objective of that name if not given."""

    def train(
        features: Features, classes: Classes | None, key: jax.Array
    ) -> tuple[Embeds, Metadata]:
        from gentle_clip_jax.aligners.heads import methods  # flax and optax take a second to load

        return methods.fit_method(features, key, objective=objective or name, start=start)

    return _method(name, label, train, unmatched=unmatched, trained=True)


METHODS = dict(
    [
        _of_pairs("cca", "shrinkage CCA"),
        _of_pairs("procrustes", "Procrustes"),
        _of_pairs("ridge", "ridge regression"),
        _of_pairs("relative", "relative representations"),
        _of_pairs("cca_relative", "CCA + relative representations"),
        _trained("clip", "CLIP heads", unmatched=False),
        _trained("gentle_clip", "Gentle-CLIP heads"),
        _method("transported_cca", "transported CCA", _transported_cca, unmatched=True),
        _method("gentle_transport", "gentle transport", _gentle_transport, unmatched=True),
        _method(
            "gentle_relative",
            "gentle transport + relative representations",
            _gentle_relative,
            unmatched=True,
        ),
        _method(
            "named_transport",
            "gentle transport + names of the encoder's classes",
            _named_transport,
            unmatched=True,
            named=True,
        ),
        _trained(
            "gentle_clip_warm",
            "gentle transport, then Gentle-CLIP",
            objective="gentle_clip",
            start="gentle_transport",
        ),
    ]
)
