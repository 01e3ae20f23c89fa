"""Every way to align two modalities, as a function of one problem: closed forms and heads."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gentle_clip_jax.aligners import closed_form
from gentle_clip_jax.aligners.closed_form import (
    Anchors,
    Maps,
    Problem,
    Smoothed,
    gentle_transport,
    transported_cca,
)
from gentle_clip_jax.aligners.closed_form.gentle import SHRINKAGES, Classes
from gentle_clip_jax.aligners.heads import OBJECTIVES, Trained, fit

# Of the unmatched items, as many make a plan; more change little and cost their square.
_PLANNED = 4096


class Refined(NamedTuple):
    """A head that was trained on smoothed features of x."""

    start: Smoothed
    trained: Trained

    def embed_x(self, x: jax.Array) -> jax.Array:
        return self.trained.embed_x(self.start.smooth_x(x))

    def embed_y(self, y: jax.Array) -> jax.Array:
        return self.trained.embed_y(y)


# What methods return: embed_x and embed_y make unit rows of one space of either's features.
Aligned = Maps | Anchors | Smoothed | Trained | Refined


class Method(NamedTuple):
    """A line of the table; `unmatched`, `trained` and `named` say what it needs.

    fit: of a problem and a key, and if `named` of the classes of x's encoder, see `pool.Task`.
    """

    label: str
    fit: Callable[..., Aligned]
    unmatched: bool = False
    trained: bool = False
    named: bool = False


def cca(x: jax.Array, y: jax.Array) -> Maps:
    """CCA of pairs [n, dx] and [n, dy] whose shrinkage is cross-validated on them."""
    return _chosen(_shrunk_cca, x, y)


def _ridge(x: jax.Array, y: jax.Array) -> Maps:
    return _chosen(_shrunk_ridge, x, y)


def _chosen(fit: Callable[[jax.Array, jax.Array, float], Maps], x: jax.Array, y: jax.Array) -> Maps:
    return fit(x, y, _shrinkage(fit, x, y))


def _shrinkage(
    fit: Callable[[jax.Array, jax.Array, float], Maps], x: jax.Array, y: jax.Array
) -> float:
    folds = 5 if len(x) < 1500 else 2  # with many pairs one fold tells enough
    return closed_form.cross_validated(fit, x, y, SHRINKAGES, folds=folds)


def _shrunk_cca(x: jax.Array, y: jax.Array, shrinkage: float) -> Maps:
    return closed_form.cca(x, y, shrinkage=shrinkage)


def _shrunk_ridge(x: jax.Array, y: jax.Array, shrinkage: float) -> Maps:
    return closed_form.ridge(x, y, shrinkage=shrinkage)


def _procrustes(x: jax.Array, y: jax.Array) -> Maps:
    return closed_form.procrustes(x, y, dim=128)


def _of_pairs(fit: Callable[[jax.Array, jax.Array], Aligned]) -> Callable[..., Aligned]:
    return lambda problem, key: fit(jnp.mean(problem.x, axis=1), jnp.mean(problem.y, axis=1))


def _planned(problem: Problem) -> Problem:
    return problem._replace(
        unmatched_x=problem.unmatched_x[:_PLANNED], unmatched_y=problem.unmatched_y[:_PLANNED]
    )


def _transported(problem: Problem, key: jax.Array) -> Maps:
    x, y = jnp.mean(problem.x, axis=1), jnp.mean(problem.y, axis=1)
    shrinkage = _shrinkage(_shrunk_cca, x, y)
    # Covariances of all items need less of it: a third did best on validation items.
    start = _shrunk_cca(x, y, shrinkage)
    return transported_cca(_planned(problem), start, shrinkage=shrinkage / 3, mix=0.5, rounds=4)


def _gentle_transport(problem: Problem, key: jax.Array) -> Smoothed:
    return gentle_transport(_planned(problem))


def _named_transport(problem: Problem, key: jax.Array, classes: Classes) -> Smoothed:
    return gentle_transport(_planned(problem), classes=classes)


def _heads(objective: str) -> Callable[[Problem, jax.Array], Aligned]:
    def train(problem: Problem, key: jax.Array) -> Aligned:
        problem, held_out = _hold_out(problem)
        return fit(key, problem, OBJECTIVES[objective], validation=held_out)

    return train


def _plan_matching(problem: Problem, key: jax.Array) -> Aligned:
    problem, held_out = _hold_out(problem)
    start = cca(jnp.mean(problem.x, axis=1), jnp.mean(problem.y, axis=1))
    objective = OBJECTIVES["plan_matching"]
    return fit(key, problem, objective, validation=held_out, warm_start=start)


def _warm_gentle_clip(problem: Problem, key: jax.Array) -> Aligned:
    problem, held_out = _hold_out(problem)
    start = gentle_transport(_planned(problem))
    problem, held_out = (
        _smoothed(start, problem),
        (
            start.smooth_x(held_out[0][:, 0])[:, None],
            held_out[1],
        ),
    )
    objective = OBJECTIVES["gentle_clip"]
    trained = fit(key, problem, objective, validation=held_out, warm_start=start.maps)
    return Refined(start, trained)


def _smoothed(start: Smoothed, problem: Problem) -> Problem:
    x, unmatched_x = (
        start.smooth_x(jnp.mean(items, axis=1))[:, None]
        for items in (problem.x, problem.unmatched_x)
    )
    return problem._replace(x=x, unmatched_x=unmatched_x)


def _hold_out(problem: Problem) -> tuple[Problem, tuple[jax.Array, jax.Array]]:
    """Keeps a fifth of the pairs, two at least, to stop training by; they come in random order."""
    count = max(2, len(problem.x) // 5)
    rest = problem._replace(x=problem.x[count:], y=problem.y[count:])
    return rest, (problem.x[:count], problem.y[:count])


METHODS = {
    "cca": Method("shrinkage CCA", _of_pairs(cca)),
    "procrustes": Method("Procrustes", _of_pairs(_procrustes)),
    "ridge": Method("ridge regression", _of_pairs(_ridge)),
    "relative": Method("relative representations", _of_pairs(closed_form.relative)),
    "clip": Method("CLIP heads", _heads("clip"), trained=True),
    "siglip": Method("SigLIP heads", _heads("siglip"), trained=True),
    "hard_pl": Method("CLIP heads + Hard-PL", _heads("hard_pl"), True, True),
    "soft_pl": Method("CLIP heads + Soft-PL", _heads("soft_pl"), True, True),
    "s_clip": Method("CLIP heads + S-CLIP labels", _heads("s_clip"), True, True),
    "cauchy_schwarz": Method("CLIP heads + Cauchy-Schwarz", _heads("cauchy_schwarz"), True, True),
    "gentle_clip_official": Method(
        "Gentle-CLIP heads, official", _heads("gentle_clip_official"), True, True
    ),
    "gentle_clip": Method("Gentle-CLIP heads", _heads("gentle_clip"), True, True),
    "plan_matching": Method("CCA start, plan matching", _plan_matching, True, True),
    "transported_cca": Method("transported CCA", _transported, True),
    "gentle_transport": Method("gentle transport", _gentle_transport, True),
    "named_transport": Method(
        "gentle transport + names of the encoder's classes", _named_transport, True, named=True
    ),
    "gentle_clip_warm": Method("gentle transport, then Gentle-CLIP", _warm_gentle_clip, True, True),
}
