"""A batch's rows as objectives take them: pairs first, unmatched rows next, second views after."""

import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.tasks.rows import Rows, embedded

X, Y = jnp.arange(14.0).reshape(7, 2), 100 + jnp.arange(12.0).reshape(6, 2)


@pytest.mark.parametrize("has_views", [False, True])
def test_rows_are_told_apart_by_their_place(has_views):
    x, y = (jnp.concatenate([z, -z]) if has_views else z for z in (X, Y))
    found = embedded(Rows(x, y, 3, has_views, teacher=(X[:4], Y[:3])))
    np.testing.assert_array_equal(found.x, X[:3])
    np.testing.assert_array_equal(found.y, Y[:3])
    np.testing.assert_array_equal(found.unmatched_x, X[3:])
    np.testing.assert_array_equal(found.unmatched_y, Y[3:])
    np.testing.assert_array_equal(found.every_x, X)
    np.testing.assert_array_equal(found.teacher_x, X[:4])
    np.testing.assert_array_equal(found.teacher_y, Y[:3])
    if has_views:
        np.testing.assert_array_equal(found.view_x, -X)
        np.testing.assert_array_equal(found.view_y, -Y)
    else:
        assert found.view_x is None
        assert found.view_y is None
