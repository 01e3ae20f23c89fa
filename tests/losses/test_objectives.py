"""Each objective is CLIP of the pairs and what its method adds, of the rows that it is said of."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax import losses
from gentle_clip_jax.losses import pairwise
from gentle_clip_jax.losses.objectives import OBJECTIVES, Embedded, weighed
from gentle_clip_jax.tasks.config import load_config

WEIGHTS = {"clip_weight": 2.0, "mmd_weight": 0.5, "sdd_weight": 3.0, "ssl_weight": 0.2}
KNOBS = {"ssl_temperature": 0.1, "sdd_bandwidth": 0.5}


@functools.cache
def rows() -> Embedded:
    sizes = (5, 5, 6, 4, 11, 9, 6, 4)
    keys = jax.random.split(jax.random.key(0), len(sizes))
    return Embedded(
        *(pairwise.normalize(jax.random.normal(key, (n, 3))) for key, n in zip(keys, sizes))
    )


def clip() -> jax.Array:
    return losses.clip_loss(rows().x, rows().y, temperature=0.3)


def agree(name: str, expected: jax.Array, **more) -> None:
    total, terms = OBJECTIVES[name](rows(), temperature=0.3, **more)
    np.testing.assert_allclose(total, expected, rtol=1e-5)
    if "clip" in terms:
        np.testing.assert_allclose(terms["clip"], clip(), rtol=1e-5)


def test_clip_and_siglip_see_pairs_alone() -> None:
    agree("clip", clip())
    bias = -float(np.log(4))  # of five rows one is the partner
    e = rows()
    agree("siglip", losses.sigmoid_loss(e.x, e.y, temperature=0.3, bias=bias))


@pytest.mark.parametrize("name", ["hard_pl", "soft_pl", "s_clip"])
def test_unmatched_rows_of_either_modality_borrow_partners_in_the_other(name: str) -> None:
    labels = {
        "hard_pl": losses.hard_labels,
        "soft_pl": functools.partial(losses.soft_labels, temperature=0.3),
        "s_clip": functools.partial(losses.transport_labels, temperature=0.3),
    }[name]
    e, expected = rows(), clip()
    for query, support, partners in ((e.unmatched_x, e.x, e.y), (e.unmatched_y, e.y, e.x)):
        given = labels(query, support)
        expected += losses.pseudo_label_loss(query, partners, given, temperature=0.3)
    agree(name, expected)


def test_the_plan_to_match_is_that_of_the_start() -> None:
    e = rows()
    target = losses.transport_plan(e.teacher_x, e.teacher_y, epsilon=0.02, iterations=50)
    added = losses.plan_matching_loss(
        e.unmatched_x, e.unmatched_y, target, epsilon=0.05, iterations=50
    )
    agree("plan_matching", clip() + 0.7 * added, weight=0.7)


def test_a_plan_to_match_needs_a_start_and_unmatched_rows_of_both_modalities() -> None:
    e = rows()
    with pytest.raises(ValueError, match="rows of initial maps: give teacher_x and teacher_y"):
        OBJECTIVES["plan_matching"](e._replace(teacher_x=None))
    with pytest.raises(ValueError, match="unmatched items of both modalities"):
        OBJECTIVES["plan_matching"](e._replace(unmatched_y=e.unmatched_y[:0]))


@pytest.mark.parametrize("name", ["s_clip", "soft_pl", "cauchy_schwarz", "gentle_clip"])
def test_without_unmatched_items_only_pairs_count(name: str) -> None:
    x, y = rows().x, rows().y
    pairs = Embedded(x, y, x[:0], y[:0], x, y)
    (value, _), gradients = jax.jit(jax.value_and_grad(OBJECTIVES[name], has_aux=True))(pairs)
    if name in ("s_clip", "soft_pl"):
        assert value == OBJECTIVES["clip"](pairs)[0]
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves((value, gradients)))


def test_the_divergence_is_of_all_rows() -> None:
    e = rows()
    every = (jnp.concatenate([e.x, e.unmatched_x]), jnp.concatenate([e.y, e.unmatched_y]))
    agree("cauchy_schwarz", clip() + 0.7 * losses.cauchy_schwarz_divergence(*every), weight=0.7)


def test_gentle_clip_is_that_of_the_losses_with_the_weights_of_a_config() -> None:
    e = rows()
    more = {"x_view": e.view_x, "y_view": e.view_y, "num_matched": 5, "temperature": 0.3}
    expected, _ = losses.gentle_clip_loss(e.every_x, e.every_y, **more, **WEIGHTS, **KNOBS)
    total, terms = weighed("gentle_clip", WEIGHTS | KNOBS | {"other": 1})(e, temperature=0.3)
    np.testing.assert_allclose(total, expected, rtol=1e-5)
    assert terms.keys() == {"clip", "mmd", "sdd", "ssl"}


def test_pairs_that_are_compared_by_more_are_contrasted_once() -> None:
    """As proteins are, whose pairs are compared residue by residue."""
    e = rows()
    more = e._replace(pair_x=e.x[:, ::-1], pair_y=e.y)
    objective = weighed("gentle_clip", WEIGHTS | KNOBS)
    (plain, parts), (total, terms) = (objective(one, temperature=0.3) for one in (e, more))
    by_more = losses.clip_loss(e.x[:, ::-1], e.y, temperature=0.3)
    np.testing.assert_allclose(terms["clip"], by_more, rtol=1e-5)
    np.testing.assert_allclose(total, plain + 2 * (by_more - parts["clip"]), rtol=1e-4)


def test_labels_are_constants() -> None:
    e = rows()
    for labels in (losses.hard_labels, functools.partial(losses.soft_labels, temperature=0.3)):
        slope = jax.grad(lambda z, labels=labels: jnp.sum(labels(z, e.x) ** 2))(e.unmatched_x)
        np.testing.assert_array_equal(slope, 0)


def test_the_default_config_has_the_weights_that_figures_are_of() -> None:
    """Every figure of icons and proteins in docs/ was measured with these; see docs/method.md."""
    loss = load_config("icons").loss
    weights = {name: loss[f"{name}_weight"] for name in ("clip", "mmd", "sdd", "ssl")}
    assert weights == {"clip": 1.0, "mmd": 0.1, "sdd": 1.0, "ssl": 1.0}
    assert (loss.ssl_temperature, loss.sdd_bandwidth, loss.temperature) == (0.1, 0.5, 0.07)
    assert loss.learn_temperature
