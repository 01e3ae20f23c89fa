import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.encoders import lora

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(5, 3)), jnp.float32)


class Tower(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Dense(6, name="query")(x)
        return nn.Dense(4, name="out")(nn.relu(x))


PARAMS = {"block_0": Tower().init(jax.random.key(0), X)["params"], "conv": {"kernel": X[None]}}


def apply(params):
    return Tower().apply({"params": params["block_0"]}, X)


def start(pattern="query", rank=2):
    return lora.init(jax.random.key(1), PARAMS, rank, pattern)


def test_only_matching_matrices_get_an_update():
    tree = start("query|conv")
    assert jax.tree.map(jnp.shape, tree) == {
        "block_0": {"query": {"kernel": {"a": (3, 2), "b": (2, 6)}}}
    }
    both = start(r"block_\d+/.*")["block_0"]
    assert both.keys() == {"query", "out"}
    assert jnp.abs(both["query"]["kernel"]["a"]).min() > 0


def test_the_start_is_unchanged():
    merged = lora.merge(PARAMS, start(), 2.0)
    assert jax.tree.structure(merged) == jax.tree.structure(PARAMS)
    jax.tree.map(np.testing.assert_array_equal, merged, PARAMS)


def test_merged_is_the_sum():
    tree = jax.tree.map(lambda x: jnp.asarray(RNG.normal(size=x.shape), jnp.float32), start())
    merged = jax.jit(lora.merge)(PARAMS, tree, 0.5)
    update = tree["block_0"]["query"]["kernel"]
    expected = PARAMS["block_0"]["query"]["kernel"] + 0.5 * update["a"] @ update["b"]
    np.testing.assert_allclose(merged["block_0"]["query"]["kernel"], expected, rtol=1e-5)
    out = ("block_0", "out", "kernel")
    np.testing.assert_array_equal(
        merged[out[0]][out[1]][out[2]], PARAMS["block_0"]["out"]["kernel"]
    )
    # Two layers on the side give what the merged kernel does.
    query = PARAMS["block_0"]["query"]
    h = X @ query["kernel"] + query["bias"][None] + 0.5 * (X @ update["a"]) @ update["b"]
    dense = PARAMS["block_0"]["out"]
    side = nn.relu(h) @ dense["kernel"] + dense["bias"][None]
    np.testing.assert_allclose(apply(merged), side, atol=1e-5)


def test_training_moves_the_output_and_nothing_else():
    def loss(tree):
        return (apply(lora.merge(PARAMS, tree)) ** 2).sum()

    tree = start()
    grads = jax.grad(loss)(tree)["block_0"]["query"]["kernel"]
    assert jnp.abs(grads["b"]).max() > 1e-3
    np.testing.assert_array_equal(grads["a"], jnp.zeros((3, 2)))  # while b is 0
    moved = jax.tree.map(lambda x: x + 0.1, tree)
    assert jnp.abs(jax.grad(loss)(moved)["block_0"]["query"]["kernel"]["a"]).max() > 1e-3


def test_kernels_have_updates_of_their_own():
    a = {path: leaf["kernel"]["a"] for path, leaf in start(".")["block_0"].items()}
    assert jnp.abs(a["query"][:2] - a["out"][:2]).min() > 0


@pytest.mark.parametrize(
    ("pattern", "rank", "words"),
    [
        ("attention", 2, r"'attention' for LoRA: the paths are like block_0/out/kernel"),
        ("conv", 2, "'conv'"),  # not a matrix
        ("bias", 2, "'bias'"),
        ("query", 0, "at least 1"),
    ],
)
def test_no_kernels(pattern, rank, words):
    with pytest.raises(ValueError, match=words):
        start(pattern, rank)


def test_a_foreign_update_is_refused():
    with pytest.raises(ValueError, match="block_0/query/kernel fits no kernel"):
        lora.merge({"block_0": {"out": PARAMS["block_0"]["out"]}}, start())
