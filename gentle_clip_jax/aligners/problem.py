"""Input of a fit: features of a few matched items and of many unmatched ones."""

import dataclasses
import functools
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from jax.typing import ArrayLike

from gentle_clip_jax.aligners.closed_form.arrays import Array
from gentle_clip_jax.storage.digests import sha256_of

PLAN_ITEMS = 4096  # unmatched items of a plan, whose cost is quadratic
Result = TypeVar("Result")


class Features(NamedTuple):
    """Standardised features, in which methods are fitted; see `Problem` and `arrays.to_fit`.

    x: [n, j, dx] of the matched items; j rows an item.
    y: [n, k, dy] of their partners.
    unmatched_x: [u, j, dx] of items without a partner.
    unmatched_y: [v, k, dy] likewise; n, u and v may be 0.
    """

    x: Array
    y: Array
    unmatched_x: Array
    unmatched_y: Array


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """Raw features of two modalities; an item may have several rows, such as five captions.

    Args:
      x: [n, dx], or [n, j, dx] with j rows an item, features of the matched items; items that have
        fewer rows repeat some.
      y: [n, dy] or [n, k, dy]; y[i] is the partner of x[i].
      unmatched_x: [u, dx] or [u, j, dx] features of items without a partner; may be left out.
      unmatched_y: [v, dy] or [v, k, dy] likewise.
      classes: optional classifier of x's encoder: [c, dx] its weights, in the units of x, and
        [c, dy] features of the names of its classes.
      plan_items: unmatched items of either modality in optimal transport; more than 4,096 make
        several plans, and cost in proportion.

    All are stored as [items, rows of an item, features], float32 or float64, in their own units.

    Raises:
      ValueError: an array has another shape or number of items than it should, or is not finite; or
        no item is to be planned.

    >>> Problem(np.ones((3, 4)), np.ones((3, 5, 2))).x.shape
    (3, 1, 4)
    """

    x: np.ndarray
    y: np.ndarray
    unmatched_x: np.ndarray
    unmatched_y: np.ndarray
    classes: tuple[np.ndarray, np.ndarray] | None
    plan_items: int

    def __init__(
        self,
        x: ArrayLike,
        y: ArrayLike,
        unmatched_x: ArrayLike | None = None,
        unmatched_y: ArrayLike | None = None,
        *,
        classes: tuple[ArrayLike, ArrayLike] | None = None,
        plan_items: int = PLAN_ITEMS,
    ):
        if plan_items < 1:
            raise ValueError(f"plan_items must be 1 or more, not {plan_items}.")
        object.__setattr__(self, "plan_items", plan_items)
        matched = {"x": _items("x", x), "y": _items("y", y)}
        if len(matched["x"]) != len(matched["y"]):
            raise ValueError(
                f"x has {len(matched['x'])} items and y {len(matched['y'])}: y[i] must be the "
                "partner of x[i]; give items without one as unmatched_x and unmatched_y."
            )
        for (name, paired), given in zip(matched.items(), (unmatched_x, unmatched_y)):
            items = paired[:0] if given is None else _items(f"unmatched_{name}", given)
            _same_width(f"unmatched_{name}", items, name, paired)
            object.__setattr__(self, name, paired)
            object.__setattr__(self, f"unmatched_{name}", items)
            if not len(paired) + len(items):
                raise ValueError(f"{name} and unmatched_{name} are both empty: give some items.")
        if classes is not None:
            classes = _classes(*classes, *matched.values())
        object.__setattr__(self, "classes", classes)

    @functools.cached_property
    def metadata(self) -> dict[str, Any]:
        """Return the numbers of pairs, unmatched items and features, and each array's SHA-256."""
        names = ("x", "y", "unmatched_x", "unmatched_y")
        return {
            "pairs": len(self.x),
            "unmatched_x": len(self.unmatched_x),
            "unmatched_y": len(self.unmatched_y),
            "features_x": self.x.shape[2],
            "features_y": self.y.shape[2],
            "sha256": {name: sha256_of(getattr(self, name)) for name in names},
        }


def once_a_problem(function: Callable[[Problem], Result]) -> Callable[[Problem], Result]:
    """Cache a function's result for as long as its problem exists."""
    results: weakref.WeakKeyDictionary[Problem, Result] = weakref.WeakKeyDictionary()

    @functools.wraps(function)
    def cached(problem: Problem) -> Result:
        if problem not in results:
            results[problem] = function(problem)
        return results[problem]

    return cached


def _items(name: str, values: ArrayLike) -> np.ndarray:
    """Return [items, rows, features] of finite floats."""
    rows = _floats(name, values)
    if rows.ndim == 2:
        rows = rows[:, None]
    if rows.ndim != 3 or 0 in rows.shape[1:]:
        raise ValueError(
            f"{name} must be [items, features] or [items, rows of an item, features]; its shape is "
            f"{np.shape(values)}."
        )
    return rows


def _floats(name: str, values: ArrayLike) -> np.ndarray:
    rows = np.asarray(values)
    if rows.dtype.kind in "biu":
        rows = rows.astype(np.float64)
    elif rows.dtype not in (np.float32, np.float64):
        try:
            rows = rows.astype(np.float32, casting="same_kind")
        except TypeError as error:
            raise ValueError(f"{name} must hold real numbers; it holds {rows.dtype}.") from error
    if not np.isfinite(rows).all():
        raise ValueError(f"{name} holds numbers that are not finite: leave those items out.")
    return rows


def _same_width(name: str, rows: np.ndarray, other: str, other_rows: np.ndarray) -> None:
    if rows.shape[-1] != other_rows.shape[-1]:
        raise ValueError(
            f"{name} has {rows.shape[-1]} features a row and {other} "
            f"{other_rows.shape[-1]}: encode all of a modality alike."
        )


def _classes(
    classifier: ArrayLike, names: ArrayLike, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    classifier, names = _floats("the classifier", classifier), _floats("the names", names)
    if classifier.ndim != 2 or names.ndim != 2 or len(classifier) != len(names):
        raise ValueError(
            "classes must be a classifier [c, features of x] and names [c, features of y]; their "
            f"shapes are {classifier.shape} and {names.shape}."
        )
    _same_width("the classifier of classes", classifier, "x", x)
    _same_width("the names of classes", names, "y", y)
    return classifier, names
