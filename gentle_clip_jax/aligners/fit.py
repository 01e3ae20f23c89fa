"""`align`: the one call that fits an aligner, by a method's name or by what the pairs say."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from gentle_clip_jax.aligners import selection, trials
from gentle_clip_jax.aligners.aligner import Aligner, fitted, with_readout
from gentle_clip_jax.aligners.closed_form.transported import plan_part
from gentle_clip_jax.aligners.closed_form.zero_pairs import of_names_alone
from gentle_clip_jax.aligners.cross_validation import Embeds
from gentle_clip_jax.aligners.held_out import HeldOut, reduced_problem
from gentle_clip_jax.aligners.methods import METHODS, OF_PAIRS, About
from gentle_clip_jax.aligners.problem import PLAN_ITEMS, Features, Problem
from gentle_clip_jax.aligners.standardize import Classes


def align(
    problem: Problem,
    method: str = "auto",
    *,
    key: jax.Array | None = None,
    classes: tuple[ArrayLike, ArrayLike] | None = None,
) -> Aligner:
    """Fits an aligner to raw features.

    Args:
      problem: features of matched and of unmatched items.
      method: a name in `METHODS`; or "auto": of some closed forms the one whose maps find held-out
        pairs best, fitted to all pairs. It uses unmatched items only where held-out pairs allow it,
        see `selection.choose`. With fewer than two pairs it needs classes, and uses no pair.
      key: of what is drawn at random; that of seed 0 if not given. Where a plan takes a part of the
        unmatched items, or training holds pairs out, they are drawn by it.
      classes: raw classifier and names of classes, see `Problem`.

    Returns:
      An aligner that embeds raw features; of "auto", `about["held_out"]` says how it chose.

    Raises:
      ValueError: there is no such method, or the problem lacks what it needs.
    """
    key = jax.random.key(0) if key is None else key
    if classes is not None:
        problem = dataclasses.replace(problem, classes=classes)
    is_trained = method in METHODS and METHODS[method].trained
    aligner, _ = in_random_order(_shuffled(problem, key, pairs=is_trained), method, key)
    return aligner.with_about({"fitted_on": problem.about})


def in_random_order(
    problem: Problem, method: str, key: jax.Array
) -> tuple[Aligner, HeldOut | None]:
    """The aligner of `align` of items in random order, and what held-out pairs said to "auto"."""
    if method != "auto" and method not in METHODS:
        raise ValueError(f"There is no method {method}: choose from auto, {', '.join(METHODS)}.")
    found: list[HeldOut] = []

    def fit(features: Features, classes: Classes | None) -> tuple[Embeds, About]:
        if len(features.x) >= 3:
            found.append(trials.tried(*reduced_problem(problem), seed=_seed(key)))
        choice = selection.choose(features, found[0] if found else None, named=classes is not None)
        return _chosen(plan_part(features, problem.plan_items), classes, choice)

    if method != "auto":
        aligner = METHODS[method].fit(problem, key)
    else:
        aligner = fitted(problem, fit if len(problem.x) >= 2 else _without_pairs)
    return with_readout(aligner, problem), found[0] if found else None


def _seed(key: jax.Array) -> int:
    return int(np.asarray(jax.random.key_data(key)).ravel()[-1])


def _chosen(
    features: Features, classes: Classes | None, choice: selection.Choice
) -> tuple[Embeds, About]:
    if choice.method in OF_PAIRS:
        fit = OF_PAIRS[choice.method]
        maps, about = fit(jnp.mean(features.x, axis=1), jnp.mean(features.y, axis=1))
    else:
        joined = choice.trial == trials.JOINED
        maps, about = selection.transported(features, classes, choice, joined=joined)
    return maps, {"method": choice.method, **about, "held_out": choice.summary}


def _shuffled(problem: Problem, key: jax.Array, *, pairs: bool) -> Problem:
    """The items in random order where a part of them is taken: theirs may be sorted by kind."""
    taken = min(PLAN_ITEMS, problem.plan_items)  # trials take no more, and a plan its own number
    if not pairs and max(len(problem.unmatched_x), len(problem.unmatched_y)) <= taken:
        return problem  # what has been made of it is kept with it
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())
    order = rng.permutation(len(problem.x)) if pairs else np.arange(len(problem.x))
    unmatched = {
        name: items[rng.permutation(len(items))] if len(items) > taken else items
        for name in ("unmatched_x", "unmatched_y")
        for items in (getattr(problem, name),)
    }
    return dataclasses.replace(problem, x=problem.x[order], y=problem.y[order], **unmatched)


def _without_pairs(features: Features, classes: Classes | None) -> tuple[Embeds, About]:
    if classes is None or 0 in (len(features.unmatched_x), len(features.unmatched_y)):
        raise ValueError(
            f"{len(features.x)} pairs say nothing about how x and y belong together: give 2 or "
            "more, or classes of x's encoder and unmatched items of both modalities."
        )
    maps, score = of_names_alone(plan_part(features), *classes)
    return maps, {"method": "named_classes", "held_out": {"mean_planned_cosine": score}}
