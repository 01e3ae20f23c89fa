import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.encoders.efficientnet_lite import Block, ConvNorm, EfficientNetLite0


def random_params(module, *inputs):
    """Parameters that are all different; those of a variance are positive."""
    shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)["params"]
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda s: jnp.asarray(rng.uniform(0.5, 1.5, s.shape), s.dtype), shapes)


@pytest.mark.parametrize("depthwise", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [1, 5])
def test_shifts_are_a_convolution_and_its_norm(depthwise, stride, size):
    x = jax.random.normal(jax.random.key(0), (2, 7, 10, 4))
    layer = ConvNorm(4 if depthwise else 6, size, stride, depthwise)
    params = random_params(layer, x)
    y = jax.lax.conv_general_dilated(
        x,
        params["kernel"],
        (stride, stride),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=4 if depthwise else 1,
    )
    mean, variance, scale, bias = (
        np.asarray(params[name], np.float64) for name in ("mean", "variance", "scale", "bias")
    )
    expected = (np.asarray(y, np.float64) - mean) / np.sqrt(variance + 1e-3) * scale + bias
    np.testing.assert_allclose(jax.jit(layer.apply)({"params": params}, x), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("features", "stride", "adds"), [(4, 1, True), (4, 2, False), (6, 1, False)]
)
def test_a_block_adds_its_input_where_shapes_agree(features, stride, adds):
    x = jax.random.normal(jax.random.key(0), (1, 6, 6, 4))
    block = Block(features, 3, stride, 6)
    params = random_params(block, x)
    params["project"] |= {name: jnp.zeros(features) for name in ("scale", "bias")}
    y, filtered = jax.jit(block.apply)({"params": params}, x)
    assert filtered.shape == (*y.shape[:3], 24)
    np.testing.assert_array_equal(y, x if adds else jnp.zeros(y.shape))


def test_the_network_has_the_published_size():
    model = EfficientNetLite0()
    params = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))["params"]
    trained = [
        leaf.size
        for path, leaf in jax.tree.leaves_with_path(params)
        if path[-1].key not in ("mean", "variance")
    ]
    classifier = 1280 * 1000 + 1000
    assert sum(trained) + classifier == 4_652_008


@pytest.mark.slow
def test_rich_features_begin_with_the_plain_ones():
    plain, rich = EfficientNetLite0(), EfficientNetLite0(rich=True)
    images = jnp.zeros((2, 32, 32, 3)).at[1, :16].set(255.0)
    params = random_params(plain, images)
    ours = jax.jit(plain.apply)({"params": params}, images)
    features = jax.jit(rich.apply)({"params": params}, images)
    head, filtered, *stages = np.split(features, np.cumsum([1280, 1152, 192, 192, 320]), axis=1)
    np.testing.assert_allclose(head, ours, rtol=1e-5, atol=1e-5)
    assert filtered.min() >= 0
    assert filtered.max() <= 6
    assert [part.shape[1] for part in (filtered, *stages)] == [1152, 192, 192, 320, 320]
    for deviation in stages[1::2]:
        assert (deviation >= 0).all()
