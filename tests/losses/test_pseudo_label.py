"""Pseudo-labels reproduce the published implementation, and what is particular to them."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax import losses
from gentle_clip_jax.losses import pairwise

FOLDER = pathlib.Path(__file__).parents[1] / "golden"
GOLDEN = np.load(FOLDER / "official_losses.npz"), np.load(FOLDER / "s_clip.npz")
CASES = ("small", "near_collapse")
TEMPERATURE = {"20": 1 / 20, "100": 1 / 100}


def golden(case: str, name: str) -> jax.Array:
    (file,) = (file for file in GOLDEN if f"{case}/{name}" in file)
    return jnp.asarray(file[f"{case}/{name}"], jnp.float64)


def embeddings(*sizes: int, d: int = 4) -> list[jax.Array]:
    keys = jax.random.split(jax.random.key(0), len(sizes))
    return [pairwise.normalize(jax.random.normal(key, (n, d))) for key, n in zip(keys, sizes)]


@pytest.mark.parametrize("case", CASES)
def test_labels_are_those_of_the_published_implementation(case: str) -> None:
    with jax.enable_x64(True):
        query, support = golden(case, "query"), golden(case, "x")
        hard = losses.hard_labels(query, support)
        np.testing.assert_array_equal(hard, golden(case, "s_clip_hard_plan"))
        for scale, temperature in TEMPERATURE.items():
            soft = losses.soft_labels(query, support, temperature=temperature)
            expected = golden(case, f"s_clip_soft_plan_scale{scale}")
            np.testing.assert_allclose(soft, expected, rtol=1e-9, atol=1e-15)
            transport = losses.transport_labels(query, support, temperature=temperature)
            expected = golden(case, f"s_clip_ot_plan_scale{scale}")
            np.testing.assert_allclose(transport, expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("scale", TEMPERATURE)
def test_loss_is_that_of_the_published_implementation(case: str, scale: str) -> None:
    temperature = TEMPERATURE[scale]
    with jax.enable_x64(True):
        query, support, captions = (golden(case, name) for name in ("query", "x", "y"))
        labels = losses.transport_labels(query, support, temperature=temperature)
        value = losses.pseudo_label_loss(query, captions, labels, temperature=temperature)
        expected = golden(case, f"s_clip_caption_loss_scale{scale}")
    np.testing.assert_allclose(value, expected, rtol=1e-7)
