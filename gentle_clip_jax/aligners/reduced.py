"""Smaller problems for cross-validation: fewer dimensions and items, and separate distractors."""

from collections.abc import Callable

import numpy as np

from gentle_clip_jax.aligners.closed_form.arrays import Array, concatenated
from gentle_clip_jax.aligners.problem import Features, Problem, once_a_problem
from gentle_clip_jax.aligners.settings import CrossValidation
from gentle_clip_jax.aligners.standardize import Classes, standardized
from gentle_clip_jax.aligners.standardizer import principal_components
from gentle_clip_jax.evaluation.cross_validation import Candidate, Embeds


def unmatched_parts(of: Features | Problem) -> tuple[slice, slice]:
    """Return the unmatched items that are fitted to, and the distractors, a third at most."""
    least = min(len(of.unmatched_x), len(of.unmatched_y))
    split = min(CrossValidation.unmatched, least - least // 3)
    return slice(0, split), slice(split, split + CrossValidation.distractors)


@once_a_problem
def reduced_problem(problem: Problem) -> tuple[Features, Classes | None]:
    """Return standardised features and classes of a problem, reduced; see `reduced`."""
    return reduced(*standardized(problem)[2:])


def reduced(features: Features, classes: Classes | None) -> tuple[Features, Classes | None]:
    """Project features and classes on the first principal components of the fitted items."""
    fitted, _ = unmatched_parts(features)
    bases = [
        _basis(items, unmatched[fitted])
        for items, unmatched in (
            (features.x, features.unmatched_x),
            (features.y, features.unmatched_y),
        )
    ]
    turned = [
        items if basis is None else items @ basis
        for items, basis in zip(features, [*bases, *bases])
    ]
    if classes is not None:
        pairs = zip(classes, bases)
        classifier, names = (rows if basis is None else rows @ basis for rows, basis in pairs)
        classes = classifier, names
    return Features(*turned), classes


def reduced_together(features: Features) -> Features:
    """Project both modalities of one space on the same components, those of the fitted items.

    Each is centred first: for candidates that centre it.
    """
    fitted, _ = unmatched_parts(features)
    width = features.x.shape[2]
    rows = [
        concatenated([items.reshape(-1, width), unmatched[fitted].reshape(-1, width)])
        for items, unmatched in (features[::2], features[1::2])
    ]
    means = [some.mean(axis=0) for some in rows]
    basis = _basis(*(some[:, None] - mean[None, None, :] for some, mean in zip(rows, means)))
    centred = [items - mean[None, None, :] for items, mean in zip(features, means * 2)]
    return Features(*(centred if basis is None else (items @ basis for items in centred)))


def _basis(items: Array, unmatched: Array) -> np.ndarray | None:
    """Return the first principal components [d, k] of the rows; None if all would be used."""
    width = items.shape[2]
    if width <= CrossValidation.dimensions:
        return None
    rows = np.concatenate([np.asarray(some).reshape(-1, width) for some in (items, unmatched)])
    return principal_components(rows - rows.mean(axis=0), CrossValidation.dimensions)


def raw_candidate(problem: Problem, fit: Callable[[Problem], Embeds]) -> Candidate:
    """Return the candidate of a method that is fitted to raw features, as `align` fits it."""
    fitted, distractors = unmatched_parts(problem)
    unmatched = problem.unmatched_x[fitted], problem.unmatched_y[fitted]

    def fit_pairs(rest: np.ndarray) -> Embeds:
        return fit(Problem(problem.x[rest], problem.y[rest], *unmatched))

    x, y = (items.mean(axis=1) for items in (problem.x, problem.y))
    others = problem.unmatched_x, problem.unmatched_y
    return Candidate(fit_pairs, x, y, *(items[distractors].mean(axis=1) for items in others))
