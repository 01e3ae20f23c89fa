import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.evaluation import alignment_metrics, modality_gap
from gentle_clip_jax.losses import multi_kernel_mmd


def unit_rows(seed, n, d=16):
    rows = np.random.default_rng(seed).normal(size=(n, d))
    return jnp.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), jnp.float32)


def test_figures_match_float64():
    x, y = unit_rows(0, 50), unit_rows(1, 50)
    a, b = np.asarray(x, float), np.asarray(y, float)
    assert modality_gap(x, y) == pytest.approx(np.linalg.norm(a.mean(0) - b.mean(0)), rel=1e-5)


def test_the_sets_may_differ_in_size():
    x = unit_rows(0, 30)
    assert modality_gap(x, jnp.concatenate([x, x])) == pytest.approx(0, abs=1e-6)


def test_collapsed_sets():
    x = jnp.tile(unit_rows(0, 1), (10, 1))
    assert modality_gap(x, -x) == pytest.approx(2, rel=1e-6)


def test_alignment_metrics_under_jit():
    x, y = unit_rows(0, 20), unit_rows(1, 30)
    metrics = jax.jit(alignment_metrics)(x, y)
    assert metrics["modality_gap"] == pytest.approx(float(modality_gap(x, y)), rel=1e-5)
    assert metrics["mmd"] == pytest.approx(float(multi_kernel_mmd(x, y)), rel=1e-4, abs=1e-6)


def test_half_precision_is_measured_in_float32():
    x = jnp.tile(jnp.array([[1.0, 1e-4]], jnp.bfloat16), (300, 1))
    assert modality_gap(x, x).dtype == jnp.float32
    assert modality_gap(x, x) == 0
