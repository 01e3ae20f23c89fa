import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_run

from gentle_clip_jax.encoders.heads import ProjectionHead
from gentle_clip_jax.encoders.text import TextTransformer
from gentle_clip_jax.encoders.transformer import Transformer
from gentle_clip_jax.tasks.icons import task as icons
from gentle_clip_jax.tasks.icons.data import Words

VOCAB_SIZE, DIM = 30, 16
IMAGES = jax.random.uniform(jax.random.key(0), (5, 16, 16, 1))
TOKENS = jnp.array([[3, 4, 0, 0], [5, 6, 7, 0], [8, 0, 0, 0], [9, 9, 9, 9], [2, 3, 4, 5]])


def build(**overrides):
    dataset = dataclasses.replace(
        tiny_run.dataset(), metadata=Words([], tiny_run.encode, VOCAB_SIZE)
    )
    return icons.build_model(tiny_run.config(**overrides), dataset)


def random_params(module, *inputs):
    """Parameters that are all different, the biases and scales too."""
    shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)["params"]
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda s: jnp.asarray(rng.normal(0, 0.3, s.shape), s.dtype), shapes)


MODEL = build()
PARAMS = random_params(MODEL, IMAGES, TOKENS) | {"log_scale": -jnp.log(0.07)}


def embed(model=MODEL, params=PARAMS, images=IMAGES, tokens=TOKENS):
    return jax.jit(model.apply)({"params": params}, images, tokens)


def test_embeddings_are_unit_rows():
    x, y, temperature = embed()
    for z in (x, y):
        assert z.shape == (5, DIM)
        assert z.dtype == jnp.float32
        np.testing.assert_allclose(jnp.linalg.norm(z, axis=1), 1, atol=1e-5)
    assert temperature == pytest.approx(0.07)


def test_items_get_embeddings_of_their_own():
    for z in embed()[:2]:
        assert jnp.abs(z @ z.T - jnp.eye(5)).max() < 0.9999


def test_rows_do_not_see_each_other():
    x, y, _ = embed()
    reverse_x, reverse_y, _ = embed(images=IMAGES[::-1], tokens=TOKENS[::-1])
    np.testing.assert_allclose(reverse_x[::-1], x, atol=1e-6)
    np.testing.assert_allclose(reverse_y[::-1], y, atol=1e-6)


@pytest.mark.usefixtures("promotion")
def test_params_are_float32_whatever_is_computed_in():
    model = build(**{"model.dtype": "bfloat16"})
    params = jax.eval_shape(model.init, jax.random.key(1), IMAGES, TOKENS)["params"]
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    assert jax.tree.structure(params) == jax.tree.structure(PARAMS)


@pytest.mark.usefixtures("promotion")
def test_bfloat16_stays_close_to_float32():
    exact, rough = embed(), embed(build(**{"model.dtype": "bfloat16"}))
    for a, b in zip(exact[:2], rough[:2]):
        assert b.dtype == jnp.float32
        assert jnp.isfinite(b).all()
        assert jnp.vecdot(a, b).min() > 0.999


def test_dropout_acts_in_training_alone():
    @jax.jit
    def embed_in_training(seed):
        return MODEL.apply(
            {"params": PARAMS},
            TOKENS,
            train=True,
            method=MODEL.embed_y,
            rngs={"dropout": jax.random.key(seed)},
        )

    first, again, other = (embed_in_training(seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert jnp.abs(first - other).max() > 1e-3


@pytest.mark.parametrize("log_scale", [0.0, 2.0, 50.0])
def test_temperature_is_clamped(log_scale):
    params = PARAMS | {"log_scale": jnp.float32(log_scale)}
    temperature = MODEL.apply({"params": params}, method=MODEL.temperature)
    assert temperature == pytest.approx(max(np.exp(-log_scale), 0.01))


def mean_of_text(tower, params, tokens):
    return jax.jit(tower.apply)({"params": params}, tokens)


@pytest.mark.parametrize("depth", [0, 1])
def test_padding_never_changes_a_text(depth):
    """Neither more padding, nor what the embedding of the padding token happens to be."""
    tower = TextTransformer(VOCAB_SIZE, width=16, depth=depth, num_heads=2)
    params = random_params(tower, TOKENS)
    features = mean_of_text(tower, params, TOKENS)
    table = params["token_embedding"]["embedding"]
    loud = params | {"token_embedding": {"embedding": table.at[0].set(1e3)}}
    np.testing.assert_allclose(mean_of_text(tower, loud, TOKENS), features, rtol=1e-5, atol=1e-5)

    shorter = params | {"position": params["position"][:3]}
    cut = mean_of_text(tower, shorter, TOKENS[:3, :3])
    np.testing.assert_allclose(cut, features[:3], rtol=1e-5, atol=1e-5)


def test_a_text_of_padding_alone_is_finite():
    tower = TextTransformer(VOCAB_SIZE, width=16, depth=1, num_heads=2)
    empty = jnp.zeros((1, 4), jnp.int32)
    params = random_params(tower, empty)
    assert jnp.isfinite(mean_of_text(tower, params, empty)).all()


def test_a_masked_token_is_never_attended_to():
    tower = Transformer(depth=1, num_heads=2)
    x = jax.random.normal(jax.random.key(0), (2, 4, 16))
    where = jnp.array([[True, True, False, True]] * 2)
    params = {"params": random_params(tower, x, where)}
    before, after = (
        jax.jit(tower.apply)(params, rows, where)[:, (0, 1, 3), :]
        for rows in (x, x.at[:, 2].add(10.0))
    )
    np.testing.assert_allclose(before, after, atol=1e-5)


def test_the_head_is_the_published_one():
    head = ProjectionHead(dim=8, dropout=0.0)
    features = jax.random.normal(jax.random.key(0), (3, 5))
    params = random_params(head, features)
    one, two, norm = (params[name] for name in ("Dense_0", "Dense_1", "LayerNorm_0"))
    p = features @ one["kernel"] + one["bias"][None]
    z = p + nn.gelu(p) @ two["kernel"] + two["bias"][None]
    z = (z - z.mean(1, keepdims=True)) / jnp.sqrt(z.var(1, keepdims=True) + 1e-6)
    z = z * norm["scale"][None] + norm["bias"][None]
    z = z / jnp.linalg.norm(z, axis=1, keepdims=True)
    np.testing.assert_allclose(jax.jit(head.apply)({"params": params}, features), z, atol=1e-6)
