"""What a problem takes, and what it refuses in one sentence that names the argument."""

import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.aligners import Problem

X, Y = np.ones((4, 3)), np.ones((4, 2, 5))


def test_arrays_are_kept_as_items_rows_and_features():
    problem = Problem(X, Y, unmatched_y=jnp.zeros((7, 5)))
    assert problem.x.shape == (4, 1, 3)
    assert problem.y.shape == (4, 2, 5)
    assert problem.unmatched_x.shape == (0, 1, 3)
    assert problem.unmatched_y.shape == (7, 1, 5)
    assert problem.metadata["unmatched_y"] == 7
    assert Problem(np.arange(12).reshape(4, 3), Y).x.dtype == np.float64
    assert Problem(jnp.ones((4, 3), jnp.bfloat16), Y).x.dtype == np.float32


def test_what_it_was_given_is_told_by_its_content():
    changed = X.copy()
    changed[0, 0] = 2
    one, same, other = Problem(X, Y), Problem(X.copy(), Y), Problem(changed, Y)
    assert one.metadata == same.metadata
    assert one.metadata["sha256"]["x"] != other.metadata["sha256"]["x"]
    assert one.metadata["sha256"]["y"] == other.metadata["sha256"]["y"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": X[:3]}, r"x has 3 items and y 4: y\[i\] must be the partner"),
        ({"x": X[0]}, r"x must be \[items, features\] .* its shape is \(3,\)"),
        ({"y": np.ones((4, 1, 1, 5))}, r"y must be \[items, features\]"),
        ({"x": np.ones((4, 0))}, "x must be"),
        ({"unmatched_x": np.ones((2, 4))}, "unmatched_x has 4 features a row and x 3"),
        ({"unmatched_y": np.full((2, 5), np.nan)}, "unmatched_y holds numbers that are not finite"),
        ({"y": np.where(Y > 2, Y, np.inf)}, "y holds numbers that are not finite"),
        ({"x": np.full((4, 3), "a")}, "x must hold real numbers"),
        ({"x": X + 1j}, "x must hold real numbers"),
        ({"x": X[:0], "y": Y[:0]}, "x and unmatched_x are both empty"),
        ({"classes": (np.ones((6, 3)), np.ones((5, 5)))}, "classes must be a classifier"),
        ({"classes": (np.ones((6, 2)), np.ones((6, 5)))}, "the classifier of classes has 2"),
        ({"classes": (np.ones((6, 3)), np.ones((6, 3)))}, "the names of classes has 3"),
    ],
)
def test_what_is_no_problem_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Problem(**({"x": X, "y": Y} | change))
