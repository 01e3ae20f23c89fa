import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from gentle_clip_jax.aligners import choose
from gentle_clip_jax.aligners.closed_form import gentle, plan, transported
from gentle_clip_jax.aligners.closed_form.cca import cca
from gentle_clip_jax.aligners.closed_form.gentle import fit_prepared, plan_shrinkage, prepare
from gentle_clip_jax.aligners.closed_form.neighbours import smooth
from gentle_clip_jax.aligners.closed_form.plan import transported_covariance
from gentle_clip_jax.aligners.closed_form.shrinkage import chosen_shrinkage, shrunk_cca
from gentle_clip_jax.aligners.closed_form.transported import _batches, _moments, transported_cca
from gentle_clip_jax.aligners.problem import Features


def clusters(n, *, seed, noise=0.1):
    """Two linear views [n, 12] and [n, 9] of points around 12 centres."""
    world = np.random.default_rng(0)
    centres, to_x, to_y = (world.normal(size=s) for s in ((12, 6), (6, 12), (6, 9)))
    rng = np.random.default_rng(seed)
    latent = centres[rng.integers(12, size=n)] + 0.3 * rng.normal(size=(n, 6))
    views = (latent @ to + noise * rng.normal(size=(n, to.shape[1])) for to in (to_x, to_y))
    return tuple(jnp.float32(view) for view in views)


def features(pairs, unmatched):
    x, y = clusters(pairs, seed=1)
    unmatched_x, unmatched_y = clusters(unmatched, seed=2)[0], clusters(unmatched, seed=3)[1]
    return Features(*(z[:, None] for z in (x, y, unmatched_x, unmatched_y)))


def found(aligned, n=200):
    """Share of new items whose nearest partner is their own."""
    x, y = clusters(n, seed=4)
    cosines = aligned.embed_x(x) @ aligned.embed_y(y).T
    return float(jnp.mean(jnp.argmax(cosines, axis=1) == jnp.arange(n)))


def start(x, y):
    return cca(x, y, shrinkage=1.0)


@pytest.fixture
def many_dimensions(monkeypatch):
    """Features of few dimensions count as those of many."""
    monkeypatch.setattr(gentle, "FEW_DIMENSIONS", 0)


def test_unmatched_items_help_where_pairs_are_few():
    few = features(8, 600)
    pairs_alone = start(few.x[:, 0], few.y[:, 0])
    by_plan = transported_cca(few, pairs_alone, shrinkage=0.1)
    assert found(by_plan) > found(pairs_alone) + 0.1


def test_a_plan_of_true_partners_gives_the_covariance_of_all_pairs():
    x, y = (z[:64] for z in clusters(64, seed=5))
    rows = jnp.eye(64)  # a plan at a low epsilon is the identity
    covariance = transported_covariance(rows, rows, x, y, epsilon=0.02, iterations=20)
    np.testing.assert_allclose(covariance, x.T @ y / 64, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("held", [True, False], ids=["held", "in blocks"])
@pytest.mark.parametrize("epsilon", [0.1, 0.02, 0.004])
def test_held_whole_or_in_blocks_a_plan_is_that_of_float64(held, epsilon, monkeypatch):
    if not held:
        monkeypatch.setattr(plan, "_HELD", 0)
    x, y = (z[:n] for z, n in zip(clusters(1100, seed=6), (1100, 900)))
    key_x, key_y = jax.random.split(jax.random.key(0))
    rows_x, rows_y = (
        z / jnp.linalg.norm(z, axis=1, keepdims=True)
        for z in (jax.random.normal(key_x, (1100, 4)), jax.random.normal(key_y, (900, 4)))
    )
    whole = transported_covariance(rows_x, rows_y, x, y, epsilon=epsilon, iterations=30)
    exponents = np.float64(rows_x @ rows_y.T) / epsilon
    log_b = np.zeros(900)
    for _ in range(30):
        log_a = -logsumexp(exponents + log_b, axis=1)
        log_b = -logsumexp(exponents + log_a[:, None], axis=0)
    log_a = -logsumexp(exponents + log_b, axis=1)
    shares = np.exp(exponents + log_a[:, None] + log_b) / 1100
    np.testing.assert_allclose(
        whole, np.asarray(x).T @ shares @ np.asarray(y), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize(("counts", "plans"), [((900, 70), 3), ((40, 650), 3)])
def test_plans_between_batches_take_every_item(counts, plans):
    assert _batches(*counts, 900, seed=0) is None
    first, again = (_batches(*counts, 300, seed=seed) for seed in (0, 1))
    for rows, count in zip(first, counts):
        assert rows.shape == (plans, min(count, 300))
        assert set(np.ravel(rows).tolist()) == set(range(count))
    assert (first[0] != again[0]).any()


def test_many_small_plans_stand_in_for_a_large_one():
    few = features(8, 600)
    pairs_alone = start(few.x[:, 0], few.y[:, 0])
    one, several = (
        transported_cca(few, pairs_alone, shrinkage=0.1, batch=n, last_batch=n) for n in (600, 150)
    )
    assert found(several) > found(pairs_alone) + 0.1
    x, y = clusters(50, seed=4)
    for rows, others in (
        (one.embed_x(x), several.embed_x(x)),
        (one.embed_y(y), several.embed_y(y)),
    ):
        assert jnp.mean(jnp.abs(rows @ rows.T - others @ others.T)) < 0.1


def test_the_last_rounds_of_large_sets_make_one_plan_of_all(monkeypatch):
    few, made = features(8, 300), []
    batches, refit = transported._batches, transported._refit

    def counted(*args, seed):
        drawn = batches(*args, seed=seed)
        made.append([1 if drawn is None else len(drawn[0])])
        return drawn

    def iterated(*args, **settings):
        made[-1].append(settings["iterations"])
        return refit(*args, **settings)

    monkeypatch.setattr(transported, "_batches", counted)
    monkeypatch.setattr(transported, "_refit", iterated)
    maps = start(few.x[:, 0], few.y[:, 0])
    transported_cca(few, maps, shrinkage=0.1, batch=150, rounds=4)
    assert made == [[2, 10], [2, 10], [1, 2], [1, 2]]


def test_without_unmatched_items_the_start_is_returned():
    few = features(8, 0)
    maps = start(few.x[:, 0], few.y[:, 0])
    assert transported_cca(few, maps) is maps
    fitted, metadata = choose.gentle_transport(few)
    assert np.isfinite(found(fitted))
    assert metadata["held_out"]["chosen"] == "cca"


@pytest.mark.slow
@pytest.mark.usefixtures("many_dimensions")
def test_gentle_transport_smooths_less_the_more_pairs_there_are():
    few, many = (fit_prepared(prepare(features(n, 60)), None, transport=True) for n in (8, 500))
    assert 0 < many.weight < few.weight < 1
    x, y = clusters(20, seed=7)
    for rows in (few.embed_x(x), few.embed_y(y), many.embed_x(x)):
        np.testing.assert_allclose(jnp.linalg.norm(rows, axis=1), 1, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("many_dimensions")
@pytest.mark.parametrize("pairs", [30, 100])
def test_held_out_pairs_turn_down_a_plan_between_sets_of_different_things(pairs):
    alike, (x, y) = features(pairs, 300), clusters(pairs, seed=1)
    unmatched_y = jnp.float32(np.random.default_rng(5).normal(size=(300, 9)) * np.std(y) + 3)
    unlike = alike._replace(unmatched_y=unmatched_y[:, None])
    maps, metadata = choose.gentle_transport(unlike)
    chosen = metadata["held_out"]["chosen"]
    assert chosen in ("cca", choose.UNPLANNED)
    if chosen == "cca":
        fit = shrunk_cca
        alone = fit(x, y)(chosen_shrinkage(fit, x, y))
    else:
        alone = fit_prepared(prepare(unlike), None, transport=False)
    np.testing.assert_array_equal(maps.embed_x(x), alone.embed_x(x))
    np.testing.assert_array_equal(maps.embed_y(y), alone.embed_y(y))


@pytest.mark.slow
def test_a_plan_is_shrunk_no_more_than_pairs_alone_ask_for(monkeypatch):
    for pairs, chosen, expected in (
        (20, 3.0, 3.0),
        (20, 30.0, 10.0),
        (250, 30.0, 1.75),
        (250, 0.3, 0.3),
    ):
        prepared = prepare(features(pairs, 60))._replace(shrinkage=chosen)
        assert plan_shrinkage(prepared) == expected
    monkeypatch.setattr(gentle, "FEW_DIMENSIONS", 0)
    assert plan_shrinkage(prepared) == 1.75


def test_scatter_of_rows_is_as_if_each_were_an_item():
    pairs, unmatched = (np.random.default_rng(i).normal(size=(50, 3, 4)) for i in (0, 1))
    *_, mean, white = _moments(jnp.float32(pairs), jnp.float32(unmatched), 0.5, 0.1, 1.0)
    rows = [items.reshape(-1, 4) - items.mean((0, 1)) for items in (pairs, unmatched)]
    expected = sum(0.5 * z.T @ z / len(z) for z in rows)
    shrunk = expected + 0.1 * np.trace(expected) / 4 * np.eye(4)
    np.testing.assert_allclose(np.linalg.inv(white @ white.T), shrunk, atol=1e-5)
    np.testing.assert_allclose(mean, (pairs.mean((0, 1)) + unmatched.mean((0, 1))) / 2, atol=1e-6)


def test_what_unmatched_items_are_said_to_be_counts():
    few, partners = features(8, 300), clusters(300, seed=2)[1]
    begin = start(few.x[:, 0], few.y[:, 0])
    alone, guessed = (
        transported_cca(few, begin, rounds=1, pseudo_y=said) for said in (None, partners)
    )
    assert found(guessed) > found(alone)


@pytest.mark.slow
def test_names_of_classes_make_up_for_pairs_that_mislead():
    world = np.random.default_rng(0)
    centres, to_x, to_y = (world.normal(size=s) for s in ((12, 6), (6, 12), (6, 9)))
    classes = tuple(jnp.float32(centres @ to) for to in (to_x, to_y))
    few = features(4, 400)
    few = few._replace(y=jnp.roll(few.y, 1, axis=0))
    prepared = prepare(few)
    plain, named = (fit_prepared(prepared, c, transport=True) for c in (None, classes))
    assert found(named) > found(plain) + 0.05


@pytest.mark.slow
@pytest.mark.usefixtures("many_dimensions")
def test_held_out_pairs_turn_down_wrong_names_of_classes():
    many, (x, _) = features(80, 300), clusters(100, seed=1)
    rng = np.random.default_rng(0)
    wrong = tuple(jnp.float32(rng.normal(size=(5, d))) for d in (12, 9))
    (plain, _), (named, metadata) = (choose.gentle_transport(many, c) for c in (None, wrong))
    assert metadata["held_out"]["chosen"] not in (choose.NAMED, choose.NAMES_JOINED)
    np.testing.assert_array_equal(plain.embed_x(x), named.embed_x(x))


@pytest.mark.parametrize("n", [5, 600])
def test_smoothing_is_the_mean_of_the_nearest(n):
    rng = np.random.default_rng(0)
    rows, bank = rng.normal(size=(n, 3)), rng.normal(size=(40, 3))
    unit = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in (rows, bank)]
    nearest = np.argsort(-unit[0] @ unit[1].T, axis=1)[:, :4]
    expected = 0.25 * rows + 0.75 * bank[nearest].mean(1)
    smoothed = smooth(jnp.float32(rows), jnp.float32(bank), weight=0.75, count=4)
    np.testing.assert_allclose(smoothed, expected, rtol=1e-5, atol=1e-6)


def test_a_bank_smaller_than_the_neighbours_is_used_whole():
    bank = jnp.float32([[1.0, 0.0], [0.0, 1.0]])
    smoothed = smooth(bank, bank, weight=1.0)
    np.testing.assert_allclose(smoothed, 0.5)
