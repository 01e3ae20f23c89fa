import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.aligners.closed_form.zero_pairs import named_classes, of_names_alone
from gentle_clip_jax.aligners.problem import Features


def two_views(n, *, seed):
    """Views x [n, 12] and y [n, 9] of points around 12 centres, a row an item."""
    world = np.random.default_rng(0)
    centres, to_x, to_y = (world.normal(size=s) for s in ((12, 6), (6, 12), (6, 9)))
    rng = np.random.default_rng(seed)
    label = rng.integers(12, size=n)
    latent = centres[label] + 0.2 * rng.normal(size=(n, 6))
    x, y = (jnp.float32(latent @ to) for to in (to_x, to_y))
    return x, y, jnp.float32(centres @ to_x), jnp.float32(centres @ to_y)


def found(aligned):
    x, y, _, _ = two_views(200, seed=4)
    cosines = aligned.embed_x(x) @ aligned.embed_y(y).T
    return float(jnp.mean(jnp.argmax(cosines, axis=1) == jnp.arange(200)))


@pytest.mark.slow
def test_names_of_classes_and_rounds_of_transport_find_pairs_that_nobody_gave():
    x, _, classifier, names = two_views(500, seed=1)
    y = two_views(500, seed=2)[1]
    named = named_classes(x, y, classifier, names)
    for rows in (named.embed_x(x), named.embed_y(y)):
        np.testing.assert_allclose(jnp.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    sets = (x[:0, None], y[:0, None], x[:, None], y[:, None])
    maps, score = of_names_alone(Features(*sets), classifier, names)
    assert 0 < score < 1
    assert found(maps) > found(named) > 0.02
    assert found(maps) > 0.2


def test_half_of_a_name_is_the_texts_that_are_nearest_to_it():
    rng = np.random.default_rng(0)
    x, y = (jnp.float32(rng.normal(size=(60, d)) + 3) for d in (7, 5))
    classifier, names = (jnp.float32(rng.normal(size=(4, d))) for d in (7, 5))
    found = named_classes(x, y, classifier, names).names
    both = [np.asarray(rows, np.float64) for rows in (names, y)]
    centred = [rows - rows.mean(axis=0) for rows in both]
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in centred]
    cosines, means = unit[0] @ unit[1].T, []
    for row in cosines:
        nearest = np.argsort(-row)[:20]
        shares = np.exp(row[nearest] / 0.05)
        means.append(shares / shares.sum() @ centred[1][nearest])
    same_size = centred[0] * np.linalg.norm(means) / np.linalg.norm(centred[0])
    np.testing.assert_allclose(found, (np.array(means) + same_size) / 2, atol=1e-5)
    alike = named_classes(x, y, classifier, jnp.ones((4, 5)))
    assert jnp.isfinite(alike.embed_x(x)).all()
