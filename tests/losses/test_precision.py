"""Half-precision rows and hostile sets: every value and gradient is finite, in tiles as in one."""

import functools

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from gentle_clip_jax import losses
from gentle_clip_jax.losses import pairwise

N, D = 12, 4
DTYPES = (jnp.float32, jnp.bfloat16, jnp.float16)


def clip(x, y, block_size):
    return losses.clip_loss(x, y, temperature=0.05, block_size=block_size)


def gentle_clip(x, y, block_size):
    return losses.gentle_clip_loss(
        x, y, num_matched=N // 2, temperature=0.05, block_size=block_size
    )[0]


@functools.cache
def value_and_grad(loss, block_size: int):
    fixed = functools.partial(loss, block_size=block_size)
    return jax.jit(jax.value_and_grad(fixed, argnums=(0, 1)))


@st.composite
def sets(draw) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of any scale: spread out, with duplicates, nearly collapsed, or far apart."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    x, y = rng.normal(size=(2, N, D))
    scale = 10.0 ** draw(st.floats(-3, 3))
    kind = draw(st.sampled_from(["spread", "duplicates", "collapse", "apart"]))
    if kind == "duplicates":
        x, y = x[rng.integers(0, 3, N)], x[rng.integers(0, 3, N)]
    if kind == "collapse":
        x, y = 1 + 10.0 ** draw(st.floats(-6, -2)) * x, 1 + 1e-3 * y
    if kind == "apart":
        x, y = x, y + 10.0 ** draw(st.floats(1, 3))
    return tuple(np.clip(scale * z, -6e4, 6e4) for z in (x, y))  # float16 ends at 65504


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("loss", [clip, pytest.param(gentle_clip, marks=pytest.mark.slow)])
@hypothesis.settings(max_examples=50, deadline=None, derandomize=True)
@hypothesis.given(sets())
def test_every_result_is_finite(loss, dtype, sets) -> None:
    x, y = (jnp.asarray(z, dtype) for z in sets)
    for block_size in (0, 5):
        value, gradients = value_and_grad(loss, block_size)(x, y)
        assert value.dtype == jnp.float32
        assert jnp.isfinite(value)
        for gradient in gradients:
            assert gradient.dtype == dtype
            # Slopes per unit of a set of size 1e-6 are beyond float16: infinite, but never NaN.
            fits = ~jnp.isnan(gradient) if dtype == jnp.float16 else jnp.isfinite(gradient)
            assert jnp.all(fits)


@pytest.mark.parametrize(
    ("loss", "digits"),
    # In a collapsed set the densities differ in their last digits only, and so do their gradients.
    [(clip, 1e-5), pytest.param(gentle_clip, 1e-2, marks=pytest.mark.slow)],
)
@hypothesis.settings(max_examples=50, deadline=None, derandomize=True)
@hypothesis.given(sets())
def test_tiles_agree_with_one_tile(loss, digits: float, sets) -> None:
    x, y = (pairwise.normalize(jnp.float32(z)) for z in sets)
    value, gradients = value_and_grad(loss, 5)(x, y)
    expected, expected_gradients = value_and_grad(loss, 0)(x, y)
    np.testing.assert_allclose(value, expected, rtol=digits, atol=1e-5)
    for gradient, other in zip(gradients, expected_gradients):
        # Slopes of up to 1 / (temperature N) cancel in collapsed sets, their rounding does not.
        largest = max(np.abs(other).max(), 1 / (0.05 * N))
        np.testing.assert_allclose(gradient, other, rtol=digits, atol=digits * largest)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16], ids=["bfloat16", "float16"])
def test_half_precision_rows_meet_float32_maths(dtype) -> None:
    x, y = jax.random.normal(jax.random.key(0), (2, N, D)).astype(dtype)
    value = value_and_grad(clip, 5)(x, y)[0]
    np.testing.assert_allclose(value, clip(x.astype("float32"), y.astype("float32"), 0), rtol=1e-6)
