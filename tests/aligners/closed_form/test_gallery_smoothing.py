"""Gallery smoothing beside float64 NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.aligners.closed_form.cca import cca
from gentle_clip_jax.aligners.closed_form.gallery_smoothing import SmoothedGallery, smooth_gallery

RNG = np.random.default_rng(0)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


ROWS, BANK = (unit(RNG.normal(size=(n, 5))) for n in (300, 40))


def reference(weight, count, temperature=0.1):
    out = []
    for row in ROWS:
        cosines = BANK @ row
        nearest = np.argsort(-cosines)[:count]
        shares = np.exp(cosines[nearest] / temperature)
        out.append(row + weight * unit(shares / shares.sum() @ BANK[nearest]))
    return unit(np.array(out))


@pytest.mark.parametrize(("weight", "count"), [(1.0, 7), (0.5, 1), (0.5, 40), (0.0, 7)])
def test_values(weight, count):
    rows, bank = jnp.asarray(ROWS, jnp.float32), jnp.asarray(BANK, jnp.float32)
    found = smooth_gallery(rows, bank, weight=weight, count=count)
    np.testing.assert_allclose(found, reference(weight, count), atol=2e-6)
    more = smooth_gallery(rows, bank, weight=weight, count=count + 100)
    np.testing.assert_allclose(more, reference(weight, count + 100), atol=2e-6)


def test_only_the_gallery_is_smoothed_and_only_by_the_other_modality():
    x, y = (jnp.asarray(RNG.normal(size=(30, d)), jnp.float32) for d in (6, 4))
    maps = cca(x, y, shrinkage=1.0)
    of_x, of_y = maps.embed_x(x), maps.embed_y(y)
    by_y = SmoothedGallery(maps, None, of_y)
    np.testing.assert_array_equal(by_y.embed_x(x), of_x)
    np.testing.assert_array_equal(by_y.smooth_gallery_y(of_y), of_y)
    assert jnp.sum(by_y.smooth_gallery_x(of_x) * of_y) > jnp.sum(of_x * of_y)
    by_x = SmoothedGallery(maps, of_x, None)
    np.testing.assert_array_equal(by_x.smooth_gallery_x(of_x), of_x)
    np.testing.assert_allclose(
        jax.jit(SmoothedGallery.smooth_gallery_y)(by_x, of_y),
        smooth_gallery(of_y, of_x, weight=0.5, count=50),
        atol=1e-6,
    )
