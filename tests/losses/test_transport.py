"""What is particular to transport plans and their divergence."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from jax.sharding import PartitionSpec

from gentle_clip_jax import losses
from gentle_clip_jax.losses import pairwise


def embeddings(n: int = 6, m: int = 5, d: int = 4) -> tuple[jax.Array, jax.Array]:
    keys = jax.random.split(jax.random.key(0))
    return tuple(pairwise.normalize(jax.random.normal(k, (r, d))) for k, r in zip(keys, (n, m)))


@pytest.mark.parametrize("epsilon", [0.02, 0.1, 1.0])
@pytest.mark.parametrize("iterations", [10, 75])
def test_plan_is_sinkhorns(epsilon: float, iterations: int) -> None:
    with jax.enable_x64(True):
        x, y = (jnp.float64(z) for z in embeddings())
        plan = losses.transport_plan(x, y, epsilon=epsilon, iterations=iterations)
    expected = reference.transport_plan(np.asarray(x), np.asarray(y), epsilon, iterations)
    np.testing.assert_allclose(plan, expected, rtol=1e-9, atol=1e-15)


def test_plan_of_valid_rows_is_the_plan_without_the_others() -> None:
    x, y = embeddings()
    where_x, where_y = np.arange(6) % 3 > 0, np.arange(5) != 1
    dirty = jnp.where(where_x[:, None], x, jnp.nan)
    plan = losses.transport_plan(dirty, y, epsilon=0.1, where_x=where_x, where_y=where_y)
    expected = losses.transport_plan(x[where_x], y[where_y], epsilon=0.1)
    np.testing.assert_allclose(np.asarray(plan)[where_x][:, where_y], expected, atol=1e-6)
    assert plan.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(np.asarray(plan)[~where_x], 0)
    np.testing.assert_array_equal(np.asarray(plan)[:, ~where_y], 0)


def test_a_low_epsilon_finds_the_assignment() -> None:
    x, _ = embeddings(8, 8, 16)
    order = jnp.array([3, 1, 7, 0, 2, 5, 6, 4])
    plan = losses.transport_plan(x, x[order], epsilon=0.005, iterations=500)
    np.testing.assert_array_equal(jnp.argmax(plan, axis=0), order)


def test_matching_is_zero_at_the_target_and_descends_to_it() -> None:
    x, y = embeddings()
    target = losses.transport_plan(x, y, epsilon=0.2)

    @jax.jit
    def descend(z: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, slope = jax.value_and_grad(losses.plan_matching_loss)(z, y, target, epsilon=0.2)
        return value, z - 0.2 * slope

    z = pairwise.normalize(jax.random.normal(jax.random.key(1), x.shape))
    first, z = descend(z)
    for _ in range(200):
        value, z = descend(z)
    at_target, slope = jax.value_and_grad(losses.plan_matching_loss)(x, y, target, epsilon=0.2)
    assert at_target == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(slope, 0, atol=1e-5)
    assert 0 < value < 0.05 * first


def test_neither_epsilon_nor_target_has_a_gradient_to_hide_in() -> None:
    x, y = embeddings()
    target = losses.transport_plan(x, y[::-1], epsilon=0.2)
    slope = jax.grad(lambda t: losses.plan_matching_loss(x, y, t, epsilon=0.2))(target)
    np.testing.assert_array_equal(slope, 0)
    slope = jax.grad(lambda z: jnp.sum(losses.transport_plan(z, y, epsilon=0.2) ** 2))(x)
    np.testing.assert_array_equal(slope, 0)


def test_forward_mode_works() -> None:
    x, y = embeddings()
    target = losses.transport_plan(x, y[::-1], epsilon=0.2)

    def loss(z: jax.Array) -> jax.Array:
        return losses.plan_matching_loss(z, y, target, epsilon=0.2)

    _, slope = jax.jvp(loss, (x,), (y[:1] + x,))
    np.testing.assert_allclose(slope, jnp.sum(jax.grad(loss)(x) * (y[:1] + x)), rtol=1e-4)


@pytest.mark.parametrize(
    "plan",
    [
        lambda x: losses.transport_plan(x, x, epsilon=0.1),
        lambda x: losses.hard_labels(x, x),
    ],
    ids=["plan", "labels"],
)
def test_a_device_with_its_own_rows_alone_is_refused(plan) -> None:
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    rows = PartitionSpec("data")
    inside = jax.shard_map(losses.over_axis(plan, "data"), mesh=mesh, in_specs=rows, out_specs=rows)
    with pytest.raises(ValueError, match="all rows at once"):
        inside(jnp.ones((8, 3)))


def test_without_ott_the_message_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ott.geometry.geometry", None)
    with pytest.raises(ValueError, match=r'pip install "gentle-clip-jax\[transport\]"'):
        losses.transport_plan(jnp.eye(3, 2), jnp.eye(7, 2), epsilon=0.1)
