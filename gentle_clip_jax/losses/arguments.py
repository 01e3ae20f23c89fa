"""Checks of a loss's arguments while it is traced; each error names the argument.

Shapes and kinds are always checked. The value of a number is checked unless it is traced, such as a
learned temperature.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

# Arrays that a caller may leave out.
_OPTIONAL = {"x_view", "y_view", "unmatched_x", "unmatched_y"}


def rows(**arrays: Any) -> None:
    """Refuse anything but arrays [rows, features] with equal numbers of features, at least one."""
    arrays = {n: array for n, array in arrays.items() if array is not None or n not in _OPTIONAL}
    given(**arrays)
    for name, array in arrays.items():
        if array.ndim != 2 or not array.shape[1]:
            raise ValueError(f"{name} must be an array [rows, features], not {array.shape}.")
        if not (
            jnp.issubdtype(array.dtype, np.floating) or jnp.issubdtype(array.dtype, np.integer)
        ):
            raise ValueError(f"{name} must hold real numbers, not {array.dtype}.")
    widths = {name: array.shape[1] for name, array in arrays.items()}
    for name, width in widths.items():
        first = next(iter(widths))
        if width != widths[first]:
            raise ValueError(
                f"{first} has {widths[first]} features a row and {name} has {width}: both need the "
                "same number."
            )


def given(**arrays: Any) -> None:
    """Refuse anything but arrays."""
    for name, array in arrays.items():
        _check_array(name, array)


def not_empty(**arrays: Any) -> None:
    """Refuse arrays without rows, which have no mean."""
    for name, array in arrays.items():
        if not array.shape[0]:
            raise ValueError(f"{name} has no rows: a loss needs at least one.")


def two_sets(x: Any, y: Any, where_x: Any = None, where_y: Any = None) -> None:
    """Refuse empty sets, sets with different numbers of features, and masks of another length."""
    rows(x=x, y=y)
    not_empty(x=x, y=y)
    masks(x.shape[:1], where_x=where_x)
    masks(y.shape[:1], where_y=where_y)


def alike(**arrays: Any) -> None:
    """Refuse rows whose shapes differ, where row i of one belongs to row i of the other."""
    rows(**arrays)
    arrays = {name: array for name, array in arrays.items() if array is not None}
    (first, array), *others = arrays.items()
    for name, other in others:
        if other.shape != array.shape:
            raise ValueError(
                f"{name} must have a row for each of {first}: it is {other.shape}, {first} is "
                f"{array.shape}."
            )


def masks(shape: tuple[int, ...], **wheres: Any) -> None:
    """Refuse masks that are not bool or have another shape than `shape`."""
    for name, where in wheres.items():
        if where is None:
            continue
        _check_array(name, where)
        if where.dtype != bool or where.shape != shape:
            raise ValueError(
                f"{name} must be a mask of bool {shape}, not of {where.dtype} {where.shape}."
            )


def matrix(shape: tuple[int, int], **arrays: Any) -> None:
    """Refuse anything but an array of real numbers of that shape."""
    for name, array in arrays.items():
        rows(**{name: array})
        if array.shape != shape:
            raise ValueError(f"{name} must be {shape}, not {array.shape}.")


def items(n: int, **numbers: Any) -> None:
    """Refuse item numbers that are not n integers."""
    for name, array in numbers.items():
        if array is None:
            continue
        _check_array(name, array)
        if not jnp.issubdtype(array.dtype, np.integer) or array.shape != (n,):
            raise ValueError(f"{name} must be {n} whole numbers, not {array.dtype} {array.shape}.")


def positive(*, above: float = 0, **values: Any) -> None:
    """Refuse anything but one finite number above 0, or above `above`."""
    for name, value in values.items():
        number = _one_number(name, value)
        if number is not None and not above < number < math.inf:
            raise ValueError(f"{name} must be a finite number above {above:.3g}, not {value}.")


def finite(**values: Any) -> None:
    """Refuse anything but one finite number."""
    for name, value in values.items():
        number = _one_number(name, value)
        if number is not None and not math.isfinite(number):
            raise ValueError(f"{name} must be a finite number, not {value}.")


def known(**values: Any) -> None:
    """Refuse numbers that are traced or not finite: which terms are computed depends on them."""
    for name, value in values.items():
        if isinstance(value, Tracer):
            raise ValueError(f"{name} must be known when the loss is traced: pass a Python number.")
    finite(**values)


def whole(least: int, most: int | None = None, **values: Any) -> None:
    """Refuse traced numbers, and anything but an integer from `least` to `most`."""
    for name, value in values.items():
        if isinstance(value, Tracer):
            raise ValueError(
                f"{name} must be known when the loss is traced: pass a Python number, under jit as "
                "a static argument."
            )
        is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not is_whole or value < least or (most is not None and value > most):
            up_to = "" if most is None else f" to {most}"
            raise ValueError(f"{name} must be a whole number from {least}{up_to}, not {value}.")


def block(block_size: Any) -> None:
    """Refuse an invalid size of tiles."""
    if block_size is not None:
        whole(0, block_size=block_size)


def positive_each(ndim: int, **arrays: Any) -> None:
    """Refuse arrays of `ndim` axes with anything but finite numbers above 0."""
    for name, array in arrays.items():
        if np.ndim(array) != ndim or not np.size(array):
            kind = "one number" if ndim == 0 else "a list of numbers"
            raise ValueError(f"{name} must be {kind}, not an array {np.shape(array)}.")
        values = _values(array)
        if values is not None and not (np.isfinite(values) & (values > 0)).all():
            raise ValueError(f"{name} must be finite and above 0, not {values.tolist()}.")


def _check_array(name: str, array: Any) -> None:
    if not isinstance(array, (jax.Array, np.ndarray)):
        raise ValueError(f"{name} must be an array, not {type(array).__name__}.")


def _one_number(name: str, value: Any) -> float | None:
    """Return the number, or None while it is traced."""
    if np.ndim(value) or isinstance(value, (bool, str)):
        what = f"an array {np.shape(value)}" if np.ndim(value) else repr(value)
        raise ValueError(f"{name} must be one number, not {what}.")
    values = _values(value)
    if values is None:
        return None
    if values.dtype.kind not in "iuf" and not jnp.issubdtype(values.dtype, np.floating):
        raise ValueError(f"{name} must be one number, not {value!r}.")
    return float(values)


def _values(value: Any) -> np.ndarray | None:
    """Return the values of an array or a number; None if traced or on other processes."""
    if isinstance(value, Tracer):
        return None
    if isinstance(value, jax.Array) and not value.is_fully_addressable:
        return None
    return np.asarray(value)
