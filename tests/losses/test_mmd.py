"""What is particular to the MMD and its bandwidths."""

import jax
import jax.numpy as jnp
import numpy as np
import reference

from gentle_clip_jax import losses


def normal(seed: int, n: int, d: int = 4) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), (n, d))


def test_ladder_equals_the_mean_over_all_pairs() -> None:
    x, y = normal(0, 9), 2 + normal(1, 9)
    ladder = losses.bandwidth_ladder(x, y, num=4, ratio=3.0)
    expected = reference.bandwidth_ladder(np.float64(x), np.float64(y), num=4, ratio=3.0)
    np.testing.assert_allclose(ladder, expected, rtol=1e-5)


def test_ladder_is_a_constant_under_differentiation() -> None:
    gradient = jax.grad(lambda x: losses.bandwidth_ladder(x, normal(1, 9)).sum())(normal(0, 9))
    np.testing.assert_array_equal(gradient, 0)


def test_is_unbiased() -> None:
    def value(key: jax.Array, shift: float) -> jax.Array:
        x, y = jax.random.normal(key, (2, 32, 4))
        return losses.multi_kernel_mmd(x, y + shift)

    keys = jax.random.split(jax.random.key(0), 256)
    values = jax.jit(lambda shift: jax.vmap(lambda key: value(key, shift))(keys))
    equal, shifted = values(0.0), values(0.5)
    assert abs(equal.mean()) < 3 * equal.std() / 16
    assert abs(equal.mean()) < 0.02 * shifted.mean()


def test_does_not_depend_on_position_or_units() -> None:
    x, y = normal(0, 9), 1 + normal(1, 9)
    mmd = jax.jit(losses.multi_kernel_mmd)
    value = mmd(x, y)
    np.testing.assert_allclose(mmd(3 * x, 3 * y), value, rtol=1e-4)
    np.testing.assert_allclose(mmd(x + 2, y + 2), value, rtol=1e-3)
    np.testing.assert_allclose(mmd(y, x), value, rtol=1e-5)


def test_of_a_set_with_itself_is_only_the_missing_diagonal() -> None:
    x = normal(0, 9)
    bandwidth = jnp.array([2.0])
    kernel = jnp.exp(-jnp.sum((x[:, None] - x[None]) ** 2, axis=-1) / 4)
    off_diagonal = (kernel.sum() - 9) / (9 * 8)
    expected = -2 / 9 * (1 - off_diagonal)
    value = jax.jit(losses.multi_kernel_mmd)(x, x, squared_bandwidths=bandwidth)
    np.testing.assert_allclose(value, expected, rtol=1e-4)


def test_is_zero_where_a_set_has_fewer_than_two_rows() -> None:
    x, y = normal(0, 9), normal(1, 9)
    where = jnp.arange(9) < 1
    value, gradient = jax.jit(jax.value_and_grad(losses.multi_kernel_mmd))(x, y, where_y=where)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)
