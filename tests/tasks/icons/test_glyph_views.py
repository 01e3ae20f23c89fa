import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_run

from gentle_clip_jax.tasks.icons.views import glyph_views

STRENGTHS = dict(tiny_run.config().views.image)
IMAGES = jax.random.uniform(jax.random.key(0), (6, 32, 32))


def test_images_stay_themselves_at_no_strength():
    none = dict.fromkeys(STRENGTHS, 0.0)
    views = glyph_views(jax.random.key(1), IMAGES, **none)
    np.testing.assert_allclose(views, IMAGES, atol=1e-6)


@pytest.mark.parametrize("name", STRENGTHS)
def test_every_strength_changes_images(name):
    only = dict.fromkeys(STRENGTHS, 0.0) | {name: 1.0}
    views = glyph_views(jax.random.key(1), IMAGES, **only)
    assert jnp.abs(views - IMAGES).max() > 0.05


def test_glyph_views_are_pixels_and_a_function_of_the_key():
    first, again, other = (
        glyph_views(jax.random.key(seed), IMAGES, **STRENGTHS) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.shape == IMAGES.shape
    assert first.dtype == jnp.float32
    assert first.min() >= -1e-6
    assert first.max() <= 1 + 1e-6


def test_copies_of_an_image_get_views_of_their_own():
    views = glyph_views(jax.random.key(0), jnp.stack([IMAGES[0]] * 2), **STRENGTHS)
    assert (views[0] != views[1]).any()
