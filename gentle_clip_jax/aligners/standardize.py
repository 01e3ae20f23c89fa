"""Standardisation of a problem: every method is fitted to centred and scaled features."""

import numpy as np

from gentle_clip_jax.aligners.closed_form.arrays import Array, to_fit
from gentle_clip_jax.aligners.problem import Features, Problem, once_a_problem
from gentle_clip_jax.aligners.standardizer import Standardizer

Classes = tuple[Array, Array]
Standardized = tuple[Standardizer, Standardizer, Features, Classes | None]


@once_a_problem
def in_one_unit(problem: Problem) -> Standardized:
    """Bring features of one space to one unit, which changes no cosine, and leave out the classes.

    Raises:
      ValueError: x and y have different numbers of features.
    """
    sets = problem.x, problem.y, problem.unmatched_x, problem.unmatched_y
    width, other = problem.x.shape[2], problem.y.shape[2]
    if width != other:
        raise ValueError(
            f"x has {width:,} features and y {other:,}, so that they are not in one space: give "
            "features of one encoder for both, or choose another method, such as auto."
        )
    largest = max(float(np.abs(items).max(initial=0)) for items in sets)
    unit = np.full(width, np.ldexp(1.0, np.frexp(largest)[1]) if largest else 1.0)
    both = Standardizer(np.zeros(width), unit)
    return both, both, Features(*to_fit(*map(both.rows, sets))), None


@once_a_problem
def standardized(problem: Problem) -> Standardized:
    """Fit the moments of both modalities, and standardise all features and classes."""
    of_x, of_y = (problem.x, problem.unmatched_x), (problem.y, problem.unmatched_y)
    x = Standardizer.of(*of_x).in_components(*of_x)
    y = Standardizer.of(*of_y).in_components(*of_y)
    sets = (x, problem.x), (y, problem.y), (x, problem.unmatched_x), (y, problem.unmatched_y)
    features = Features(*to_fit(*(of.rows(items) for of, items in sets)))
    if problem.classes is None:
        return x, y, features, None
    classifier, names = problem.classes
    return x, y, features, (x.directions(classifier), y.rows(names))
