"""Tiles change neither value nor gradient, only memory; and what can be done with a tiled loss."""

import functools
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax import losses
from gentle_clip_jax.losses import tiles

N, M, D, MATCHED = 12, 9, 5, 4
WHERE_X = np.array([1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1], bool)
WHERE_Y = np.array([1, 1, 0, 1, 1, 1, 0, 1, 1], bool)


def clip(x, y, where_x, where_y, block_size):
    return losses.clip_loss(
        x[:MATCHED],
        y[:MATCHED],
        temperature=0.3,
        unmatched_x=x[MATCHED:],
        unmatched_y=y[MATCHED:],
        where=where_x[:MATCHED] & where_y[:MATCHED],
        where_unmatched_x=where_x[MATCHED:],
        where_unmatched_y=where_y[MATCHED:],
        block_size=block_size,
    )


def sigmoid(x, y, where_x, where_y, block_size):
    options = {"temperature": 0.3, "bias": -1.0, "block_size": block_size}
    where = where_x[:M] & where_y
    return losses.sigmoid_loss(x[:M], y, unmatched_x=x[M:], where=where, **options)


def nt_xent(x, y, where_x, where_y, block_size):
    view = jnp.roll(x, 1, axis=1)
    return losses.nt_xent_loss(x, view, temperature=0.3, where=where_x, block_size=block_size)


def mmd(x, y, where_x, where_y, block_size):
    masks = {"where_x": where_x, "where_y": where_y, "block_size": block_size}
    ladder = losses.multi_kernel_mmd(x, y, **masks)
    return ladder + losses.multi_kernel_mmd(x, y, squared_bandwidths=jnp.ones(2, x.dtype), **masks)


def density(x, y, where_x, where_y, block_size):
    return jnp.sum(losses.kernel_density(y, x, where=where_x, block_size=block_size))


def sdd(x, y, where_x, where_y, block_size):
    items = {"item_x": jnp.arange(N) // 2, "item_y": jnp.arange(M) // 3}
    masks = {"where_x": where_x, "where_y": where_y}
    return losses.semantic_density_loss(x, y, **items, **masks, block_size=block_size)


def cauchy_schwarz(x, y, where_x, where_y, block_size):
    masks = {"where_x": where_x, "where_y": where_y}
    return losses.cauchy_schwarz_divergence(x, y, **masks, block_size=block_size)


def gentle_clip(x, y, where_x, where_y, block_size):
    return losses.gentle_clip_loss(
        x,
        y,
        num_matched=MATCHED,
        temperature=0.3,
        x_view=jnp.roll(x, 1, axis=1),
        y_view=jnp.roll(y, 1, axis=1),
        where_x=where_x,
        where_y=where_y,
        block_size=block_size,
    )[0]


LOSSES = (clip, sigmoid, nt_xent, mmd, density, sdd, cauchy_schwarz, gentle_clip)


def embeddings(n: int = N, m: int = M, d: int = D) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, d)), 0.5 + rng.normal(size=(m, d))
    return tuple(z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))


@functools.cache
def value_and_grad(loss, block_size: int, kept_bytes: int = tiles._KEPT_BYTES):
    """Another limit of what is kept is traced anew: set it as well."""
    fixed = functools.partial(loss, block_size=block_size)
    return jax.jit(jax.value_and_grad(fixed, argnums=(0, 1)))


def clip_of_pairs(x, y, block_size=5, temperature=0.3):
    return losses.clip_loss(x, y, temperature=temperature, block_size=block_size)


@pytest.mark.parametrize(
    "loss",
    [pytest.param(loss, marks=pytest.mark.slow if loss in (mmd, sdd) else ()) for loss in LOSSES],
)
def test_tiles_change_neither_value_nor_gradient(loss) -> None:
    dense, blocked = value_and_grad(loss, 0), value_and_grad(loss, 5)
    with jax.enable_x64(True):
        x, y = (jnp.asarray(z) for z in embeddings())
        for where_x, where_y in ((WHERE_X, WHERE_Y), (np.ones(N, bool), np.ones(M, bool))):
            expected = dense(x, y, where_x, where_y)
            chex.assert_trees_all_close(
                blocked(x, y, where_x, where_y), expected, rtol=1e-11, atol=1e-13
            )


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("block_size", [1, 64])
def test_tiles_change_no_float32_digit_that_counts(loss, block_size: int) -> None:
    x, y = (jnp.float32(z) for z in embeddings())
    value, gradients = value_and_grad(loss, block_size)(x, y, WHERE_X, WHERE_Y)
    expected, expected_gradients = value_and_grad(loss, 0)(x, y, WHERE_X, WHERE_Y)
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
    for gradient, other in zip(gradients, expected_gradients):
        np.testing.assert_allclose(gradient, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())


def test_a_sharp_temperature_is_exact_across_tiles() -> None:
    with jax.enable_x64(True):
        x, y = (jnp.asarray(z) for z in embeddings(N, N))
        for temperature in (1e-4, 1.0):
            sharp = functools.partial(clip_of_pairs, temperature=temperature)
            expected = jax.value_and_grad(functools.partial(sharp, block_size=0))(x, y)
            value = jax.value_and_grad(sharp)(x, y)
            chex.assert_trees_all_close(value, expected, rtol=1e-11, atol=1e-11)


def test_temperature_is_learned_through_tiles() -> None:
    x, y = (jnp.float32(z) for z in embeddings(N, N))
    gradients = [
        jax.grad(lambda t, block: clip_of_pairs(x, y, block, t))(jnp.float32(0.3), block)
        for block in (5, 0)
    ]
    np.testing.assert_allclose(*gradients, rtol=1e-5)


@pytest.mark.parametrize("loss", [clip, gentle_clip])
def test_products_that_are_kept_change_nothing(loss, monkeypatch) -> None:
    kept = value_and_grad(loss, 5)
    monkeypatch.setattr(tiles, "_KEPT_BYTES", 0)
    again = value_and_grad(loss, 5, 0)
    with jax.enable_x64(True):
        given = *(jnp.asarray(z) for z in embeddings()), WHERE_X, WHERE_Y
        chex.assert_trees_all_close(again(*given), kept(*given), rtol=1e-12, atol=1e-14)


# Pairs within x, 640 x 640, are the most, and those between x and y fewer.
@pytest.mark.parametrize(("kept", "most"), [(0, 128**2), (640 * 512, 640 * 512)])
def test_no_array_of_more_pairs_than_are_kept_is_compiled(kept, most, monkeypatch) -> None:
    monkeypatch.setattr(tiles, "_KEPT_BYTES", 4 * kept)
    x, y = (jnp.float32(z) for z in embeddings(640, 512, 8))
    masks = jnp.ones(640, bool), jnp.ones(512, bool)
    text = value_and_grad(gentle_clip, 128, 4 * kept).lower(x, y, *masks).compile().as_text()
    sizes = [
        np.prod([int(n) for n in dims.split(",")]) for dims in re.findall(r"\[([\d,]+)\]", text)
    ]
    assert max(sizes) == most if kept else max(sizes) <= most


def test_forward_mode_needs_a_single_tile() -> None:
    x, y = (jnp.float32(z) for z in embeddings(N, N))
    _, gradient = jax.jvp(lambda x: clip_of_pairs(x, y, block_size=0), (x,), (x,))
    assert jnp.isfinite(gradient)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda x: clip_of_pairs(x, y), (x,), (x,))


def test_gradients_of_gradients_pass_through_tiles() -> None:
    with jax.enable_x64(True):
        x, y = (jnp.asarray(z) for z in embeddings(N, N))

        def steepness(x, block_size):
            return jnp.sum(jax.grad(clip_of_pairs)(x, y, block_size) ** 2)

        twice = jax.jit(jax.grad(steepness), static_argnums=1)
        chex.assert_trees_all_close(twice(x, 5), twice(x, 0), rtol=1e-9, atol=1e-12)


def test_tiles_pass_through_vmap_scan_and_remat() -> None:
    x, y = (jnp.float32(z) for z in embeddings(N, N))
    xs = jnp.stack([x, 2 * x, x[::-1]])
    one_by_one = jnp.stack([jax.grad(clip_of_pairs)(x, y) for x in xs])
    mapped = jax.jit(jax.vmap(jax.grad(clip_of_pairs), in_axes=(0, None)))(xs, y)
    np.testing.assert_allclose(mapped, one_by_one, rtol=1e-5, atol=1e-6)

    def total(xs):
        step = jax.checkpoint(lambda carry, x: (carry + clip_of_pairs(x, y), None))
        return jax.lax.scan(step, jnp.zeros(()), xs)[0]

    np.testing.assert_allclose(jax.jit(jax.grad(total))(xs), one_by_one, rtol=1e-5, atol=1e-6)


def test_equal_shapes_compile_once_and_may_be_donated() -> None:
    y = jnp.float32(embeddings(N, N)[1])

    @functools.partial(jax.jit, donate_argnums=0)
    @chex.assert_max_traces(n=1)
    def descend(x):
        return x - 0.1 * jax.grad(clip_of_pairs)(x, y)

    x = jnp.float32(embeddings(N, N)[0])
    before = clip_of_pairs(x, y)
    for _ in range(3):
        x = descend(x)
    assert clip_of_pairs(x, y) < before
