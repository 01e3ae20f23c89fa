"""`align`: methods by name, and what "auto" takes of pairs alone and of unmatched items."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.aligners import METHODS, Problem, align, choose, methods, reduced
from gentle_clip_jax.aligners.aligner import with_gallery_smoothing
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.evaluation.splits import repeated_folds


def low_dimensional(pairs, *, seed, unmatched=400, test=300):
    """Views of ten and twenty dimensions of points along curves, much of each its own noise."""
    rng = np.random.default_rng(seed)
    world = np.random.default_rng(7)
    to_x, to_y = world.normal(size=(5, 10)), world.normal(size=(5, 20))

    def views(n):
        latent = rng.normal(size=(n, 5))
        return latent @ to_x + rng.normal(size=(n, 10)), latent @ to_y + rng.normal(size=(n, 20))

    return Problem(*views(pairs), views(unmatched)[0], views(unmatched)[1]), views(test)


def many_dimensional(pairs, *, seed=0, unmatched=600, test=300):
    """Views of 150 and 120 dimensions of points around 40 centres."""
    rng, world = np.random.default_rng(seed), np.random.default_rng(7)
    centres = 2 * world.normal(size=(40, 12))
    to_x, to_y = world.normal(size=(12, 150)), world.normal(size=(12, 120))

    def views(n):
        latent = centres[rng.integers(40, size=n)] + 0.5 * rng.normal(size=(n, 12))
        noise = 3 * rng.normal(size=(n, 150)), 3 * rng.normal(size=(n, 120))
        return latent @ to_x + noise[0], latent @ to_y + noise[1]

    return Problem(*views(pairs), views(unmatched)[0], views(unmatched)[1]), views(test)


def mean_log_rank(aligner, x, y):
    cosines = np.asarray(aligner.embed_x(x) @ aligner.embed_y(y).T)
    return float(np.mean(np.log(np.sum(cosines >= np.diag(cosines)[:, None], axis=1))))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", "gentle_transport"])
@pytest.mark.parametrize("pairs", [12, 200])
def test_in_few_dimensions_it_is_never_much_worse_than_pairs_alone(pairs, method):
    losses = []
    for seed in range(3):
        problem, test = low_dimensional(pairs, seed=seed)
        alone = min(mean_log_rank(align(problem, name), *test) for name in ("cca", "ridge"))
        losses.append(mean_log_rank(align(problem, method), *test) - alone)
    assert np.mean(losses) < 0.1


@pytest.mark.slow
def test_in_many_dimensions_unmatched_items_are_used_unless_pairs_object():
    problem, test = many_dimensional(6)
    aligner = align(problem)
    assert aligner.metadata["method"] == "gentle_transport"
    # 0.81 and 1.50; twelve pairs of this world are enough for CCA.
    assert mean_log_rank(aligner, *test) < mean_log_rank(align(problem, "cca"), *test) - 0.2


@pytest.mark.slow
def test_pairs_object_to_unmatched_items_of_another_kind():
    problem, _ = many_dimensional(100)
    rng = np.random.default_rng(0)
    unlike = 30 * rng.normal(size=problem.unmatched_y.shape) + 20
    strange = Problem(problem.x, problem.y, problem.unmatched_x, unlike)
    metadata = align(strange).metadata
    assert metadata["held_out"]["chosen"] in ("cca", "ridge", choose.UNPLANNED)


@pytest.mark.slow
@pytest.mark.parametrize(("pairs", "expected"), [(2, "cca"), (4, "cca")])
def test_a_few_pairs_decide_nothing(pairs, expected):
    metadata = align(low_dimensional(pairs, seed=0)[0]).metadata
    assert metadata["method"] == expected
    assert "too few" in metadata["held_out"]["decided_by"]
    assert align(many_dimensional(pairs)[0]).metadata["method"] == "gentle_transport"


def test_without_unmatched_items_pairs_alone_are_used():
    problem, _ = many_dimensional(30)
    metadata = align(Problem(problem.x, problem.y)).metadata
    assert metadata["method"] in ("cca", "ridge")
    assert metadata["held_out"]["mean_log_rank"].keys() == {"cca", "ridge"}


def of_families(pairs, *, unmatched=600, test=300):
    """Views of 100 dimensions of 150 families, whose centres in x say nothing of those in y."""
    rng, world = np.random.default_rng(0), np.random.default_rng(7)
    sides = [world.normal(size=(150, 12)) @ world.normal(size=(12, 100)) for _ in range(2)]

    def views(n):
        family = rng.integers(150, size=n)
        return [centres[family] + 0.3 * rng.normal(size=(n, 100)) for centres in sides]

    return Problem(*views(pairs), views(unmatched)[0], views(unmatched)[1]), views(test)


@pytest.mark.slow
def test_families_that_no_line_tells_apart_are_found_by_what_items_resemble():
    problem, test = of_families(200)
    aligner = align(problem)
    assert aligner.metadata["method"] in ("relative", "cca_relative", "gentle_relative")
    assert mean_log_rank(aligner, *test) < mean_log_rank(align(problem, "cca"), *test) - 0.3
    alone = align(Problem(problem.x, problem.y)).metadata
    assert alone["method"] in ("relative", "cca_relative")
    # Fewer than 60 pairs resemble nothing.
    few = Problem(problem.x[:59], problem.y[:59], problem.unmatched_x, problem.unmatched_y)
    assert "relative" not in align(few).metadata["held_out"]["mean_log_rank"]


def test_without_pairs_it_needs_classes():
    problem, _ = low_dimensional(3, seed=0)
    rng = np.random.default_rng(0)
    for n in (0, 1):
        few = Problem(problem.x[:n], problem.y[:n], problem.unmatched_x, problem.unmatched_y)
        with pytest.raises(ValueError, match=f"{n} pairs say nothing about how"):
            align(few)
        classes = rng.normal(size=(6, 10)), rng.normal(size=(6, 20))
        assert align(few, classes=classes).metadata["method"] == "named_classes"


def test_features_are_brought_to_few_components_once(monkeypatch):
    calls, reduce = [], reduced.reduced
    monkeypatch.setattr(reduced, "reduced", lambda *given: calls.append(0) or reduce(*given))
    align(many_dimensional(12)[0])
    assert len(calls) == 1


@pytest.mark.slow
def test_names_of_classes_are_used_where_they_are_known():
    problem, _ = many_dimensional(12)
    world = np.random.default_rng(7)
    centres = 2 * world.normal(size=(40, 12))
    classes = tuple(centres @ world.normal(size=(12, d)) for d in (150, 120))
    assert align(problem, classes=classes).metadata["method"] == "named_transport"


def test_a_method_that_is_not_there_is_named_with_those_that_are():
    problem, _ = low_dimensional(4, seed=0)
    with pytest.raises(ValueError, match="no method magic: choose from auto, cca, procrustes"):
        align(problem, "magic")
    with pytest.raises(ValueError, match="needs the classes"):
        align(problem, "named_transport")


@pytest.mark.slow
def test_align_is_the_method_of_the_table():
    problem, (x, _) = low_dimensional(20, seed=0)
    key = jax.random.key(3)
    for name in ("cca", "gentle_transport"):
        fitted, same = align(problem, name, key=key), METHODS[name].fit(problem)
        same = with_gallery_smoothing(same, problem)
        # Sums over pairs in another order differ by rounding.
        np.testing.assert_allclose(fitted.embed_x(x), same.embed_x(x), atol=1e-4)
        assert fitted.metadata["method"] == same.metadata["method"] == name


def test_an_item_of_several_rows_is_their_mean():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 2, 5)), rng.normal(size=(6, 3, 4))
    features = Features(*(jnp.float32(z) for z in (x, y, x[:0], y[:0])))
    found_x, found_y = methods._pairs(features)
    np.testing.assert_allclose(found_x, x.mean(1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found_y, y.mean(1), rtol=1e-5, atol=1e-6)


def test_held_out_pairs_are_in_no_fit():
    for n in (6, 13, 70, 600):
        for held, rest in repeated_folds(n, 0):
            assert not set(held) & set(rest)
            assert len(held) + len(rest) == n


def test_every_pair_is_held_out():
    for n in (3, 5, 12, 103, 500):
        splits = [*repeated_folds(n, seed=0)]
        assert len(splits) == (n if n <= 5 else 20 if n < 100 else 10 if n < 500 else 3)
        assert {*np.concatenate([held for held, _ in splits]).tolist()} == {*range(n)}
        assert len({(len(held), len(rest)) for held, rest in splits}) == 1
    counts = np.zeros(13)
    for held, _ in repeated_folds(13, 0):
        counts[held] += 1
    assert counts.min() >= 4


@pytest.mark.parametrize("pairs", [12, 400])
def test_principal_components_hold_what_there_is(pairs):
    """More features than a trial takes, of few directions: no cosine of an aligner changes."""
    problem, _ = many_dimensional(pairs)
    rng = np.random.default_rng(1)
    wide = {"x": rng.normal(size=(150, 600)), "y": rng.normal(size=(120, 300))}
    sides = {"x": (problem.x, problem.unmatched_x), "y": (problem.y, problem.unmatched_y)}
    features = Features(
        *(jnp.asarray(sides[s][part] @ wide[s], jnp.float32) for part in (0, 1) for s in "xy")
    )
    classes = (jnp.ones((3, 600), jnp.float32), features.unmatched_y[:3, 0])
    small, (classifier, names) = reduced.reduced(features, classes)
    assert max(small.x.shape[2], small.y.shape[2]) <= 256
    for rows, others in ((features.unmatched_x, small.unmatched_x), (features.y, small.y)):
        gram, same = (np.asarray(z[:50, 0]) for z in (rows, others))
        gram, same = gram - gram.mean(0), same - same.mean(0)
        np.testing.assert_allclose(same @ same.T, gram @ gram.T, rtol=1e-3, atol=1e-2 * len(gram))
    assert classifier.shape == (3, small.x.shape[2])
    np.testing.assert_allclose(names, small.unmatched_y[:3, 0], rtol=1e-3, atol=1e-2)


def test_sorted_items_are_drawn_at_random():
    """The unmatched items of a plan must not be those of one kind."""
    from gentle_clip_jax.aligners import fit

    items = np.arange(5000.0)[:, None]
    problem = Problem(items[:50], -items[:50], items, -items[:40])
    drawn = fit._shuffled(problem, jax.random.key(0))
    np.testing.assert_array_equal(drawn.x, problem.x)
    np.testing.assert_array_equal(drawn.y, problem.y)
    assert drawn.unmatched_x[:4096].max() > 4500
    np.testing.assert_array_equal(drawn.unmatched_y, problem.unmatched_y)


def test_few_items_to_plan_are_drawn_at_random_too():
    from gentle_clip_jax.aligners import fit

    items = np.arange(300.0)[:, None]
    problem = Problem(items[:50], -items[:50], items, -items, plan_items=30)
    drawn = fit._shuffled(problem, jax.random.key(0))
    assert drawn.plan_items == 30
    for planned in (drawn.unmatched_x[:30], drawn.unmatched_y[:30]):
        assert np.abs(planned).max() > 200
    whole = Problem(items[:50], -items[:50], items, -items)
    assert fit._shuffled(whole, jax.random.key(0)) is whole


@pytest.mark.parametrize("method", ["auto", "cca"])
def test_the_order_of_pairs_changes_nothing(method):
    problem, (x, y) = low_dimensional(40, seed=0, unmatched=60)
    order = np.random.default_rng(1).permutation(40)
    sorted_anew = dataclasses.replace(problem, x=problem.x[order], y=problem.y[order])
    first, second = align(problem, method), align(sorted_anew, method)
    np.testing.assert_array_equal(first.embed_x(x), second.embed_x(x))
    np.testing.assert_array_equal(first.embed_y(y), second.embed_y(y))
    assert first.metadata.get("held_out") == second.metadata.get("held_out")
