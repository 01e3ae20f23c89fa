"""The contrastive loss of residues."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.losses.residue import residue_loss


def reference(x, y, temperature, where) -> float:
    """The formula in float64, residue by residue."""
    x, y = x[where].astype(np.float64), y[where].astype(np.float64)
    logits = x @ y.T / temperature
    forth = np.log(np.exp(logits).sum(axis=1)) - np.diag(logits)
    back = np.log(np.exp(logits).sum(axis=0)) - np.diag(logits)
    return float(np.mean(forth + back) / 2)


def residues(n: int = 3, size: int = 5, d: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, n, size, d)).astype(np.float32)
    return x, y, rng.random((n, size)) < 0.7


def test_it_is_the_formula() -> None:
    x, y, where = residues()
    value = residue_loss(jnp.asarray(x), jnp.asarray(y), temperature=0.7, where=jnp.asarray(where))
    np.testing.assert_allclose(value, reference(x, y, 0.7, where), rtol=1e-5)


def test_in_float64_it_is_the_formula_to_eleven_digits() -> None:
    x, y, where = residues()
    with jax.enable_x64(True):
        arrays = (jnp.asarray(a, jnp.float64) for a in (x, y))
        value = residue_loss(*arrays, temperature=0.7, where=jnp.asarray(where))
        assert value.dtype == jnp.float64
    np.testing.assert_allclose(value, reference(x, y, 0.7, where), rtol=1e-11)


def test_what_is_masked_has_neither_influence_nor_gradient() -> None:
    x, y, where = (jnp.asarray(a) for a in residues())
    other = jnp.where(where[..., None], x, 7.0)
    value, slope = jax.value_and_grad(residue_loss)(x, y, temperature=0.7, where=where)
    np.testing.assert_allclose(residue_loss(other, y, temperature=0.7, where=where), value)
    assert not slope[~where].any()
    assert jnp.isfinite(slope).all()


def test_nothing_known_is_no_loss() -> None:
    x, y, where = (jnp.asarray(a) for a in residues())
    value, slope = jax.value_and_grad(residue_loss)(x, y, temperature=0.7, where=where & False)
    assert value == 0
    assert not slope.any()


def test_blocks_and_jit_change_nothing() -> None:
    x, y, where = (jnp.asarray(a) for a in residues())
    dense = residue_loss(x, y, temperature=0.7, where=where, block_size=0)
    blocked = jax.jit(lambda x, y: residue_loss(x, y, temperature=0.7, where=where, block_size=4))
    np.testing.assert_allclose(blocked(x, y), dense, rtol=1e-5)


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="both the same"):
        residue_loss(jnp.ones((2, 3, 4)), jnp.ones((2, 4, 4)), temperature=1.0)
