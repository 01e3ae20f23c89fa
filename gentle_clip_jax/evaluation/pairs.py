"""Checked rows of pairs: as many of x as of y, and enough of them."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import jax


def count(x: "jax.Array", y: "jax.Array", *, least: int = 2) -> int:
    """Return the number of pairs of features x [n, dx] and y [n, dy].

    Raises:
      ValueError: the features are no matrices of equal length, or there are fewer than `least`.
    """
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(
            "x and y must be [n, dx] and [n, dy], y[i] the pair of x[i]; "
            f"their shapes are {x.shape} and {y.shape}."
        )
    if len(x) < least:
        raise ValueError(f"At least {least} pairs are needed to learn from, not {len(x)}.")
    return len(x)


def take(numbers: np.ndarray, x: "jax.Array", y: "jax.Array") -> "tuple[jax.Array, jax.Array]":
    """Return the rows of x [n, ...] and of y [n, ...] with these numbers [k].

    Faster than indexing with brackets, which JAX interprets in Python at each call.
    """
    return x.take(numbers, axis=0), y.take(numbers, axis=0)
