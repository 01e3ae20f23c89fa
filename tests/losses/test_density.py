"""The promises of the stable SDD: no dependence on the batch size, and zero for equal sets."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference

from gentle_clip_jax import losses


def two_sets(key: jax.Array, n: int, d: int, shift: float) -> tuple[jax.Array, jax.Array]:
    """Standard normal sets [n, d], the second moved by `shift` sigma in every dimension."""
    x, y = jax.random.normal(key, (2, n, d))
    return x, y + shift


def averages(n: int, d: int, seeds: int) -> np.ndarray:
    """Value, gradient norm in a shift of y, in a linear map of y, and over rows; means of seeds."""

    def one(key: jax.Array) -> jax.Array:
        x, y = two_sets(key, n, d, 1.0)
        value, gradient = jax.value_and_grad(losses.semantic_density_loss, argnums=1)(x, y)
        norms = (gradient.sum(axis=0), gradient.T @ y, jnp.sqrt(n) * gradient)
        return jnp.stack([value, *(jnp.linalg.norm(norm) for norm in norms)])

    keys = jax.random.split(jax.random.key(n), seeds)
    return np.asarray(jax.jit(lambda keys: jax.lax.map(one, keys))(keys)).mean(axis=0)


@pytest.mark.parametrize("d", [2, 64])
def test_value_and_gradient_do_not_depend_on_the_batch_size(d: int) -> None:
    many = averages(1024, d, seeds=4)
    np.testing.assert_allclose(averages(64, d, seeds=128), many, rtol=0.1)
    np.testing.assert_allclose(averages(256, d, seeds=16), many, rtol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("d", [2, 16, 64])
def test_value_and_gradient_do_not_depend_on_the_batch_size_up_to_4096(d: int) -> None:
    most = averages(4096, d, seeds=2)
    for n in (64, 128, 256, 512, 1024, 2048):
        np.testing.assert_allclose(averages(n, d, seeds=8192 // n), most, rtol=0.1)


@pytest.mark.parametrize("d", [2, 16, 64])
def test_is_zero_in_expectation_for_equal_distributions(d: int) -> None:
    def mean(shift: float) -> float:
        def value(key: jax.Array) -> jax.Array:
            return losses.semantic_density_loss(*two_sets(key, 256, d, shift))

        keys = jax.random.split(jax.random.key(0), 64)
        return float(jax.jit(lambda keys: jax.lax.map(value, keys))(keys).mean())

    assert abs(mean(0.0)) < 0.02 * mean(1.0)


def test_grows_as_the_sets_move_apart() -> None:
    key = jax.random.key(0)
    values = [losses.semantic_density_loss(*two_sets(key, 64, 8, s)) for s in (0.0, 0.5, 1.0, 2.0)]
    assert values == sorted(values)


def test_does_not_depend_on_position_and_is_symmetric() -> None:
    x, y = two_sets(jax.random.key(0), 24, 4, 1.0)
    value = losses.semantic_density_loss(x, y)
    np.testing.assert_allclose(losses.semantic_density_loss(y, x), value, rtol=1e-4)
    # The floor of the variance, 1e-4 of the mean square, moves with the position, little.
    np.testing.assert_allclose(losses.semantic_density_loss(x + 1, y + 1), value, rtol=1e-2)


def test_is_an_inverse_area() -> None:
    x, y = two_sets(jax.random.key(0), 24, 4, 1.0)
    value = losses.semantic_density_loss(x, y)
    np.testing.assert_allclose(9 * losses.semantic_density_loss(3 * x, 3 * y), value, rtol=1e-4)


def test_rows_of_one_item_leave_out_each_other() -> None:
    x, y = two_sets(jax.random.key(0), 8, 4, 1.0)
    items = {
        "item_x": np.array([0, 0, 1, 1, 2, 3, 4, 5]),
        "item_y": np.array([0, 1, 6, 6, 7, 8, 9, 9]),
    }
    expected = reference.semantic_density_loss(np.float64(x), np.float64(y), **items)
    np.testing.assert_allclose(losses.semantic_density_loss(x, y, **items), expected, rtol=1e-4)
    assert not np.isclose(losses.semantic_density_loss(x, y), expected, rtol=1e-2)


def test_distinct_items_change_nothing() -> None:
    x, y = two_sets(jax.random.key(0), 8, 4, 1.0)
    value = losses.semantic_density_loss(x, y, item_x=jnp.arange(8), item_y=8 + jnp.arange(8))
    np.testing.assert_allclose(value, losses.semantic_density_loss(x, y), rtol=1e-6)


def test_density_is_one_where_all_data_lie_and_vanishes_far_away() -> None:
    data = jnp.zeros((5, 3))
    np.testing.assert_allclose(losses.kernel_density(data[:1], data), 1, rtol=1e-6)
    x, _ = two_sets(jax.random.key(0), 32, 3, 0.0)
    assert losses.kernel_density(x[:1] + 100, x) == 0
