import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.encoders.bert import Bert
from gentle_clip_jax.encoders.clip import ImageTransformer, TextTransformer
from gentle_clip_jax.encoders.efficientnet_lite import EfficientNetLite0
from gentle_clip_jax.encoders.fine_tuning import FineTuned

BERT = Bert(vocab_size=20, width=8, depth=3, num_heads=2, hidden=16, max_tokens=6, dropout=0.1)
TOKENS = jnp.array([[2, 7, 4, 3, 0, 0], [2, 5, 3, 0, 0, 0]], jnp.int32)


def init(**options):
    model = FineTuned(BERT, **options)
    return model, model.init(jax.random.key(0), TOKENS)["params"]


def gradient(model, params):
    return jax.grad(lambda p: (model.apply({"params": p}, TOKENS) ** 2).sum())(params)


@pytest.mark.parametrize("trained_blocks", [-1, 0, 1, 2])
def test_it_gives_what_the_tower_gives(trained_blocks):
    model = FineTuned(BERT, trained_blocks, lora_rank=2)
    published = BERT.init(jax.random.key(1), TOKENS)["params"]
    params = model.parts(jax.random.key(2), published)
    np.testing.assert_array_equal(
        model.apply({"params": params}, TOKENS), BERT.apply({"params": published}, TOKENS)
    )


def test_the_last_blocks_are_trained_and_nothing_else():
    model, params = init(trained_blocks=2)
    assert set(params["trained"]) == {"block_1", "block_2"}
    grads = gradient(model, params)
    assert all(np.any(leaf) for leaf in jax.tree.leaves(grads["trained"]["block_1"]["out"]))
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(grads["frozen"]))


@pytest.mark.slow
def test_nothing_below_the_first_trained_block_is_differentiated():
    def cost(trained_blocks):
        model, params = init(trained_blocks=trained_blocks)
        compiled = jax.jit(lambda p: gradient(model, p)).lower(params).compile()
        return compiled.cost_analysis()["flops"]

    def forward(params):
        return model.apply({"params": params}, TOKENS)

    model, params = init(trained_blocks=-1)
    flops = jax.jit(forward).lower(params).compile().cost_analysis()["flops"]
    whole, last = cost(-1) - flops, cost(1) - flops
    assert last < 0.5 * whole


def test_updates_alone_are_trained():
    model, params = init(trained_blocks=0, lora_rank=2)
    assert not params["trained"]
    assert set(params["lora"]["block_0"]) == {"query", "value"}
    grads = gradient(model, params)
    assert np.any(grads["lora"]["block_0"]["value"]["kernel"]["b"])
    moved = {**params, "lora": jax.tree.map(lambda p: p + 0.1, params["lora"])}
    assert not np.allclose(
        model.apply({"params": moved}, TOKENS), model.apply({"params": params}, TOKENS)
    )


def test_dropout_reaches_the_tower():
    model, params = init()
    first, second = (
        model.apply({"params": params}, TOKENS, train=True, rngs={"dropout": jax.random.key(k)})
        for k in (1, 2)
    )
    assert not np.allclose(first, second)


IMAGES = jnp.zeros((1, 32, 32, 3))
CLIP = {"width": 16, "depth": 3, "num_heads": 2, "hidden": 16, "dim": 8}
TOWERS = {
    "efficientnet": (EfficientNetLite0(), IMAGES),
    "clip image": (ImageTransformer(image_size=32, patch_size=16, **CLIP), IMAGES),
    "clip text": (TextTransformer(vocab_size=20, max_tokens=6, **CLIP), TOKENS),
}


@pytest.mark.parametrize("name", TOWERS)
def test_every_tower_freezes_its_inputs(name):
    tower, rows = TOWERS[name]
    shapes = jax.eval_shape(FineTuned(tower, 1).init, jax.random.key(0), rows)["params"]
    (block,) = (part for part in shapes["trained"] if part.startswith("block_"))
    assert block not in shapes["frozen"]
    inputs = {"stem", "words", "patches", "class_token", "position"}
    assert not inputs & set(shapes["trained"])
    assert inputs & set(shapes["frozen"])


def test_too_many_blocks_are_refused():
    with pytest.raises(ValueError, match="last 4 blocks of Bert cannot be trained: it has 3"):
        init(trained_blocks=4)


def test_a_tower_without_such_kernels_is_refused():
    class Lookup(nn.Module):
        @nn.compact
        def __call__(self, rows, *, train=False):
            return nn.Embed(20, 4, name="words")(rows).mean(axis=1)

    with pytest.raises(ValueError, match="No kernel has a path"):
        FineTuned(Lookup(), 0, lora_rank=2).init(jax.random.key(0), TOKENS)
