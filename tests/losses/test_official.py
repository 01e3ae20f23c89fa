"""The official forms reproduce the published implementation, value and gradient."""

import pathlib
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.losses import official

GOLDEN = np.load(pathlib.Path(__file__).parents[1] / "golden" / "official_losses.npz")
CASES = ("small", "same_dist", "near_collapse", "far")
LOSSES: dict[str, Callable[[jax.Array, jax.Array, int], jax.Array]] = {
    "sdd_official": lambda x, y, s: official.semantic_density(x, y),
    "mmd_single_rbf": lambda x, y, s: official.mmd_single(x, y),
    "mmd_multi_kernel19": lambda x, y, s: official.mmd_nineteen(x, y),
    "clip_matched_vs_all_tau0.05": official.clip,
    "total_official_interleaved": lambda x, y, s: official.total(x, y, x.shape[0] // 2 // 3),
    "ssl_interleaved_tau0.05": lambda x, y, s: official.nt_xent(x[::2], x[1::2]),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("case", "double"),
    [(case, True) for case in CASES]
    + [("near_collapse", False)]
    + [pytest.param(case, False, marks=pytest.mark.slow) for case in ("small", "same_dist", "far")],
)
def test_matches_the_published_implementation(loss: str, case: str, double: bool) -> None:
    value_tolerance, gradient_tolerance = (1e-9, 1e-7) if double else (1e-4, 1e-4)
    with jax.enable_x64(double):
        x, y = (
            jnp.asarray(GOLDEN[f"{case}/{k}"], jnp.float64 if double else jnp.float32) for k in "xy"
        )
        num_matched = int(GOLDEN[f"{case}/num_matched"])
        function = jax.jit(jax.value_and_grad(LOSSES[loss], argnums=(0, 1)), static_argnums=2)
        value, gradients = function(x, y, num_matched)
    assert value.dtype == x.dtype
    np.testing.assert_allclose(value, GOLDEN[f"{case}/{loss}/value"], rtol=value_tolerance)
    for i, gradient in enumerate(gradients):
        if (key := f"{case}/{loss}/grad{i}") in GOLDEN:
            expected = GOLDEN[key]
            atol = gradient_tolerance * np.abs(expected).max()
            np.testing.assert_allclose(gradient, expected, rtol=gradient_tolerance, atol=atol)
