import numpy as np
import pytest

from gentle_clip_jax.aligners import align
from gentle_clip_jax.comparing import pool
from gentle_clip_jax.features.collection import Collection

RNG = np.random.default_rng(0)


def test_own_features_hold_out_a_third_of_the_pairs():
    x = Collection(RNG.normal(size=(12, 3)), np.array([f"s{i}" for i in range(12)]))
    y_ids = np.array([f"t{i}" for i in range(10) for _ in range(2)])
    y = Collection(RNG.normal(size=(20, 4)), y_ids)
    pairs = np.array([[f"s{i}", f"t{i}"] for i in range(9)])
    loaded = pool.own_pool(x, y, pairs, seed=0)
    assert loaded.x.shape == (6, 1, 3)
    assert loaded.y.shape == (6, 2, 4)
    assert loaded.unmatched_x.shape == (3, 1, 3)
    assert loaded.unmatched_y.shape == (1, 2, 4)
    test = loaded.retrieval["held-out pairs"]
    assert len(test.x) == 3 + 3
    assert len(test.y) == 2 * (3 + 1)
    both = set(test.x_ids) & set(test.y_ids)
    assert len(both) == 3
    assert both < {f"pair {k}" for k in range(9)}


def test_too_few_own_pairs_are_refused():
    x = Collection(RNG.normal(size=(5, 3)), np.arange(5).astype(str))
    with pytest.raises(ValueError, match="give 9 or more"):
        pool.own_pool(x, x, np.array([["0", "0"], ["1", "1"]]), seed=0)


def test_the_units_are_those_of_items_that_are_not_held_out():
    features = RNG.normal(size=(12, 3))
    x = Collection(features.astype(np.float32), np.arange(12).astype(str))
    pairs = np.repeat(x.ids[:9, None], 2, axis=1)
    loaded = pool.own_pool(x, x, pairs, seed=0)
    aligner = align(pool.draw(loaded, 6, seed=0, unmatched="shuffled"), "cca")
    held_out = loaded.retrieval["held-out pairs"]
    asked = np.isin(held_out.x_ids, held_out.y_ids)
    kept = np.array([row for row in x.features if not (row == held_out.x[asked]).all(1).any()])
    assert len(kept) == 9
    np.testing.assert_allclose(aligner.x.mean, kept.mean(0), atol=1e-6)
    np.testing.assert_allclose(aligner.x.deviation, kept.std(0), rtol=1e-5)
