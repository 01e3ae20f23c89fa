"""What must hold of every loss alike: reference, jit, gradients, masks, degenerate points, mesh."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jax.test_util import check_vjp

from gentle_clip_jax import losses
from gentle_clip_jax.losses import pairwise

N, M, D, MATCHED = 12, 8, 5, 4
WEIGHTS = (1.0, 0.5, 2.0, 0.15)


class Case(NamedTuple):
    """A loss of x [N, D], y [M, D] and their masks, and the same of rows without padding."""

    loss: Callable[..., jax.Array]
    reference: Callable[..., float]


def pairs(where_x: jax.Array, where_y: jax.Array) -> jax.Array:
    return where_x[:MATCHED] & where_y[:MATCHED]


def split(z: jax.Array) -> tuple[jax.Array, jax.Array]:
    return z[:MATCHED], z[MATCHED:]


def clip(x, y, where_x, where_y):
    (x, more_x), (y, more_y) = split(x), split(y)
    return losses.clip_loss(
        x,
        y,
        temperature=0.3,
        unmatched_x=more_x,
        unmatched_y=more_y,
        where=pairs(where_x, where_y),
        where_unmatched_x=where_x[MATCHED:],
        where_unmatched_y=where_y[MATCHED:],
    )


def sigmoid(x, y, where_x, where_y):
    (x, more_x), (y, more_y) = split(x), split(y)
    return losses.sigmoid_loss(
        x,
        y,
        temperature=0.3,
        bias=-1.0,
        unmatched_x=more_x,
        unmatched_y=more_y,
        where=pairs(where_x, where_y),
        where_unmatched_x=where_x[MATCHED:],
        where_unmatched_y=where_y[MATCHED:],
    )


def gentle_clip(x, y, where_x, where_y):
    clip_weight, mmd_weight, sdd_weight, ssl_weight = WEIGHTS
    return losses.gentle_clip_loss(
        x,
        y,
        num_matched=MATCHED,
        temperature=0.3,
        x_view=x[:, ::-1],
        y_view=y[:, ::-1],
        clip_weight=clip_weight,
        mmd_weight=mmd_weight,
        sdd_weight=sdd_weight,
        ssl_weight=ssl_weight,
        unmatched_candidates=True,
        where_x=where_x,
        where_y=where_y,
    )[0]


def density(x, y, where_x, where_y):
    # A query that is padding has a density, but no reader: it is not part of the sum.
    values = losses.kernel_density(jnp.where(where_y[:, None], y, 0), x, where=where_x)
    return jnp.sum(jnp.where(where_y, values, 0))


def pseudo_label(x, y, where_x, where_y, labels=None):
    """S-CLIP's caption loss of the unmatched rows of x, or that with hard or with fixed labels."""
    (support, query), partners, where = split(x), y[:MATCHED], pairs(where_x, where_y)
    if labels is None:
        labels = losses.transport_labels(
            query, support, temperature=0.3, where_query=where_x[MATCHED:], where=where
        )
    return losses.pseudo_label_loss(
        query, partners, labels, temperature=0.3, where_query=where_x[MATCHED:], where=where
    )


def hard_pseudo_label(x, y, where_x, where_y):
    support, query = split(x)
    labels = losses.hard_labels(query, support, where=pairs(where_x, where_y))
    return pseudo_label(x, y, where_x, where_y, labels)


def keyword(x, y, where_x, where_y):
    return losses.keyword_loss(
        x, y, candidates(x, y), temperature=0.3, where_query=where_x, where=where_y
    )


def candidates(x, y):
    return x @ y.T > 0.1


def plan_matching(x, y, where_x, where_y, target=None):
    options = {"epsilon": 0.5, "where_x": where_x, "where_y": where_y}
    if target is None:
        target = losses.transport_plan(x[:, ::-1], y, **options)
    return losses.plan_matching_loss(x, y, target, **options)


def matched_clip(x, y, matched):
    (x, more_x), (y, more_y) = (np.split(z, [matched]) for z in (x, y))
    return reference.clip_loss(x, y, 0.3, more_x, more_y)


def matched_sigmoid(x, y, matched):
    (x, more_x), (y, more_y) = (np.split(z, [matched]) for z in (x, y))
    return reference.sigmoid_loss(x, y, 0.3, -1.0, more_x, more_y)


def matched_gentle_clip(x, y, matched):
    views = x[:, ::-1], y[:, ::-1]
    return reference.gentle_clip_loss(x, y, matched, 0.3, *views, WEIGHTS, candidates=True)


def matched_pseudo_label(x, y, matched):
    support, query = np.split(x, [matched])
    plan = reference.transport_plan(query, support, 0.3, iterations=10)
    labels = plan / plan.sum(axis=1, keepdims=True)
    return reference.pseudo_label_loss(query, y[:matched], labels, 0.3)


def matched_hard_pseudo_label(x, y, matched):
    support, query = np.split(x, [matched])
    labels = reference.hard_labels(query, support)
    return reference.pseudo_label_loss(query, y[:matched], labels, 0.3)


def whole_plan_matching(x, y, matched):
    target = reference.transport_plan(x[:, ::-1], y, 0.5)
    return reference.plan_matching_loss(x, y, target, 0.5)


CASES = {
    "clip": Case(clip, matched_clip),
    "sigmoid": Case(sigmoid, matched_sigmoid),
    "nt_xent": Case(
        lambda x, y, where_x, where_y: losses.nt_xent_loss(
            x, x[:, ::-1], temperature=0.3, where=where_x
        ),
        lambda x, y, matched: reference.nt_xent_loss(x, x[:, ::-1], 0.3),
    ),
    "mmd": Case(
        lambda x, y, where_x, where_y, **fixed: losses.multi_kernel_mmd(
            x, y, where_x=where_x, where_y=where_y, **fixed
        ),
        lambda x, y, matched: reference.multi_kernel_mmd(x, y),
    ),
    "density": Case(density, lambda x, y, matched: float(np.sum(reference.kernel_density(y, x)))),
    "sdd": Case(
        lambda x, y, where_x, where_y: losses.semantic_density_loss(
            x, y, where_x=where_x, where_y=where_y
        ),
        lambda x, y, matched: reference.semantic_density_loss(x, y),
    ),
    "cauchy_schwarz": Case(
        lambda x, y, where_x, where_y, **fixed: losses.cauchy_schwarz_divergence(
            x, y, where_x=where_x, where_y=where_y, **fixed
        ),
        lambda x, y, matched: reference.cauchy_schwarz_divergence(x, y),
    ),
    "hard_pl": Case(hard_pseudo_label, matched_hard_pseudo_label),
    "s_clip": Case(pseudo_label, matched_pseudo_label),
    "keyword": Case(
        keyword, lambda x, y, matched: reference.keyword_loss(x, y, candidates(x, y), 0.3)
    ),
    "plan_matching": Case(plan_matching, whole_plan_matching),
    "gentle_clip": Case(gentle_clip, matched_gentle_clip),
}
# One compilation per loss and dtype serves all tests: shapes never change, masks are always given.
JITTED = {
    name: jax.jit(jax.value_and_grad(case.loss, argnums=(0, 1))) for name, case in CASES.items()
}
every_loss = pytest.mark.parametrize("name", CASES)
ALL_X, ALL_Y = np.ones(N, bool), np.ones(M, bool)
each_term = pytest.mark.parametrize("name", [name for name in CASES if name != "gentle_clip"])
# A pair is padding in both or in one of its rows, and so are unmatched rows.
SOME_X = np.array([1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1], bool)
SOME_Y = np.array([1, 1, 0, 1, 1, 1, 0, 1], bool)


def embeddings(seed: int = 0, shift: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(N, D)), shift + rng.normal(size=(M, D))
    return tuple(z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))


@every_loss
@pytest.mark.parametrize("masked", [False, True], ids=["full", "masked"])
def test_equals_the_reference(name: str, masked: bool) -> None:
    x, y = embeddings()
    where_x, where_y = (SOME_X, SOME_Y) if masked else (ALL_X, ALL_Y)
    matched = int(np.sum(where_x[:MATCHED] & where_y[:MATCHED]))
    expected = CASES[name].reference(x[where_x], y[where_y], matched)
    single, _ = JITTED[name](jnp.float32(x), jnp.float32(y), where_x, where_y)
    with jax.enable_x64(True):
        double, _ = JITTED[name](x, y, where_x, where_y)
    assert single.dtype == jnp.float32
    assert double.dtype == jnp.float64
    np.testing.assert_allclose(single, expected, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(double, expected, rtol=1e-11, atol=1e-13)


@every_loss
def test_padding_changes_neither_value_nor_gradient(name: str) -> None:
    x, y = embeddings()
    dirty_x, dirty_y = np.where(SOME_X[:, None], x, np.nan), np.where(SOME_Y[:, None], y, np.inf)
    with jax.enable_x64(True):
        value, gradients = JITTED[name](dirty_x, dirty_y, SOME_X, SOME_Y)
        padded_elsewhere, other_gradients = JITTED[name](
            np.where(SOME_X[:, None], x, 7.0), np.where(SOME_Y[:, None], y, -3.0), SOME_X, SOME_Y
        )
    assert value == padded_elsewhere
    for gradient, other, where in zip(gradients, other_gradients, (SOME_X, SOME_Y)):
        np.testing.assert_array_equal(gradient, other)
        np.testing.assert_array_equal(np.asarray(gradient)[~where], 0)


@every_loss
def test_nan_in_a_valid_row_is_not_hidden(name: str) -> None:
    x, y = embeddings()
    x[0, 0] = np.nan
    value, _ = JITTED[name](jnp.float32(x), jnp.float32(y), ALL_X, ALL_Y)
    assert jnp.isnan(value)


def constants(name: str, x: jax.Array, y: jax.Array) -> dict[str, jax.Array]:
    """What a loss takes from the data for a constant: only with others is the gradient a slope."""
    if name == "mmd":
        return {"squared_bandwidths": jnp.array([0.3, 1.0])}
    if name == "cauchy_schwarz":
        return {"squared_bandwidth": jnp.float64(0.3)}
    if name == "s_clip":
        return {"labels": jnp.full((N - MATCHED, MATCHED), 0.25)}
    if name == "plan_matching":
        valid = {"where_x": jnp.asarray(SOME_X), "where_y": jnp.asarray(SOME_Y)}
        return {"target": losses.transport_plan(x[:, ::-1], y, epsilon=0.5, **valid)}
    return {}


# The labels of a keyword follow the data and count as constants, without a way to fix them.
@pytest.mark.parametrize("name", [name for name in CASES if name not in ("gentle_clip", "keyword")])
def test_gradient_is_the_slope(name: str) -> None:
    x, y = embeddings()
    loss = JITTED[name]
    with jax.enable_x64(True):
        if fixed := constants(name, x, y):
            fixed_loss = functools.partial(CASES[name].loss, **fixed)
            loss = jax.jit(jax.value_and_grad(fixed_loss, argnums=(0, 1)))

    def pullback(x, y):
        value, gradients = loss(x, y, SOME_X, SOME_Y)
        return value, lambda slope: tuple(slope * gradient for gradient in gradients)

    with jax.enable_x64(True):
        check_vjp(lambda x, y: pullback(x, y)[0], pullback, (x, y), atol=1e-6, rtol=1e-6)


@each_term
def test_eager_equals_jit(name: str) -> None:
    x, y = (jnp.float32(z) for z in embeddings())
    eager = CASES[name].loss(x, y, jnp.asarray(SOME_X), jnp.asarray(SOME_Y))
    np.testing.assert_allclose(eager, JITTED[name](x, y, SOME_X, SOME_Y)[0], rtol=1e-5, atol=1e-6)


@every_loss
def test_order_of_the_rows_is_irrelevant(name: str) -> None:
    x, y = embeddings()
    rng = np.random.default_rng(1)
    matched = rng.permutation(MATCHED)
    order_x, order_y = (
        np.concatenate([matched, MATCHED + rng.permutation(n - MATCHED)]) for n in (N, M)
    )
    with jax.enable_x64(True):
        value, gradients = JITTED[name](x, y, SOME_X, SOME_Y)
        permuted, permuted_gradients = JITTED[name](
            x[order_x], y[order_y], SOME_X[order_x], SOME_Y[order_y]
        )
    np.testing.assert_allclose(permuted, value, rtol=1e-12)
    for gradient, other, order in zip(gradients, permuted_gradients, (order_x, order_y)):
        np.testing.assert_allclose(other, np.asarray(gradient)[order], atol=1e-12)


def degenerate() -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    x, y = embeddings()
    one_x, one_y = np.arange(N) == 0, np.arange(M) == 0
    pole_x, pole_y = np.zeros((N, D)), np.zeros((M, D))
    pole_x[:, 0], pole_y[:, 0] = 1, -1
    return {
        "identical rows": (pole_x, -pole_y, ALL_X, ALL_Y),
        "two points": (pole_x, pole_y, ALL_X, ALL_Y),
        "collapsed x": (pole_x, y, ALL_X, ALL_Y),
        "collapsed y": (x, pole_y, ALL_X, ALL_Y),
        "duplicate rows": (np.repeat(x[:3], 4, axis=0), np.repeat(x[:2], 4, axis=0), ALL_X, ALL_Y),
        "nearly collapsed": (pole_x + 1e-4 * x, -pole_y + 1e-4 * y, ALL_X, ALL_Y),
        "far apart": (pole_x + 1e-3 * x, pole_y + 1e-3 * y, ALL_X, ALL_Y),
        "zeros": (np.zeros((N, D)), np.zeros((M, D)), ALL_X, ALL_Y),
        "tiny": (1e-3 * x, 1e-3 * y, ALL_X, ALL_Y),
        "huge": (1e3 * x, 1e3 * y, ALL_X, ALL_Y),
        "one row": (x, y, one_x, one_y),
        "one row of x": (x, y, one_x, ALL_Y),
        "one row of y": (x, y, ALL_X, one_y),
        "x all padding": (x, y, ~ALL_X, ALL_Y),
        "y all padding": (x, y, ALL_X, ~ALL_Y),
        "all padding": (x, y, ~ALL_X, ~ALL_Y),
    }


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, jnp.float32) for name in CASES]
    + [("gentle_clip", jnp.bfloat16)]
    + [
        pytest.param(name, dtype, marks=pytest.mark.slow)
        for name in CASES
        for dtype in (jnp.bfloat16, jnp.float16)
        if (name, dtype) != ("gentle_clip", jnp.bfloat16)
    ],
)
def test_degenerate_points_are_finite(name: str, dtype: jnp.dtype) -> None:
    for point, (x, y, where_x, where_y) in degenerate().items():
        x, y = jnp.asarray(x, dtype), jnp.asarray(y, dtype)
        value, gradients = JITTED[name](x, y, where_x, where_y)
        assert value.dtype == jnp.float32
        assert jnp.isfinite(value), point
        for gradient in gradients:
            assert gradient.dtype == dtype
            # Float16 cannot hold the slopes of collapsed sets: they round to infinity there.
            fits = ~jnp.isnan(gradient) if dtype == jnp.float16 else jnp.isfinite(gradient)
            assert jnp.all(fits), point
        if point == "all padding":
            assert value == 0
            assert not any(jnp.any(gradient) for gradient in gradients)


@every_loss
def test_sharded_equals_unsharded(name: str) -> None:
    mesh = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,))
    # In float64, where only a wrong formula could differ by more than the last digits.
    with jax.enable_x64(True):
        arguments = tuple(jnp.asarray(z) for z in (*embeddings(), SOME_X, SOME_Y))
        value, gradients = JITTED[name](*arguments)
        rows = NamedSharding(mesh, PartitionSpec("data"))
        sharded, sharded_gradients = JITTED[name](*jax.device_put(arguments, rows))
    np.testing.assert_allclose(sharded, value, rtol=1e-12, atol=1e-14)
    for gradient, other in zip(gradients, sharded_gradients):
        np.testing.assert_allclose(other, gradient, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == "sdd" else pytest.mark.slow) for name in CASES],
)
def test_maps_over_batches(name: str) -> None:
    batches = [embeddings(seed) for seed in range(2)]
    x, y = (jnp.float32(np.stack(z)) for z in zip(*batches))
    together, _ = jax.jit(jax.vmap(JITTED[name], in_axes=(0, 0, None, None)))(x, y, SOME_X, SOME_Y)
    alone = [JITTED[name](x[i], y[i], SOME_X, SOME_Y)[0] for i in range(2)]
    np.testing.assert_allclose(together, jnp.stack(alone), rtol=1e-5, atol=1e-6)


def test_normalize_has_unit_rows_and_no_gradient_at_zero() -> None:
    x = jnp.float32(np.stack([embeddings()[0][0] * 3, np.zeros(D)]))
    value, gradient = jax.value_and_grad(lambda x: jnp.sum(pairwise.normalize(x)))(x)
    assert jnp.isfinite(value)
    np.testing.assert_allclose(jnp.linalg.norm(pairwise.normalize(x), axis=1), [1, 0], rtol=1e-6)
    assert jnp.all(jnp.isfinite(gradient))
    np.testing.assert_array_equal(gradient[1], 0)
