"""Texts are embedded once each, and without most of their padding."""

import jax
import numpy as np
import pytest

from gentle_clip_jax.encoders.bert import Bert
from gentle_clip_jax.tasks import embedding


@pytest.fixture(scope="module")
def tower():
    model = Bert(vocab_size=50, width=16, depth=1, num_heads=2, hidden=16, max_tokens=32)
    return model, model.init(jax.random.key(0), np.ones((1, 4), np.int32))["params"]


def test_texts_of_many_lengths_some_of_them_twice(tower):
    model, params = tower
    rng = np.random.default_rng(0)
    lengths = np.array([3, 20, 9, 3, 30, 8, 16, 17])
    tokens = rng.integers(1, 50, (8, 30)).astype(np.int32)
    tokens[np.arange(30) >= lengths[:, None]] = 0
    tokens = tokens[[0, 1, 2, 2, 3, 4, 5, 6, 7, 0]]
    whole = model.apply({"params": params}, tokens)
    found = embedding.of_texts(model, params, tokens)
    np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found[2], found[3])


def test_texts_whose_padding_is_no_zero_are_left_as_long_as_they_are(tower):
    model, params = tower
    tokens = np.full((3, 20), 7, np.int32)
    tokens[1, 4] = tokens[2, 0] = 0
    whole = model.apply({"params": params}, tokens)
    found = embedding.of_texts(model, params, tokens)
    np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-6)
