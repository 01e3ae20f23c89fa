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


jitted = jax.jit(losses.semantic_density_loss)


def averages(n: int, d: int, seeds: int) -> np.ndarray:
    """Value, gradient norm in a shift of y, in a linear map of y, and over rows; means of seeds."""

    def one(key: jax.Array) -> jax.Array:
        x, y = two_sets(key, n, d, 1.0)
        value, gradient = jax.value_and_grad(losses.semantic_density_loss, argnums=1)(x, y)
        norms = (gradient.sum(axis=0), gradient.T @ y, jnp.sqrt(n) * gradient)
        return jnp.stack([value, *(jnp.linalg.norm(norm) for norm in norms)])

    keys = jax.random.split(jax.random.key(n), seeds)
    return np.asarray(jax.jit(lambda keys: jax.lax.map(one, keys))(keys)).mean(axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("d", [2, 16, 64])
def test_value_and_gradient_do_not_depend_on_the_batch_size_up_to_4096(d: int) -> None:
    most = averages(4096, d, seeds=2)
    for n in (64, 256, 1024):
        np.testing.assert_allclose(averages(n, d, seeds=8192 // n), most, rtol=0.1)


@pytest.mark.parametrize(
    "d", [16, pytest.param(2, marks=pytest.mark.slow), pytest.param(64, marks=pytest.mark.slow)]
)
def test_is_zero_in_expectation_for_equal_distributions(d: int) -> None:
    def mean(shift: float) -> float:
        def value(key: jax.Array) -> jax.Array:
            return losses.semantic_density_loss(*two_sets(key, 256, d, shift))

        keys = jax.random.split(jax.random.key(0), 64)
        return float(jax.jit(lambda keys: jax.lax.map(value, keys))(keys).mean())

    assert abs(mean(0.0)) < 0.02 * mean(1.0)


def test_grows_as_the_sets_move_apart() -> None:
    values = [jitted(*two_sets(jax.random.key(0), 24, 4, shift)) for shift in (0.0, 1.0, 2.0, 3.0)]
    assert values == sorted(values)


def test_is_symmetric_and_depends_on_neither_position_nor_order() -> None:
    x, y = two_sets(jax.random.key(0), 24, 4, 1.0)
    value = jitted(x, y)
    np.testing.assert_allclose(jitted(y, x), value, rtol=1e-4)
    np.testing.assert_allclose(jitted(x[::-1], y), value, rtol=1e-4)
    # The floor of the variance, 1e-4 of the mean square, moves with the position, little.
    np.testing.assert_allclose(jitted(x + 1, y + 1), value, rtol=1e-2)


def test_is_an_inverse_area() -> None:
    x, y = two_sets(jax.random.key(0), 24, 4, 1.0)
    np.testing.assert_allclose(9 * jitted(3 * x, 3 * y), jitted(x, y), rtol=1e-4)


def test_rows_of_one_item_leave_out_each_other() -> None:
    x, y = two_sets(jax.random.key(0), 24, 4, 1.0)
    items = {"item_x": np.arange(24) // 2, "item_y": np.arange(24) // 3}
    # Two rows per item, nearly equal, as two views are.
    x = x[items["item_x"]] + 0.01 * x
    expected = reference.semantic_density_loss(np.float64(x), np.float64(y), **items)
    np.testing.assert_allclose(jitted(x, y, **items), expected, rtol=1e-4)
    assert not np.isclose(jitted(x, y), expected, rtol=1e-2)
    own = {"item_x": np.arange(24), "item_y": 24 + np.arange(24)}
    np.testing.assert_allclose(jitted(x, y, **own), jitted(x, y), rtol=1e-5)


def test_density_is_one_where_all_data_lie_and_vanishes_far_away() -> None:
    x, _ = two_sets(jax.random.key(0), 24, 4, 0.0)
    density = jax.jit(losses.kernel_density)
    np.testing.assert_allclose(density(0 * x, 0 * x), 1, rtol=1e-6)
    np.testing.assert_array_equal(density(x + 100, x), 0)
