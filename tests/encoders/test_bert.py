import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.encoders.bert import Bert

MODEL = Bert(vocab_size=30, width=12, depth=2, num_heads=3, hidden=20, max_tokens=9)
TOKENS = jnp.array([[3, 4, 0, 0], [5, 6, 7, 0], [8, 0, 0, 0], [9, 9, 9, 9]])


@pytest.fixture(scope="module")
def params():
    shapes = jax.eval_shape(MODEL.init, jax.random.key(0), TOKENS)["params"]
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda s: jnp.asarray(rng.normal(0, 0.5, s.shape), s.dtype), shapes)


def embed(params, tokens):
    return jax.jit(MODEL.apply)({"params": params}, tokens)


def reference(params, tokens: list[int]) -> np.ndarray:
    """The features of one text without padding, in float64."""
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)

    def dense(x, layer):
        return x @ layer["kernel"] + layer["bias"]

    def norm(x, layer):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * layer["scale"] + layer["bias"]

    gelu = np.vectorize(lambda v: v * (1 + math.erf(v / math.sqrt(2))) / 2)
    x = p["words"]["embedding"][tokens] + p["positions"]["embedding"][: len(tokens)]
    x = norm(x + p["segments"]["embedding"][0], p["embedding_norm"])
    for i in range(2):
        layer, heads = p[f"block_{i}"], []
        q, k, v = (dense(x, layer[name]) for name in ("query", "key", "value"))
        for h in range(3):
            part = slice(4 * h, 4 * h + 4)
            weight = np.exp(q[:, part] @ k[:, part].T / 2)
            heads.append(weight / weight.sum(1, keepdims=True) @ v[:, part])
        x = norm(x + dense(np.concatenate(heads, 1), layer["out"]), layer["attention_norm"])
        hidden = dense(gelu(dense(x, layer["expand"])), layer["project"])
        x = norm(x + hidden, layer["norm"])
    return x.mean(0)


def test_features_are_bert_and_the_mean_over_real_tokens(params):
    features = embed(params, TOKENS)
    assert features.shape == (4, 12)
    assert features.dtype == jnp.float32
    for row, tokens in zip(features, TOKENS.tolist()):
        expected = reference(params, [token for token in tokens if token])
        np.testing.assert_allclose(row, expected, atol=1e-5)


def test_more_padding_changes_nothing(params):
    padded = jnp.pad(TOKENS, ((0, 1), (0, 5)))
    features = embed(params, padded)
    np.testing.assert_allclose(features[:4], embed(params, TOKENS), atol=1e-5)
    assert jnp.isfinite(features).all()
