"""Views of photographs: what is off changes nothing, and what is on stays an image."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.tasks.captioned_images.views import rgb_views

SETTINGS = {
    "crop": 0.7,
    "flip": 0.5,
    "turn": 0.75,
    "brightness": 0.4,
    "contrast": 0.4,
}
ALWAYS = SETTINGS | {"flip": 1.0, "turn": 1.0}
IMAGES = jax.random.uniform(jax.random.key(0), (4, 24, 24, 3), maxval=255.0)
KEY = jax.random.key(1)


def test_images_stay_themselves_when_all_is_off():
    np.testing.assert_array_equal(rgb_views(KEY, IMAGES), IMAGES)
    off = dict.fromkeys(SETTINGS, 0.0)
    np.testing.assert_array_equal(jax.jit(functools.partial(rgb_views, **off))(KEY, IMAGES), IMAGES)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_alone_changes_images_and_keeps_their_range(name):
    views = rgb_views(KEY, IMAGES, **{name: ALWAYS[name]})
    assert views.shape == IMAGES.shape
    assert views.dtype == jnp.float32
    assert jnp.abs(views - IMAGES).max() > 1
    assert views.min() >= -1e-3
    assert views.max() <= 255 + 1e-3


@pytest.mark.parametrize("name", ["flip", "turn"])
def test_a_probability_leaves_the_other_images_as_they_are(name):
    images = jnp.tile(IMAGES[:1], (200, 1, 1, 1))
    views = rgb_views(KEY, images, **{name: 0.3})
    changed = jnp.abs(views - images).max(axis=(1, 2, 3)) > 1
    assert 0.2 < changed.mean(dtype=jnp.float32) < 0.4


def test_a_function_of_the_key():
    first, again, other = (
        rgb_views(jax.random.key(seed), IMAGES, **SETTINGS) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_copies_of_an_image_get_views_of_their_own():
    views = rgb_views(KEY, jnp.stack([IMAGES[0]] * 2), **SETTINGS)
    assert (views[0] != views[1]).any()


def test_batches_under_vmap_are_as_alone():
    views = functools.partial(rgb_views, **SETTINGS)
    keys, batches = jax.random.split(KEY, 2), jnp.stack([IMAGES, IMAGES[::-1]])
    alone = jnp.stack([views(key, batch) for key, batch in zip(keys, batches)])
    np.testing.assert_allclose(jax.vmap(views)(keys, batches), alone, atol=1e-3)
    np.testing.assert_allclose(jax.jit(views)(KEY, IMAGES), views(KEY, IMAGES), atol=1e-3)


def test_flips_and_turns_only_move_pixels():
    views = rgb_views(KEY, IMAGES, flip=0.5, turn=0.75)
    np.testing.assert_allclose(views.mean(axis=(1, 2)), IMAGES.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_array_equal(
        jnp.sort(views.reshape(4, -1), axis=1), jnp.sort(IMAGES.reshape(4, -1), axis=1)
    )


def test_a_turn_is_one_of_three():
    images = jnp.tile(IMAGES[:1], (60, 1, 1, 1))
    views = rgb_views(KEY, images, turn=1.0)
    expected = [np.rot90(IMAGES[0], k) for k in (1, 2, 3)]
    found = [next(k for k in range(3) if np.array_equal(view, expected[k])) for view in views]
    assert set(found) == {0, 1, 2}


def test_flips_are_mirrors():
    np.testing.assert_array_equal(rgb_views(KEY, IMAGES, flip=1.0), IMAGES[:, :, ::-1])


def test_a_crop_is_part_of_the_image():
    """On a ramp, bilinear sampling is exact: a view's values say where it comes from."""
    ramp = jnp.broadcast_to(jnp.arange(24.0)[None, :, None, None], (50, 24, 24, 3))
    views = rgb_views(KEY, ramp, crop=0.75)[:, :, 0, 0]
    steps = jnp.diff(views, axis=1)
    share = steps[:, 5:-5].mean(axis=1)
    assert (share >= 0.5 - 1e-3).all()
    assert (share <= 1 + 1e-3).all()
    assert share.min() < 0.6
    assert (views[:, 0] >= 0).all()
    assert (views[:, -1] <= 23).all()


def test_plain_areas_stay_plain():
    plain = jnp.full((8, 16, 20, 3), 100.0)
    views = rgb_views(KEY, plain, crop=0.5, flip=0.5)
    np.testing.assert_allclose(views, plain, rtol=1e-5)


@pytest.mark.parametrize(
    ("images", "settings", "words"),
    [
        (jnp.zeros((2, 8, 8, 3), jnp.uint8), {}, "must be floats"),
        (jnp.zeros((8, 8, 3)), {}, r"floats \[b, h, w, 3\]"),
        (jnp.zeros((2, 8, 8, 1)), {}, r"floats \[b, h, w, 3\]"),
        (jnp.zeros((2, 8, 9, 3)), {"turn": 0.5}, "Only square images can be turned"),
    ],
)
def test_images_that_cannot_be_used(images, settings, words):
    with pytest.raises(ValueError, match=words):
        rgb_views(KEY, images, **settings)
