"""Features of one space on both sides: kept as they are, or moved by pairs and unmatched items."""

import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.aligners import Problem, align, load
from gentle_clip_jax.aligners import joint as joint_module
from gentle_clip_jax.aligners.closed_form.identity_prior import ridge_to_identity
from gentle_clip_jax.aligners.closed_form.transported import transported_cca
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.aligners.settings import Transport
from gentle_clip_jax.exporting import apply
from gentle_clip_jax.exporting.arrays import numpy

D = 8


def views(n, *, seed=0, turn=0.0, shift=0.0, noise=0.5):
    """Two noisy views of the same points; that of y turned and shifted."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, D))
    change = np.eye(D) + turn * np.random.default_rng(7).normal(size=(D, D))
    noisy = (
        latent + noise * rng.normal(size=(n, D)),
        latent @ change + noise * rng.normal(size=(n, D)),
    )
    return 1 + noisy[0], 1 + shift + noisy[1]


def problem(pairs=20, unmatched=40, **settings):
    x, y = views(pairs + 2 * unmatched, **settings)
    end = pairs + unmatched
    return Problem(x[:pairs], y[:pairs], x[pairs:end], y[end:])


def cosines(aligner, x, y):
    return np.asarray(aligner.embed_x(x) @ aligner.embed_y(y).T)


def plain(x, y):
    unit = lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)  # noqa: E731
    return unit(x) @ unit(y).T


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("pairs", [0, 20])
def test_joint_keeps_the_cosines_of_the_features(pairs, scale):
    x, y = views(9, seed=1)
    given = problem(pairs)
    sets = (given.x, given.y, given.unmatched_x, given.unmatched_y)
    aligner = align(Problem(*(scale * z for z in sets)), "joint")
    np.testing.assert_allclose(cosines(aligner, scale * x, scale * y), plain(x, y), atol=1e-6)
    assert aligner.metadata["smoothed_galleries"] == {"x": False, "y": False}


def test_joint_keeps_constant_features_and_more_than_principal_components_hold():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 30, 1300)) + 0.5
    x[:, 3], y[:, 3] = 2.0, -1.0
    aligner = align(Problem(x[:4], y[:4], x[4:], y[4:]), "joint")
    np.testing.assert_allclose(cosines(aligner, x, y), plain(x, y), atol=1e-6)


@pytest.mark.parametrize("method", ["joint", "joint_adapted"])
def test_features_of_two_widths_are_refused(method):
    x, y = views(10)
    with pytest.raises(ValueError, match="x has 8 features and y 7, so that they are not in one"):
        align(Problem(x, y[:, :7]), method)


def reference(x, y, rest_x, rest_y, shrinkage):
    """Return the map of x in float64: least squares with rows for the prior."""
    x = x - np.concatenate([x, rest_x]).mean(axis=0)
    y = y - np.concatenate([y, rest_y]).mean(axis=0)
    root = np.sqrt(shrinkage * np.trace(x.T @ x) / len(x) / D) * np.eye(D)
    rows = np.concatenate([x / np.sqrt(len(x)), root])
    return np.linalg.lstsq(rows, np.concatenate([y / np.sqrt(len(x)), root]), rcond=None)[0]


def features(given):
    sets = (given.x, given.y, given.unmatched_x, given.unmatched_y)
    return Features(*(jnp.float32(items) for items in sets))


@pytest.mark.parametrize("shrinkage", [0.1, 3.0])
def test_the_regression_is_least_squares_with_the_identity_as_prior(shrinkage):
    given = problem(turn=0.3, shift=2.0)
    sets = (given.x, given.y, given.unmatched_x, given.unmatched_y)
    maps = ridge_to_identity(features(given), shrinkage=shrinkage)
    expected = reference(*(items[:, 0] for items in sets), shrinkage)
    np.testing.assert_allclose(maps.map_x, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(maps.map_y, np.eye(D))
    means = [np.concatenate([a, b])[:, 0].mean(axis=0) for a, b in (sets[::2], sets[1::2])]
    np.testing.assert_allclose(np.stack([maps.mean_x, maps.mean_y]), means, rtol=1e-4)


def test_a_strong_prior_is_the_identity():
    maps = ridge_to_identity(features(problem(turn=0.3)), shrinkage=1e9)
    np.testing.assert_allclose(maps.map_x, np.eye(D), atol=1e-6)


def test_transport_begins_at_the_regression_and_is_joined_with_it():
    given = features(problem(turn=0.3))
    maps, metadata = joint_module.fit_joint(given, "joint_adapted")
    assert metadata["settings"]["rounds"] == Transport.rounds
    start = ridge_to_identity(given, shrinkage=metadata["settings"]["shrinkage"])
    planned = transported_cca(given, start)
    rows = given.unmatched_x[:, 0], given.unmatched_y[:, 0]
    found, first, second = (
        np.asarray(one.embed_x(rows[0]) @ one.embed_y(rows[1]).T) for one in (maps, start, planned)
    )
    np.testing.assert_allclose(found, (first + second) / 2, atol=1e-5)


def test_pairs_move_a_space_that_is_turned_and_shifted():
    settings = {"turn": 0.3, "shift": 2.0, "noise": 0.2}
    (x, y), given = views(300, seed=3, **settings), problem(**settings)
    aligners = [align(given, name) for name in ("joint", "joint_adapted", "auto")]
    first = [np.mean(np.argmax(cosines(one, x, y), axis=1) == np.arange(300)) for one in aligners]
    assert first[1] > first[0] + 0.2
    assert first[2] > first[0] + 0.2
    assert aligners[1].metadata["held_out"]["chosen"] != "joint"


def test_few_pairs_leave_the_space_as_it_is_and_auto_does_not_take_it():
    given = problem(5, turn=0.4)
    adapted = align(given, "joint_adapted")
    assert adapted.metadata["held_out"]["chosen"] == "joint"
    x, y = views(9, seed=1)
    np.testing.assert_allclose(cosines(adapted, x, y), plain(x, y), atol=1e-6)
    assert align(given).metadata["method"] == "cca"


def test_a_space_that_is_not_shared_is_neither_chosen_nor_moved(monkeypatch):
    """The same number of features means nothing: one modality is turned at random."""
    given = problem(30)
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(D, D)))[0]
    apart = Problem(
        given.x, (given.y - 1) @ turn, given.unmatched_x, (given.unmatched_y - 1) @ turn
    )
    moved = []
    monkeypatch.setattr(joint_module, "_moved", lambda features: moved.append(features) or {})
    metadata = align(apart).metadata
    assert not moved  # so that other users do not wait for it
    assert not set(joint_module.NAMES) & set(metadata["held_out"]["mean_log_rank"])
    assert metadata["method"] not in joint_module.NAMES


@pytest.mark.parametrize("method", ["joint", "joint_adapted"])
def test_the_order_of_unmatched_items_and_the_unit_change_nothing(method):
    given, (x, y) = problem(turn=0.3), views(9, seed=1)
    other = Problem(4 * given.x, 4 * given.y, 4 * given.unmatched_x[::-1], 4 * given.unmatched_y)
    first, second = (align(one, method) for one in (given, other))
    np.testing.assert_allclose(cosines(first, x, y), cosines(second, 4 * x, 4 * y), atol=1e-4)


def test_a_saved_or_exported_aligner_gives_the_same_cosines(tmp_path):
    given, (x, y) = problem(turn=0.3), views(9, seed=1)
    for name in ("joint", "joint_adapted"):
        aligner = align(given, name)
        aligner.save(tmp_path / name)
        np.testing.assert_array_equal(cosines(load(tmp_path / name), x, y), cosines(aligner, x, y))
        written = numpy(aligner)["aligner.npz"]
        exported = apply.embed(written, "x", x) @ apply.embed(written, "y", y).T
        np.testing.assert_allclose(exported, cosines(aligner, x, y), atol=1e-5)


def test_collections_without_a_pair_get_an_aligner_that_says_so():
    import gentle_clip_jax as gc

    x, y = views(20)
    given = [(rows, [f"{side}{n}" for n in range(20)]) for rows, side in zip((x, y), "xy")]
    collections = [gc.Collection(rows, np.array(ids)) for rows, ids in given]
    aligner = gc.align(*collections, method="joint")
    np.testing.assert_allclose(cosines(aligner, x, y), plain(x, y), atol=1e-6)
    assert "rests on the features alone" in aligner.summary[0]
