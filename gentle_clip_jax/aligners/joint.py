"""One space on both sides: whether held-out pairs keep it as it is, or move it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gentle_clip_jax.aligners.candidates import JOINT, MOVED, TRANSPORTED, has_unmatched
from gentle_clip_jax.aligners.closed_form.cca import Maps
from gentle_clip_jax.aligners.closed_form.identity_prior import (
    identity,
    ridge_to_identity,
)
from gentle_clip_jax.aligners.closed_form.joined import Joined
from gentle_clip_jax.aligners.closed_form.shrinkage import chosen_shrinkage
from gentle_clip_jax.aligners.closed_form.transported import plan_part, transported_cca
from gentle_clip_jax.aligners.problem import Features, Problem
from gentle_clip_jax.aligners.reduced import reduced_together, unmatched_parts
from gentle_clip_jax.aligners.settings import CrossValidation, JointAdapted, Transport
from gentle_clip_jax.aligners.standardize import in_one_unit
from gentle_clip_jax.evaluation.cross_validation import Candidate, Embeds, HeldOut, cross_validate
from gentle_clip_jax.evaluation.pairs import take
from gentle_clip_jax.evaluation.verdict import above_chance

NAMES = (JOINT, MOVED, TRANSPORTED)


def with_joint(held_out: HeldOut, problem: Problem, seed: int) -> HeldOut:
    """Add the candidates of one space, if features have one width and held-out pairs recognise it.

    Features of unrelated encoders may have one width too: partners then rank as by chance.
    """
    if problem.x.shape[2] != problem.y.shape[2]:
        return held_out
    joint = evaluate_joint(in_one_unit(problem)[2], seed=seed)
    return held_out.beside(joint) if MOVED in joint.log_rank else held_out


def evaluate_method_of_space(problem: Problem, method: str, seed: int) -> HeldOut:
    """Cross-validate joint or joint_adapted, which keeps the space where that is no better than
    chance.

    Raises:
      ValueError: x and y have different numbers of features.
    """
    held_out = evaluate_joint(in_one_unit(problem)[2], seed=seed)
    name = method if method in held_out.recall else JOINT
    log_rank, recall = ({method: of[name]} for of in (held_out.log_rank, held_out.recall))
    return held_out.beside(held_out._replace(log_rank=log_rank, recall=recall))


def evaluate_joint(features: Features, *, seed: int = 0) -> HeldOut:
    """Cross-validate the space as it is; where that is better than chance, also moved by the pairs.

    Args:
      features: of `in_one_unit`, of three pairs or more. The space as it is takes all of them.
      seed: of the splits.
    """
    features, count = plan_part(features), len(features.x)
    kept = {JOINT: _candidate(features, lambda _: identity(features))}
    held_out = cross_validate(kept, count, seed=seed)
    if above_chance(held_out.log_rank[JOINT], among=held_out.gallery) != "yes":
        return held_out
    return held_out.beside(cross_validate(_moved(reduced_together(features)), count, seed=seed))


def fit_joint(features: Features, candidate: str) -> tuple[Embeds, dict[str, Any]]:
    """Fit a candidate of one space to all pairs: maps, and their metadata.

    Args:
      features: of `in_one_unit`.
      candidate: one of `NAMES`.
    """
    if candidate == JOINT:
        return identity(features), {}
    shrinkage = _shrinkage(features)
    rounds = Transport.rounds if candidate == TRANSPORTED and has_unmatched(features) else 0
    settings = {"shrinkage": shrinkage, "rounds": rounds}
    return _fit(features, shrinkage, rounds), {"settings": settings}


def _moved(features: Features) -> dict[str, Candidate]:
    """Return the candidates that move the space, with the shrinkage that all pairs chose."""
    fitted, _ = unmatched_parts(features)
    shrinkage = _shrinkage(features)
    part = features._replace(
        unmatched_x=features.unmatched_x[fitted], unmatched_y=features.unmatched_y[fitted]
    )
    rounds = {MOVED: 0}
    if has_unmatched(part):
        rounds[TRANSPORTED] = CrossValidation.rounds

    def candidate(rounds: int) -> Candidate:
        def fit(rest: np.ndarray) -> Embeds:
            x, y = take(rest, features.x, features.y)
            return _fit(part._replace(x=x, y=y), shrinkage, rounds)

        return _candidate(features, fit)

    return {name: candidate(number) for name, number in rounds.items()}


def _candidate(features: Features, fit: Any) -> Candidate:
    _, distractors = unmatched_parts(features)
    x, y = (items.mean(axis=1) for items in features[:2])
    galleries = (items[distractors].mean(axis=1) for items in features[2:])
    return Candidate(fit, x, y, *galleries)


def _fit(features: Features, shrinkage: float, rounds: int) -> Maps | Joined:
    """Fit the regression; with rounds of transport, joined with CCA whose first plan is its own."""
    maps = ridge_to_identity(features, shrinkage=shrinkage)
    if not rounds:
        return maps
    return Joined((maps, transported_cca(features, maps, rounds=rounds)))


def _shrinkage(features: Features) -> float:
    def fit(x: Any, y: Any) -> Callable[[float], Maps]:
        pairs = features._replace(x=x[:, None], y=y[:, None])
        return lambda shrinkage: ridge_to_identity(pairs, shrinkage=shrinkage)

    x, y = (items.mean(axis=1) for items in features[:2])
    return chosen_shrinkage(fit, x, y, shrinkages=JointAdapted.shrinkages)
