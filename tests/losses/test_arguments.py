"""What a loss cannot mean is refused when it is traced, in a sentence that names the argument."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax import losses
from gentle_clip_jax.losses import official, pairwise
from gentle_clip_jax.losses.residue import residue_loss

X, Y = jax.random.normal(jax.random.key(0), (2, 12, 5))
SHORT, NARROW, EMPTY = Y[:1], Y[:, :4], Y[:0]
TWOS = jnp.full(12, 2)

clip = functools.partial(losses.clip_loss, temperature=0.1)
sigmoid = functools.partial(losses.sigmoid_loss, temperature=0.1, bias=0.0)
nt_xent = functools.partial(losses.nt_xent_loss, temperature=0.1)
gentle = functools.partial(losses.gentle_clip_loss, num_matched=4, temperature=0.1)
demo = functools.partial(official.gentle_clip_loss, num_matched=4)
mmd, sdd = losses.multi_kernel_mmd, losses.semantic_density_loss
divergence = losses.cauchy_schwarz_divergence
density = losses.kernel_density
plan = functools.partial(losses.transport_plan, epsilon=0.1)
matching = functools.partial(losses.plan_matching_loss, epsilon=0.1)
soft = functools.partial(losses.soft_labels, temperature=0.1)
pseudo = functools.partial(losses.pseudo_label_loss, temperature=0.1)
keyword = functools.partial(losses.keyword_loss, temperature=0.1)
LABELS, TRUE = jnp.ones((12, 12)), jnp.ones((12, 12), bool)

REFUSED = [
    (gentle, (X, Y), {"num_matched": 99}, "num_matched must be a whole .* from 0 to 12, not 99"),
    (gentle, (X, Y[:3]), {"num_matched": 4}, "num_matched must be a whole number from 0 to 3"),
    (gentle, (X, Y), {"num_matched": -1}, "num_matched must be a whole .* from 0 to 12, not -1"),
    (gentle, (X, Y), {"num_matched": True}, "num_matched must be a whole number .*, not True"),
    (gentle, (X, Y), {"num_matched": 4.0}, "num_matched must be a whole number .*, not 4.0"),
    (gentle, (X, Y), {"x_view": SHORT}, r"x_view must have a row for each of x: it is \(1, 5\)"),
    (gentle, (X, Y), {"y_view": NARROW}, "y has 5 features a row and y_view has 4"),
    (gentle, (X, Y), {"ssl_temperature": -0.1}, "ssl_temperature must be a finite number above 0"),
    (gentle, (X, Y), {"temperature": 0.0}, "temperature must be a finite number above 0, not 0.0"),
    (gentle, (X, Y), {"sdd_bandwidth": 0}, "sdd_bandwidth must be a finite number above 0, not 0"),
    (gentle, (X, Y), {"mmd_num_bandwidths": 0}, "mmd_num_bandwidths must be a whole number from 1"),
    (gentle, (X, Y), {"mmd_weight": np.nan}, "mmd_weight must be a finite number, not nan"),
    (gentle, (X, Y), {"block_size": -1}, "block_size must be a whole number from 0, not -1"),
    (gentle, (X, Y), {"where_x": TWOS}, r"where_x must be a mask of bool \(12,\), not of int32"),
    (gentle, (X, NARROW), {}, "x has 5 features a row and y has 4"),
    (gentle, (EMPTY, Y), {"num_matched": 0}, "x has no rows"),
    (demo, (X, Y), {"num_matched": 13}, "num_matched must be a whole number from 1 to 12, not 13"),
    (demo, (X, SHORT), {}, "num_matched must be a whole number from 1 to 1, not 4"),
    (demo, (X, Y), {"y_view": SHORT}, "y_view must have a row for each of y"),
    (demo, (X, Y), {"ssl_temperature": 0.0, "x_view": X}, "temperature must be a finite number"),
    (demo, (X, Y), {"sdd_bandwidth": -0.5}, "bandwidth must be a finite number above 0, not -0.5"),
    (official.total, (X[:7], Y[:7], 2), {}, "x must hold both views of every item, but has 7 rows"),
    (official.mmd_single, (X, EMPTY), {}, "y has no rows"),
    (clip, (X, SHORT), {}, r"y must have a row for each of x: it is \(1, 5\), x is \(12, 5\)"),
    (clip, (X, NARROW), {}, "x has 5 features a row and y has 4"),
    (clip, (EMPTY, EMPTY), {}, "x has no rows"),
    (clip, (X[0], Y[0]), {}, r"x must be an array \[rows, features\], not \(5,\)"),
    (clip, (X.tolist(), Y), {}, "x must be an array, not list"),
    (clip, (X.astype(jnp.complex64), Y), {}, "x must hold real numbers, not complex64"),
    (clip, (X, Y), {"temperature": np.inf}, "temperature must be a finite number above 0, not inf"),
    (clip, (X, Y), {"temperature": jnp.float32(0)}, "temperature must be a finite number above 0"),
    (clip, (X, Y), {"temperature": X[0]}, r"temperature must be one number, not an array \(5,\)"),
    (clip, (X, Y), {"temperature": "warm"}, "temperature must be one number, not 'warm'"),
    (clip, (X, Y), {"where": jnp.ones(11, bool)}, r"where must be a mask .* \(12,\), .*\(11,\)"),
    (clip, (X, Y), {"where": TWOS}, "where must be a mask of bool"),
    (clip, (X, Y), {"unmatched_x": NARROW}, "x has 5 features a row and unmatched_x has 4"),
    (
        clip,
        (X, Y),
        {"unmatched_y": X, "where_unmatched_y": TWOS},
        "where_unmatched_y must be a mask of bool",
    ),
    (sigmoid, (X, SHORT), {}, "y must have a row for each of x"),
    (sigmoid, (X, Y), {"bias": np.nan}, "bias must be a finite number, not nan"),
    (sigmoid, (X, Y), {"temperature": -1}, "temperature must be a finite number above 0, not -1"),
    (nt_xent, (X, SHORT), {}, "x_view must have a row for each of x"),
    (nt_xent, (X, Y), {"temperature": -1.0}, "temperature must be a finite number above 0"),
    (nt_xent, (EMPTY, EMPTY), {}, "x has no rows"),
    (mmd, (X, EMPTY), {}, "y has no rows"),
    (mmd, (X, NARROW), {}, "x has 5 features a row and y has 4"),
    (mmd, (X, Y), {"squared_bandwidths": jnp.zeros(2)}, "squared_bandwidths must be finite"),
    (mmd, (X, Y), {"squared_bandwidths": jnp.float32(1)}, "squared_bandwidths must be a list of"),
    (mmd, (X, Y), {"where_y": jnp.ones(12)}, "where_y must be a mask of bool"),
    (losses.bandwidth_ladder, (X, Y), {"num": 0}, "num must be a whole number from 1, not 0"),
    (losses.bandwidth_ladder, (X, Y), {"ratio": 0.0}, "ratio must be a finite number above 0"),
    (sdd, (X, Y), {"bandwidth": -0.5}, "bandwidth must be a finite number above 0, not -0.5"),
    (sdd, (X, Y), {"bandwidth": 0}, "bandwidth must be a finite number above 0, not 0"),
    (sdd, (X, Y), {"item_x": jnp.ones(12)}, "item_x must be 12 whole numbers, not float32"),
    (sdd, (X, Y), {"item_y": jnp.arange(3)}, r"item_y must be 12 whole numbers, not int32 \(3,\)"),
    (density, (X, EMPTY), {}, "data has no rows"),
    (density, (X, Y), {"bandwidth": np.nan}, "bandwidth must be a finite number above 0, not nan"),
    (density, (X, Y), {"where": TWOS}, "where must be a mask of bool"),
    (divergence, (X, Y), {"squared_bandwidth": -1.0}, "squared_bandwidth must be finite and"),
    (divergence, (X, EMPTY), {}, "y has no rows"),
    (plan, (X, Y), {"epsilon": 0}, "epsilon must be a finite number above 0.000119, not 0"),
    (plan, (X, Y), {"epsilon": 1e-6}, "epsilon must be a finite number above 0.000119, not 1e-06"),
    (plan, (X, Y), {"iterations": 0}, "iterations must be a whole number from 1, not 0"),
    (plan, (X, EMPTY), {}, "y has no rows"),
    (matching, (X, Y, jnp.ones((1, 12))), {}, r"target must be \(12, 12\), not \(1, 12\)"),
    (matching, (X, Y, TRUE), {}, "target must hold real numbers, not bool"),
    (losses.hard_labels, (X, EMPTY), {}, "support has no rows"),
    (losses.hard_labels, (X, NARROW), {}, "query has 5 features a row and support has 4"),
    (soft, (X, Y), {"temperature": 0}, "temperature must be a finite number above 0"),
    (losses.transport_labels, (X, Y), {"temperature": 0}, "temperature must be a finite number"),
    (pseudo, (X, Y, jnp.ones((1, 12))), {}, r"labels must be \(12, 12\), not \(1, 12\)"),
    (pseudo, (X, Y, LABELS), {"where_query": TWOS}, "where_query must be a mask of bool"),
    (keyword, (X, Y, LABELS), {}, r"candidates must be a mask of bool \(12, 12\), not of float32"),
    (keyword, (X, NARROW, TRUE), {}, "query has 5 features a row and keywords has 4"),
    (
        functools.partial(residue_loss, temperature=0.1),
        (X[None], Y[None]),
        {"where": TWOS[None]},
        r"where must be a mask of bool \(1, 12\)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "sets", "more", "words"), REFUSED)
def test_it_is_refused_with_its_name(loss, sets, more, words):
    with pytest.raises(ValueError, match=words):
        loss(*sets, **more)


@pytest.mark.parametrize(
    ("loss", "name"),
    [(gentle, "num_matched"), (gentle, "mmd_weight"), (losses.bandwidth_ladder, "num")],
)
def test_what_must_be_known_is_not_traced(loss, name):
    with pytest.raises(ValueError, match=f"{name} must be known when the loss is traced"):
        jax.jit(lambda value: loss(X, Y, **{name: value}))(1)


def test_traced_numbers_are_taken():
    def total(temperature, bandwidth):
        return gentle(X, Y, temperature=temperature, sdd_bandwidth=bandwidth)[0]

    expected = total(0.2, 0.5)
    np.testing.assert_allclose(jax.jit(total)(0.2, 0.5), expected, rtol=1e-5)
    assert jnp.isfinite(jax.grad(total)(0.2, 0.5))


def test_traced_shapes_are_refused_too():
    with pytest.raises(ValueError, match="y must have a row for each of x"):
        jax.jit(clip)(X, SHORT)


@pytest.mark.parametrize("weights", [{}, {"mmd_weight": 0.0, "sdd_weight": 0.0}])
@pytest.mark.parametrize("candidates", [False, True])
def test_no_pairs_and_nothing_but_pairs(weights, candidates):
    for num_matched in (0, 12):
        settings = {"num_matched": num_matched, "unmatched_candidates": candidates, **weights}
        value, terms = losses.gentle_clip_loss(X, Y, temperature=0.1, **settings)
        assert jnp.isfinite(value)
        assert (terms["clip"] == 0) == (num_matched == 0)


def test_the_ladder_of_one_set_alone():
    far = jnp.sum(jnp.square(X[:, None] - X[None]), axis=2).sum() / (12 * 11)
    ladder = losses.bandwidth_ladder(X, EMPTY, num=1)
    np.testing.assert_allclose(ladder[0], far, rtol=1e-3)


def test_the_demo_with_nothing_but_pairs():
    np.testing.assert_allclose(official.clip(X, Y, 12), clip(X, Y, temperature=0.05), rtol=1e-6)


def test_numbers_of_numpy_and_of_python_are_taken():
    bandwidths = [0.5, 1.0]
    expected = mmd(X, Y, squared_bandwidths=jnp.array(bandwidths))
    assert mmd(X, Y, squared_bandwidths=np.array(bandwidths)) == expected
    assert divergence(X, Y, squared_bandwidth=0.5) == divergence(
        X, Y, squared_bandwidth=jnp.float32(0.5)
    )
    assert clip(np.asarray(X), np.asarray(Y), temperature=np.float64(0.1)) == clip(X, Y)


@pytest.mark.parametrize("scale", [1e-35, 1e-30, 1e-3, 1.0, 1e3, 1e30, 1e38])
def test_rows_of_any_length_become_unit_rows(scale):
    unit = pairwise.normalize(X / jnp.max(jnp.abs(X)))
    rows = pairwise.normalize(X / jnp.max(jnp.abs(X)) * jnp.float32(scale))
    np.testing.assert_allclose(rows, unit, atol=1e-6)
    gradient = jax.grad(lambda x: jnp.sum(pairwise.normalize(x)[:, 0]))(X * jnp.float32(scale / 4))
    assert jnp.all(jnp.isfinite(gradient))


def test_a_row_that_is_not_a_number_stays_one():
    rows = pairwise.normalize(X.at[3, 2].set(jnp.nan))
    assert jnp.isnan(rows[3]).all()
    assert jnp.isfinite(rows[:3]).all()


@pytest.mark.parametrize("far", ["all rows", "one row"])
@pytest.mark.parametrize("loss", [clip, mmd, divergence, sdd])
def test_rows_up_to_1e15_give_finite_values_and_slopes(loss, far):
    x = X * 1e15 if far == "all rows" else X.at[0].multiply(1e15)
    value, slope = jax.value_and_grad(loss)(x, x[::-1] / 2)
    assert jnp.isfinite(value)
    assert jnp.isfinite(slope).all()


@pytest.mark.parametrize("loss", [clip, mmd, divergence, sdd, density])
def test_what_is_missing_or_has_no_features_is_named(loss):
    first, second = [*inspect.signature(loss).parameters][:2]
    for arguments in ((None, X), (X, None)):
        name = first if arguments[0] is None else second
        with pytest.raises(ValueError, match=f"^{name} must be an array, not NoneType"):
            loss(*arguments)
    with pytest.raises(ValueError, match=rf"{first} must be an array \[rows, features\], not"):
        loss(X[:, :0], X[:, :0])


@pytest.mark.parametrize("wrong", [jnp.nan, jnp.inf])
def test_the_density_at_a_row_that_is_not_finite_is_not_a_number(wrong):
    found = density(X.at[1, 0].set(wrong), X)
    assert jnp.isnan(found[1])
    assert jnp.isfinite(found).sum() == len(X) - 1
