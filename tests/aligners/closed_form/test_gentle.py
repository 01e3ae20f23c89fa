"""Gentle transport's parts: smoothed queries, their bank, and what the plan's share leaves."""

import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.aligners.closed_form import gentle, transported
from gentle_clip_jax.aligners.closed_form.maps import Maps, Smoothed
from gentle_clip_jax.aligners.closed_form.neighbours import smooth
from gentle_clip_jax.aligners.problem import Features

RNG = np.random.default_rng(0)


def normal(*shape: int) -> jnp.ndarray:
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


def test_queries_are_smoothed_as_the_pairs_were_and_texts_are_not():
    maps = Maps(normal(4), normal(4, 3), normal(5), normal(5, 3))
    bank, x, y = normal(30, 4), normal(7, 4), normal(6, 5)
    smoothed = Smoothed(maps, bank, 0.7)
    expected = maps.embed_x(smooth(x, bank, weight=0.7))
    np.testing.assert_array_equal(smoothed.embed_x(x), expected)
    assert np.abs(np.asarray(expected - maps.embed_x(x))).max() > 0.1
    np.testing.assert_array_equal(smoothed.embed_y(y), maps.embed_y(y))


def test_neighbours_are_sought_among_matched_and_unmatched_items(monkeypatch):
    monkeypatch.setattr(gentle, "FEW_DIMENSIONS", 0)
    features = Features(normal(12, 2, 4), normal(12, 3, 5), normal(30, 2, 4), normal(20, 3, 5))
    prepared = gentle.prepare(features)
    means = np.concatenate([np.mean(z, axis=1) for z in (features.x, features.unmatched_x)])
    np.testing.assert_allclose(prepared.bank, means, rtol=1e-5, atol=1e-6)
    assert prepared.weight == pytest.approx(0.8 * 250 / 262)
    expected = smooth(prepared.bank[:12], prepared.bank, weight=prepared.weight)
    np.testing.assert_allclose(prepared.features.x[:, 0], expected, rtol=1e-4, atol=1e-5)


def test_in_few_dimensions_features_stay_as_they_are():
    features = Features(normal(12, 2, 4), normal(12, 3, 5), normal(30, 2, 4), normal(20, 3, 5))
    prepared = gentle.prepare(features)
    assert prepared.weight == 0
    np.testing.assert_array_equal(prepared.features.x[:, 0], np.mean(features.x, axis=1))
    fitted, rows = gentle.fit_prepared(prepared, None, transport=False), normal(7, 4)
    np.testing.assert_array_equal(fitted.embed_x(rows), prepared.maps.embed_x(rows))


class Seen(Exception):
    """What was looked for has been seen."""


@pytest.mark.parametrize("said", [False, True], ids=["pairs", "pairs and names"])
def test_pairs_names_and_plan_share_the_covariance(said, monkeypatch):
    """(1 - w) of pairs and w of the plan; what names say takes its part from both of them."""
    features = Features(normal(10, 1, 4), normal(10, 1, 3), normal(20, 1, 4), normal(15, 1, 3))
    pseudo_y, found = 5 * normal(20, 3), {}

    def refit(maps, of_x, of_y, known, batches, *, share, **_):
        found.update(known=np.asarray(known, float), share=share)
        raise Seen

    monkeypatch.setattr(transported, "_refit", refit)
    with pytest.raises(Seen):
        transported.transported_cca(
            features, Maps(*(jnp.zeros(1),) * 4), mix=0.6, pseudo_y=pseudo_y if said else None
        )
    x, y, unmatched_x, unmatched_y = (np.asarray(z[:, 0], float) for z in features)
    x, y, unmatched_x, unmatched_y = (z - z.mean(0) for z in (x, y, unmatched_x, unmatched_y))
    trust = 0.3 * 250 / 260 if said else 0.0
    named = np.asarray(pseudo_y, float)
    named = named - named.mean(0)
    named *= np.sqrt(np.mean(unmatched_y**2) / np.mean(named**2))  # as long as texts are
    expected = (1 - trust) * 0.4 * x.T @ y / 10 + trust * unmatched_x.T @ named / 20
    np.testing.assert_allclose(found["known"], expected, rtol=1e-4, atol=1e-5)
    assert found["share"] == pytest.approx((1 - trust) * 0.6)
