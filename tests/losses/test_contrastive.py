"""What is particular to the contrastive losses."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gentle_clip_jax import losses
from gentle_clip_jax.losses import pairwise


def embeddings(n: int = 6, d: int = 4) -> tuple[jax.Array, jax.Array]:
    keys = jax.random.split(jax.random.key(0))
    return tuple(pairwise.normalize(jax.random.normal(key, (n, d))) for key in keys)


def test_clip_is_the_two_softmax_cross_entropies() -> None:
    x, y = embeddings()
    logits = pairwise.similarity(x, y) / 0.2
    labels = jnp.arange(6)
    expected = sum(
        optax.losses.softmax_cross_entropy_with_integer_labels(z, labels).mean() / 2
        for z in (logits, logits.T)
    )
    np.testing.assert_allclose(losses.clip_loss(x, y, temperature=0.2), expected, rtol=1e-5)


@pytest.mark.parametrize("loss", [losses.clip_loss, losses.sigmoid_loss])
def test_matched_losses_do_not_care_which_modality_is_called_x(loss) -> None:
    x, y = embeddings()
    bias = {"bias": -1.0} if loss is losses.sigmoid_loss else {}
    forwards = loss(x[:4], y[:4], temperature=0.2, unmatched_x=x[4:], unmatched_y=y[5:], **bias)
    backwards = loss(y[:4], x[:4], temperature=0.2, unmatched_x=y[5:], unmatched_y=x[4:], **bias)
    np.testing.assert_allclose(forwards, backwards, rtol=1e-5)


def test_nt_xent_equals_optax_on_stacked_views() -> None:
    x, x_view = embeddings()
    labels = jnp.concatenate([jnp.arange(6), jnp.arange(6)])
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        expected = optax.losses.ntxent(jnp.concatenate([x, x_view]), labels, temperature=0.2)
    np.testing.assert_allclose(losses.nt_xent_loss(x, x_view, temperature=0.2), expected, rtol=1e-4)


def test_a_sharp_temperature_neither_overflows_nor_hides_a_wrong_pair() -> None:
    x = jnp.eye(4)
    value, gradient = jax.value_and_grad(losses.clip_loss)(x, x[::-1], temperature=1e-4)
    np.testing.assert_allclose(value, 1e4, rtol=1e-5)
    assert jnp.all(jnp.isfinite(gradient))
    assert losses.clip_loss(x, x, temperature=1e-4) == 0


def test_bias_and_temperature_of_the_sigmoid_may_be_learned() -> None:
    x, y = embeddings()
    gradients = jax.grad(
        lambda t, b: losses.sigmoid_loss(x, y, temperature=t, bias=b), argnums=(0, 1)
    )(jnp.float32(0.5), jnp.float32(-1.0))
    assert all(jnp.isfinite(gradient) and gradient != 0 for gradient in gradients)
