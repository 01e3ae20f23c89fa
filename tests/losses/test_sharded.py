"""Rows spread over devices: the loss of the whole batch, without an array of all pairs anywhere."""

import functools
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from gentle_clip_jax import losses

DEVICES, N, D = 4, 256, 8


def clip(x, y, block_size=None):
    return losses.clip_loss(x, y, temperature=0.1, block_size=block_size)


def gentle_clip(x, y, block_size=None, num_matched=N // 2):
    view = jnp.roll(x, 1, axis=1)
    return losses.gentle_clip_loss(
        x, y, num_matched=num_matched, temperature=0.1, x_view=view, block_size=block_size
    )[0]


@functools.cache
def mesh(kind: AxisType = AxisType.Auto) -> jax.sharding.Mesh:
    return jax.make_mesh((DEVICES,), ("data",), axis_types=(kind,))


def embeddings(n: int = N) -> tuple[jax.Array, jax.Array]:
    x, y = jax.random.normal(jax.random.key(0), (2, n, D))
    return x, y + 0.3


def spread(kind: AxisType = AxisType.Auto) -> list[jax.Array]:
    return jax.device_put(embeddings(), NamedSharding(mesh(kind), P("data")))


def value_and_grad(loss, block_size=None):
    return jax.value_and_grad(functools.partial(loss, block_size=block_size), argnums=(0, 1))


def assert_same(actual, expected) -> None:
    (value, gradients), (expected, expected_gradients) = actual, expected
    np.testing.assert_allclose(value, expected, rtol=1e-6, atol=5e-7)
    for gradient, other in zip(gradients, expected_gradients):
        np.testing.assert_allclose(gradient, other, atol=1e-6 * max(1.0, np.abs(other).max()))


@pytest.mark.parametrize("loss", [clip, pytest.param(gentle_clip, marks=pytest.mark.slow)])
@pytest.mark.parametrize("block_size", [0, 32], ids=["dense", "ring"])
def test_jit_over_a_mesh_is_one_device_without_all_pairs(loss, block_size: int) -> None:
    x, y = spread()
    compiled = jax.jit(value_and_grad(loss, block_size)).lower(x, y).compile()
    assert_same(compiled(x, y), jax.jit(value_and_grad(loss, 0))(*embeddings()))
    shapes = re.findall(r"\[([\d,]+)\]", compiled.as_text())
    most = max(np.prod([int(n) for n in shape.split(",")]) for shape in shapes)
    assert most <= (N * D if block_size else 2 * N * N // DEVICES)


@pytest.mark.parametrize("loss", [clip, pytest.param(gentle_clip, marks=pytest.mark.slow)])
def test_devices_exchange_no_more_than_embeddings(loss) -> None:
    text = jax.jit(value_and_grad(loss, 32)).lower(*spread()).compile().as_text()
    pattern = r"= \(?\w+\[([\d,]*)\]\S* (?:all-gather|all-reduce|collective-permute|reduce-scatter)"
    sizes = [np.prod([int(n) for n in dims.split(",") if n]) for dims in re.findall(pattern, text)]
    assert sizes
    assert max(sizes) <= N * D
    if loss is clip:  # whose ring never holds more than the rows of one device
        assert max(sizes) <= N * D // DEVICES


def test_rows_need_not_divide_among_devices() -> None:
    x, y = embeddings(n=N - 3)
    rows = NamedSharding(mesh(), P())
    actual = jax.jit(value_and_grad(clip, 32))(*jax.device_put((x, y), rows))
    assert_same(actual, jax.jit(value_and_grad(clip, 0))(x, y))


@pytest.mark.parametrize(
    "loss",
    [functools.partial(losses.clip_loss, temperature=0.1), losses.cauchy_schwarz_divergence],
    ids=["clip", "cauchy_schwarz"],
)
def test_over_axis_inside_a_shard_map(loss) -> None:
    step = jax.shard_map(
        jax.value_and_grad(losses.over_axis(loss, "data"), argnums=(0, 1)),
        mesh=mesh(),
        in_specs=P("data"),
        out_specs=(P(), P("data")),
    )
    expected = jax.value_and_grad(loss, argnums=(0, 1))(*embeddings())
    assert_same(jax.jit(step)(*spread()), expected)


WRAPPERS = {
    "plain": lambda loss: loss,
    "jit": jax.jit,
    "checkpoint": jax.checkpoint,
    "vmap": lambda loss: lambda x, y: jax.vmap(loss)(x[None], y[None])[0],
}


@pytest.mark.parametrize("check_vma", [True, False])
@pytest.mark.parametrize("wrapped", WRAPPERS)
def test_a_devices_own_loss_is_never_taken_for_that_of_all(wrapped, check_vma) -> None:
    """JAX keeps what it traced: alone, before, after and nested, each must be what it says."""
    (x, y), wrap = (z[:32] for z in embeddings()), WRAPPERS[wrapped]
    loss = losses.semantic_density_loss
    own, inside = wrap(loss), losses.over_axis(wrap(loss), "data")
    around = wrap(losses.over_axis(loss, "data"))

    def on_each(*functions):
        step = jax.shard_map(
            lambda x, y: jnp.stack([function(x, y) for function in functions])[None],
            mesh=mesh(),
            in_specs=P("data"),
            out_specs=P("data"),
            check_vma=check_vma,
        )
        return np.asarray(jax.jit(step)(x, y)).T

    rows = zip(np.split(x, DEVICES), np.split(y, DEVICES))
    of_one = [float(loss(jnp.asarray(a), jnp.asarray(b))) for a, b in rows]
    of_all = [float(loss(x, y))] * DEVICES
    for functions in ([own], [inside], [own, inside, own, around], [around, own, inside]):
        expected = [of_one if function is own else of_all for function in functions]
        np.testing.assert_allclose(on_each(*functions), expected, rtol=1e-5)


@pytest.mark.slow
def test_the_objective_over_axis_counts_matched_rows_per_device() -> None:
    x, y = embeddings()
    own = N // DEVICES // 2
    loss = losses.over_axis(functools.partial(gentle_clip, num_matched=own, block_size=32), "data")
    step = jax.shard_map(
        jax.value_and_grad(loss, argnums=(0, 1)),
        mesh=mesh(),
        in_specs=P("data"),
        out_specs=(P(), P("data")),
    )
    # The matched rows of every device first, as one device would want them.
    order = np.argsort(np.arange(N) % (N // DEVICES) >= own, kind="stable")
    value, gradients = jax.value_and_grad(gentle_clip, argnums=(0, 1))(x[order], y[order])
    back = np.argsort(order)
    expected = value, tuple(gradient[back] for gradient in gradients)
    assert_same(jax.jit(step)(*spread()), expected)


def test_explicit_axes_are_refused_with_a_remedy_that_works() -> None:
    x, y = spread(AxisType.Explicit)
    with pytest.raises(ValueError, match="auto_axes"):
        jax.jit(clip)(x, y)
    with jax.set_mesh(mesh(AxisType.Explicit)):
        value = jax.jit(jax.sharding.auto_axes(clip, out_sharding=P()))(x, y)
    np.testing.assert_allclose(value, clip(*embeddings()), rtol=1e-6)


def test_float64_agrees_to_rounding() -> None:
    with jax.enable_x64(True):
        arrays = tuple(np.float64(z) for z in embeddings())
        x, y = jax.device_put(arrays, NamedSharding(mesh(), P("data")))
        actual = jax.jit(value_and_grad(clip, 32))(x, y)
        expected = jax.jit(value_and_grad(clip, 0))(*(jnp.asarray(z) for z in arrays))
        chex.assert_trees_all_close(actual, expected, rtol=1e-11, atol=1e-13)
