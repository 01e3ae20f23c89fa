"""Fit of an aligner to a problem, by a named method or by the one that held-out pairs choose."""

import dataclasses

import jax
import numpy as np
from jax.typing import ArrayLike

from gentle_clip_jax.aligners import candidates, choose
from gentle_clip_jax.aligners.aligner import Aligner, by_jax, fitted, with_gallery_smoothing
from gentle_clip_jax.aligners.closed_form.gallery_smoothing import SmoothedGallery
from gentle_clip_jax.aligners.closed_form.transported import plan_part
from gentle_clip_jax.aligners.closed_form.zero_pairs import of_names_alone
from gentle_clip_jax.aligners.gallery import Galleries, with_banks
from gentle_clip_jax.aligners.joint import fit_joint, with_joint
from gentle_clip_jax.aligners.methods import METHODS, OF_PAIRS, Metadata
from gentle_clip_jax.aligners.problem import PLAN_ITEMS, Features, Problem, once_a_problem
from gentle_clip_jax.aligners.reduced import reduced_problem
from gentle_clip_jax.aligners.standardize import Classes, in_one_unit, standardized
from gentle_clip_jax.evaluation.cross_validation import Embeds, HeldOut
from gentle_clip_jax.parallel.cores import one_core_for_lapack


def align(
    problem: Problem,
    method: str = "auto",
    *,
    key: jax.Array | None = None,
    classes: tuple[ArrayLike, ArrayLike] | None = None,
) -> Aligner:
    """Fit an aligner to raw features.

    Args:
      problem: features of matched and of unmatched items.
      method: a name in `METHODS`; or "auto": the closed form that ranks held-out partners best,
        fitted to all pairs. It uses unmatched items only where held-out pairs allow it,
        see `choose.choose`. With fewer than two pairs it needs classes, and uses no pair.
      key: of random choices; that of seed 0 if not given. It samples the unmatched items of a plan.
      classes: raw classifier and names of classes, see `Problem`.

    Returns:
      An aligner that embeds raw features; of "auto", `metadata["held_out"]` has the figures.

    Raises:
      ValueError: there is no such method, or the problem lacks what it needs.
    """
    key = jax.random.key(0) if key is None else key
    if classes is not None:
        problem = dataclasses.replace(problem, classes=classes)
    ordered = _shuffled(in_canonical_order(problem), key)
    aligner, _ = fit_method(ordered, method, key)
    return aligner.with_metadata({"fitted_on": problem.metadata})


def fit_method(problem: Problem, method: str, key: jax.Array) -> tuple[Aligner, HeldOut | None]:
    """Fit a method to items in random order; return the held-out figures of "auto" beside it."""
    if method != "auto" and method not in METHODS:
        raise ValueError(f"There is no method {method}: choose from auto, {', '.join(METHODS)}.")
    held_out = None
    if method != "auto":
        aligner = METHODS[method].fit(problem)
    elif len(problem.x) < 2:
        aligner = fitted(problem, _without_pairs)
    else:
        if len(problem.x) >= 3:
            held_out = evaluate_problem(problem, _seed(key))
        features, classes = standardized(problem)[2:]
        choice = choose.choose(features, held_out, named=classes is not None)
        aligner = _fit_choice(problem, choice)
    aligner = with_gallery_smoothing(aligner, problem, _galleries(aligner))
    return by_jax(aligner), held_out


@one_core_for_lapack
def evaluate_problem(problem: Problem, seed: int, *, relatives: bool | None = None) -> HeldOut:
    """Cross-validate every closed form; see `evaluate_candidates`."""
    small = reduced_problem(problem)
    held_out = candidates.evaluate_candidates(*small, seed=seed, relatives=relatives)
    return with_joint(held_out, problem, seed)


def _galleries(aligner: Aligner) -> Galleries | None:
    """Return no smoothing for methods that keep the cosines of the features, else None."""
    return Galleries(x=False, y=False) if _is_shared(aligner.metadata["method"]) else None


def _is_shared(method: str) -> bool:
    return method in METHODS and METHODS[method].shared


def _seed(key: jax.Array) -> int:
    return int(np.asarray(jax.random.key_data(key)).ravel()[-1])


@one_core_for_lapack
def refit(aligner: Aligner, features: Features, classes: Classes | None) -> SmoothedGallery:
    """Fit an aligner's method to other items, with the choices that were made for the aligner.

    The candidate and the shrinkage that held-out pairs chose and the galleries that are smoothed
    stay. transported_cca and joint_adapted choose their shrinkage again.

    Args:
      aligner: by one of `METHODS`.
      features, classes: see `standardized_for`.
    """
    metadata = aligner.metadata
    method, chosen = metadata["method"], metadata.get("held_out", {}).get("chosen")
    if chosen is None and method not in OF_PAIRS:
        maps, _ = METHODS[method].fit_maps(plan_part(features), classes)
    else:
        shrinkage = metadata.get("settings", {}).get("shrinkage")
        choice = choose.Choice(chosen or method, {}, shrinkage)
        maps, _ = _fit_maps(plan_part(features), classes, choice, method)
    return with_banks(features, maps, aligner.smoothed_galleries)


def standardized_for(method: str, problem: Problem) -> tuple[Features, Classes | None]:
    """Return the features and classes of a problem in the units in which a method is fitted."""
    return (in_one_unit if _is_shared(method) else standardized)(problem)[2:]


def _fit_choice(problem: Problem, choice: choose.Choice) -> Aligner:
    method = choice.method

    def fit(features: Features, classes: Classes | None) -> tuple[Embeds, Metadata]:
        features = plan_part(features, problem.plan_items)
        maps, metadata = _fit_maps(features, classes, choice, method)
        return maps, {"method": method, **metadata, "held_out": choice.summary}

    return fitted(problem, fit, in_one_unit if _is_shared(method) else standardized)


def _fit_maps(
    features: Features, classes: Classes | None, choice: choose.Choice, method: str
) -> tuple[Embeds, Metadata]:
    if method in OF_PAIRS:
        x, y = (items.mean(axis=1) for items in features[:2])
        return OF_PAIRS[method](x, y, choice.shrinkage)
    if _is_shared(method):
        return fit_joint(features, choice.candidate)
    return choose.transported(features, classes, choice, joined=method == candidates.JOINED)


@once_a_problem
def in_canonical_order(problem: Problem) -> Problem:
    """Sort the pairs by their features, so that the order in which they came changes nothing.

    The first feature that differs decides: in other units the order is the same.
    """
    if not len(problem.x):
        return problem
    rows = [items.reshape(len(items), -1) for items in (problem.x, problem.y)]
    order = np.lexsort(np.concatenate(rows, axis=1).T[::-1])
    return dataclasses.replace(problem, x=problem.x[order], y=problem.y[order])


def _shuffled(problem: Problem, key: jax.Array) -> Problem:
    """Shuffle the unmatched items where only some are used: their order may be by kind."""
    taken = min(PLAN_ITEMS, problem.plan_items)  # maximum for cross-validation
    if max(len(problem.unmatched_x), len(problem.unmatched_y)) <= taken:
        return problem  # results are cached by problem
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())
    unmatched = {
        name: items[rng.permutation(len(items))] if len(items) > taken else items
        for name in ("unmatched_x", "unmatched_y")
        for items in (getattr(problem, name),)
    }
    return dataclasses.replace(problem, **unmatched)


def _without_pairs(features: Features, classes: Classes | None) -> tuple[Embeds, Metadata]:
    if classes is None or 0 in (len(features.unmatched_x), len(features.unmatched_y)):
        raise ValueError(
            f"{len(features.x)} pairs say nothing about how x and y belong together: give 2 or "
            "more, or classes of x's encoder and unmatched items of both modalities."
        )
    maps, score = of_names_alone(plan_part(features), *classes)
    return maps, {"method": "named_classes", "held_out": {"mean_planned_cosine": score}}
