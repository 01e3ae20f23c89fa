"""Relative representations against their definition, one item and one anchor at a time."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.aligners.closed_form.relative import relative


def textbook(rows, anchors, kept, power):
    middle, result = anchors.mean(0), []
    anchors = [(a - middle) / np.linalg.norm(a - middle) for a in anchors]
    for row in rows - middle:
        cosines = np.array([row @ a / np.linalg.norm(row) for a in anchors])
        coordinates = np.zeros(len(anchors))
        for j in np.argsort(-cosines)[:kept]:
            coordinates[j] = np.sign(cosines[j]) * abs(cosines[j]) ** power
        result.append(coordinates / np.linalg.norm(coordinates))
    return np.array(result)


@pytest.mark.parametrize(("kept", "power"), [(3, 8.0), (800, 1.0)])
def test_an_item_is_its_powered_similarities_to_the_nearest_pairs(kept, power):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 6)) + 1, rng.normal(size=(12, 4))
    new_x, new_y = rng.normal(size=(5, 6)), rng.normal(size=(3, 4))
    expected_x, expected_y = (textbook(*z, kept, power) for z in ((new_x, x), (new_y, y)))
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        with jax.enable_x64(dtype == np.float64):
            cast = [jnp.asarray(z, dtype) for z in (x, y, new_x, new_y)]
            anchors = relative(*cast[:2], kept=kept, power=power)
            found = anchors.embed_x(cast[2]), anchors.embed_y(cast[3])
            assert found[0].dtype == found[1].dtype == dtype
            np.testing.assert_allclose(found[0], expected_x, atol=tolerance)
            np.testing.assert_allclose(found[1], expected_y, atol=tolerance)


@pytest.mark.parametrize("kept", [5, jnp.asarray(5)], ids=["as it is", "as it was once saved"])
def test_anchors_pass_through_jit(kept):
    x = jax.random.normal(jax.random.key(0), (12, 6))
    anchors = dataclasses.replace(relative(x, x), kept=kept)
    embedded = jax.jit(lambda anchors, x: anchors.embed_x(x))(anchors, x)
    np.testing.assert_allclose(embedded, anchors.embed_x(x), atol=1e-6)
    np.testing.assert_array_equal(jnp.sum(embedded != 0, axis=1), 5)
