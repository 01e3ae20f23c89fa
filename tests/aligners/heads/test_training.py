"""Heads on frozen features: starts, choices, every objective, on two linear views of one thing."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.aligners import heads
from gentle_clip_jax.aligners.closed_form.cca import Maps
from gentle_clip_jax.aligners.heads import OBJECTIVES, Settings, fit
from gentle_clip_jax.aligners.heads.batches import batches, spread
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.evaluation import mean_reciprocal_rank
from gentle_clip_jax.losses import pairwise

SMALL = Settings(dim=8, steps=30, evaluate_every=10, matched=16, unmatched=24)
STILL = SMALL._replace(steps=200, patience=2, warm_learning_rate=0.0)


def views(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Features [n, 1, 12] and [n, 3, 9] of n items: linear images of what both share."""
    rng, world = np.random.default_rng(seed), np.random.default_rng(0)
    latent, to_x, to_y = rng.normal(size=(n, 5)), *world.normal(size=(2, 5, 12))
    x = latent @ to_x + 0.1 * rng.normal(size=(n, 12))
    y = (latent @ to_y)[:, None, :9] + 0.3 * rng.normal(size=(n, 3, 9))
    return 3 + x[:, None].astype("float32"), y.astype("float32")


@functools.cache
def features(pairs: int = 20, unmatched: int = 40) -> Features:
    x, y = views(1, pairs)
    return Features(x, y, views(2, unmatched)[0], views(3, unmatched)[1])


@functools.cache
def held_out() -> tuple[np.ndarray, np.ndarray]:
    return views(4, 30)


@functools.cache
def maps() -> Maps:
    """A poor closed form: least squares from x to y on the pairs, with much of y left out."""
    x, y = features().x[:, 0], features().y.mean(axis=1)
    kernel = np.linalg.lstsq(x - x.mean(axis=0), y - y.mean(axis=0), rcond=None)[0]
    return Maps(x.mean(axis=0), kernel[:, :4], y.mean(axis=0), np.eye(9, dtype="float32")[:, :4])


def train(objective: str, *, seed: int = 0, warm: bool = False, settings: Settings = SMALL):
    return fit(
        jax.random.key(seed),
        features(),
        OBJECTIVES[objective],
        validation=held_out(),
        warm_start=maps() if warm else None,
        settings=settings,
    )


def test_a_warm_start_is_the_map() -> None:
    trained, (x, y) = train("clip", warm=True, settings=STILL), held_out()
    np.testing.assert_allclose(trained.embed_x(x[:, 0]), maps().embed_x(x[:, 0]), atol=2e-6)
    np.testing.assert_allclose(trained.embed_y(y[:, 0]), maps().embed_y(y[:, 0]), atol=2e-6)
    assert len(set(trained.history["validation"])) == 1


@pytest.mark.parametrize("warm", [pytest.param(False, marks=pytest.mark.slow), True])
def test_the_result_is_never_worse_than_its_start(warm: bool) -> None:
    wild = SMALL._replace(learning_rate=10.0, warm_learning_rate=10.0, wrong_answers=0)
    trained = train("clip", warm=warm, settings=wild)
    scores = trained.history["validation"]
    assert scores[1:].max() < scores[0] or not warm
    x, y = (
        jax.vmap(embed)(items)
        for embed, items in zip((trained.embed_x, trained.embed_y), map(jnp.asarray, held_out()))
    )
    kept = mean_reciprocal_rank(x, y)
    assert float(kept) == pytest.approx(scores.max(), abs=1e-6)


def test_training_finds_what_the_views_have_in_common() -> None:
    settings = SMALL._replace(steps=150, patience=30, learning_rate=1e-2, wrong_answers=0)
    scores = train("clip", settings=settings).history["validation"]
    assert scores[0] < 0.2
    assert scores.max() > 0.4


def test_equal_keys_give_equal_heads_and_others_do_not() -> None:
    x = held_out()[0][:, 0]
    first, again, other = (train("clip", seed=seed).embed_x(x) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


SLOW = ("clip", "siglip", "gentle_clip_official", "hard_pl", "soft_pl")


@pytest.mark.parametrize(
    "objective",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in OBJECTIVES],
)
def test_every_objective_lowers_itself(objective: str) -> None:
    everything = SMALL._replace(
        matched=20, unmatched=40, steps=60, patience=60, warm_learning_rate=1e-3
    )
    losses = train(objective, warm=True, settings=everything).history["loss"]
    assert np.isnan(losses[0])
    assert np.isfinite(losses[1:]).all()
    assert losses[-1] < losses[1]


def test_it_stops_when_the_validation_pairs_see_no_progress() -> None:
    history = train("clip", warm=True, settings=STILL).history
    np.testing.assert_array_equal(history["step"], [0, 10, 20])


def test_equal_shapes_compile_once() -> None:
    train("clip")
    before = heads.training._train._cache_size()
    train("clip", seed=5)
    assert heads.training._train._cache_size() == before


@pytest.mark.slow
def test_one_modality_alone_may_have_unmatched_items() -> None:
    x, y, _, unmatched_y = features()
    data, objective = Features(x, y, x[:0], unmatched_y), OBJECTIVES["s_clip"]
    trained = fit(jax.random.key(0), data, objective, validation=held_out(), settings=SMALL)
    assert np.isfinite(trained.history["loss"][1:]).all()


@pytest.mark.parametrize("objective", ["s_clip", "soft_pl", "cauchy_schwarz", "gentle_clip"])
def test_without_unmatched_items_only_pairs_count(objective: str) -> None:
    x, y = (pairwise.normalize(jax.random.normal(jax.random.key(k), (6, 4))) for k in (0, 1))
    pairs = heads.Embedded(x, y, x[:0], y[:0], x, y, None, None)
    (value, _), gradients = jax.jit(jax.value_and_grad(OBJECTIVES[objective], has_aux=True))(pairs)
    if objective in ("s_clip", "soft_pl"):
        assert value == OBJECTIVES["clip"](pairs)[0]
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves((value, gradients)))


def test_a_batch_holds_distinct_items_and_one_of_their_rows() -> None:
    items = np.arange(7)[:, None, None] + np.array([0, 0.25])[None, :, None]
    data = Features(*(jnp.float32(items),) * 4)
    draw = batches(jax.random.key(0), data, matched=5, unmatched=9)
    seen = []
    for number in range(7):
        batch = draw(jax.random.key(number), jnp.int32(number))
        assert [len(rows) for rows in batch] == [5, 5, 7, 7]
        np.testing.assert_array_equal(jnp.floor(batch.x), jnp.floor(batch.y))
        for rows in batch:
            assert len(set(np.floor(rows[:, 0]).tolist())) == len(rows)
        seen += np.floor(batch.x[:, 0]).tolist()
    assert sorted(seen) == sorted([*range(7)] * 5)
    assert set(np.asarray(batch.x % 1).ravel().tolist()) == {0.0, 0.25}


def test_evaluations_add_wrong_answers_from_all_over() -> None:
    items = jnp.arange(50.0)[:, None, None]
    np.testing.assert_array_equal(spread(items, 5)[:, 0], [0, 10, 20, 30, 40])
    assert len(spread(items, 49)) == 25
    assert len(spread(items, 100)) == 50
    assert len(spread(items, 0)) == 0
    assert len(spread(items[:0], 5)) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": features().x[:1], "y": features().y[:1]}, "2 pairs or more"),
        ({"x": features().x[:5]}, "5 items of x and 20 of y"),
        ({"unmatched_x": features().x[:, :, :7]}, r"\[12, 7, 12\] features in x"),
        ({"x": features().x[:, 0]}, r"x must be \[items, rows, features\]"),
        ({"unmatched_y": features().unmatched_y * np.nan}, "unmatched_y holds features"),
        ({"unmatched_x": features().x[:0]}, "unmatched items of both modalities"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(change: dict, message: str) -> None:
    data = features()._replace(**change)
    with pytest.raises(ValueError, match=message):
        fit(
            jax.random.key(0),
            data,
            OBJECTIVES["plan_matching"],
            validation=held_out(),
            warm_start=maps(),
            settings=SMALL,
        )


def test_plan_matching_needs_a_start_to_learn_from() -> None:
    with pytest.raises(ValueError, match="warm_start"):
        train("plan_matching")
