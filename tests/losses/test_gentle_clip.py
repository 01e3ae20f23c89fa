"""The objective is the weighted sum of its terms, and computes no more than that."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax import losses
from gentle_clip_jax.losses import official, pairwise

N, M, D, MATCHED = 12, 8, 5, 4
WEIGHTS = {"clip_weight": 1.0, "mmd_weight": 0.5, "sdd_weight": 2.0, "ssl_weight": 0.15}


def embeddings() -> tuple[jax.Array, ...]:
    keys = jax.random.split(jax.random.key(0), 4)
    return tuple(
        pairwise.normalize(jax.random.normal(key, (n, D))) for key, n in zip(keys, (N, M, N, M))
    )


def by_hand(x, y, x_view, y_view):
    return {
        "clip": losses.clip_loss(x[:MATCHED], y[:MATCHED], temperature=0.1),
        "mmd": losses.multi_kernel_mmd(x, y),
        "sdd": losses.semantic_density_loss(x, y),
        "ssl": losses.nt_xent_loss(x, x_view, temperature=0.05)
        + losses.nt_xent_loss(y, y_view, temperature=0.05),
    }


def test_is_the_weighted_sum_of_its_terms() -> None:
    def objective(x, y, x_view, y_view):
        return losses.gentle_clip_loss(
            x, y, x_view=x_view, y_view=y_view, num_matched=MATCHED, temperature=0.1, **WEIGHTS
        )

    def summed(*embeddings):
        terms = by_hand(*embeddings)
        return sum(WEIGHTS[f"{name}_weight"] * term for name, term in terms.items()), terms

    (total, terms), gradients = jax.jit(
        jax.value_and_grad(objective, argnums=(0, 1, 2, 3), has_aux=True)
    )(*embeddings())
    (expected, expected_terms), expected_gradients = jax.jit(
        jax.value_and_grad(summed, argnums=(0, 1, 2, 3), has_aux=True)
    )(*embeddings())
    np.testing.assert_allclose(total, expected, rtol=1e-5)
    chex.assert_trees_all_close(terms, expected_terms, rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_close(gradients, expected_gradients, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("form", [losses.gentle_clip_loss, official.gentle_clip_loss])
def test_a_weight_of_zero_leaves_its_term_out(form) -> None:
    x, y, x_view, y_view = embeddings()

    def exponentials(**weights: float) -> tuple[set[str], int]:
        def objective(x, y):
            return form(
                x,
                y,
                x_view=x_view,
                y_view=y_view,
                num_matched=MATCHED,
                temperature=0.1,
                **dict.fromkeys(WEIGHTS, 0.0) | weights,
            )

        _, terms = jax.eval_shape(objective, x, y)
        return set(terms), str(jax.make_jaxpr(objective)(x, y)).count("exp")

    assert exponentials() == (set(), 0)
    alone = {
        name: exponentials(**{f"{name}_weight": 1.0}) for name in ("clip", "mmd", "sdd", "ssl")
    }
    assert all(terms == {name} for name, (terms, _) in alone.items())
    every, count = exponentials(**dict.fromkeys(WEIGHTS, 1.0))
    assert every == set(alone)
    assert count == sum(count for _, count in alone.values())


@pytest.mark.parametrize("present", [(), ("x_view",), ("y_view",), ("x_view", "y_view")])
def test_ssl_sums_the_views_that_are_given(present: tuple[str, ...]) -> None:
    x, y, x_view, y_view = embeddings()
    views = {k: v for k, v in {"x_view": x_view, "y_view": y_view}.items() if k in present}
    off = {"clip_weight": 0.0, "mmd_weight": 0.0, "sdd_weight": 0.0}
    total, terms = losses.gentle_clip_loss(
        x, y, num_matched=MATCHED, temperature=0.1, ssl_weight=2.0, **off, **views
    )
    parts = {"x_view": (x, x_view), "y_view": (y, y_view)}
    expected = sum(losses.nt_xent_loss(*parts[view], temperature=0.05) for view in present)
    assert set(terms) == ({"ssl"} if present else set())
    np.testing.assert_allclose(total, 2 * expected, rtol=1e-6)


def test_temperature_may_be_learned_and_never_recompiles() -> None:
    x, y, _, _ = embeddings()

    @jax.jit
    @chex.assert_max_traces(n=1)
    def slope(temperature):
        return jax.value_and_grad(
            lambda t: losses.gentle_clip_loss(x, y, num_matched=MATCHED, temperature=t)[0]
        )(temperature)

    value, gradient = slope(jnp.float32(0.1))
    lower, _ = slope(jnp.float32(0.099))
    np.testing.assert_allclose(gradient, (value - lower) / 0.001, rtol=0.05)


def test_official_takes_the_stable_arguments() -> None:
    x, y, x_view, y_view = embeddings()
    x, x_view = x[:M], x_view[:M]
    total, terms = official.gentle_clip_loss(
        x, y, num_matched=MATCHED, temperature=0.05, x_view=x_view, y_view=y_view, **WEIGHTS
    )
    expected = {
        "clip": official.clip(x, y, MATCHED),
        "mmd": official.mmd_single(x, y),
        "sdd": official.semantic_density(x, y),
        "ssl": official.nt_xent(x, x_view) + official.nt_xent(y, y_view),
    }
    chex.assert_trees_all_close(terms, expected, rtol=1e-6)
    weighted = sum(WEIGHTS[f"{name}_weight"] * term for name, term in expected.items())
    np.testing.assert_allclose(total, weighted, rtol=1e-6)
