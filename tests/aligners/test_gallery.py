"""Held-out pairs choose which gallery is smoothed, alike for all methods."""

import numpy as np
import pytest

from gentle_clip_jax.aligners import METHODS, Problem, align, gallery, load
from gentle_clip_jax.aligners.aligner import with_gallery_smoothing


def views(n, seed, *, noise=0.3):
    """Linear views [n, 40] and [n, 30] of points around thirty centres; x is noisy."""
    world, rng = np.random.default_rng(1), np.random.default_rng(seed)
    centres, to_x, to_y = (world.normal(size=s) for s in ((30, 8), (8, 40), (8, 30)))
    latent = centres[rng.integers(30, size=n)] + noise * rng.normal(size=(n, 8))
    x = latent @ to_x + 3 * rng.normal(size=(n, 40))
    return np.float32(x), np.float32(latent @ to_y)


def problem(n=100, unmatched=900, **keywords):
    x, y = views(n, 0, **keywords)
    unmatched_x, _ = views(unmatched, 1, **keywords)
    return Problem(x, y, unmatched_x, views(unmatched, 2, **keywords)[1])


def smoothed_galleries(given):
    return with_gallery_smoothing(METHODS["cca"].fit(given), given).metadata["smoothed_galleries"]


@pytest.mark.parametrize(("gains", "sides"), [((-0.5, 0.5), "x"), ((-2, 2), "y"), ((3, 3), "xy")])
def test_the_doubt_is_for_x_and_against_y(gains, sides, monkeypatch):
    monkeypatch.setattr(gallery, "_gains", lambda features, seed: gains)
    assert smoothed_galleries(problem()) == {side: side in sides for side in "xy"}


def test_pairs_find_each_other_better_where_noisy_rows_are_smoothed():
    """x is noisy, and y is not: what lies near in y says where a row of x belongs."""
    features = gallery.Features(*(np.float32(a) for a in _items(problem())))
    gain, _ = gallery._gains(features, 0)
    assert gain > 2


def test_a_bank_that_misleads_is_refused():
    """Unmatched y in places where no pair is: rows that move there lose their meaning."""
    given = problem(noise=3.0)
    x, y, unmatched_x, unmatched_y = _items(given)
    far = unmatched_y * 0.01 + 30 * np.random.default_rng(3).choice([-1, 1], size=(900, 1, 1))
    features = gallery.Features(x, y, unmatched_x, np.float32(far))
    assert gallery._gains(features, 0)[0] < -1


def test_gains_are_means_over_folds_with_banks_of_pairs_and_unmatched_items(monkeypatch):
    """Six pairs in five folds of two: some are held out more often than others."""
    gains, number = np.array([0.1, -0.3, 0.2, 0.5, 0.4, -0.1]), np.arange(15.0)[:, None]
    banks = []

    def ranks(maps, all_x, all_y, held):
        if isinstance(maps, gallery._Ranked):
            rows = maps.smoothed.bank_x if maps.smoothed.bank_y is None else maps.smoothed.bank_y
            banks.append(({*all_x[:held, 0].tolist()}, {*rows[:, 0].tolist()}))
            return np.ones((held, 2))
        return np.exp(np.stack([gains[all_x[:held, 0].astype(int)]] * 2, axis=1) * [-1, 1])

    class Maps:
        embed_x = embed_y = staticmethod(lambda rows: rows)

    monkeypatch.setattr(gallery, "partner_ranks", ranks)
    monkeypatch.setattr(gallery, "chosen_shrinkage", lambda *_: 0)
    monkeypatch.setattr(gallery, "shrunk_cca", lambda *_: lambda _: Maps)
    matched, unmatched = np.split(np.float32(number)[:, None], [6])
    found = gallery._gains(gallery.Features(matched, matched, unmatched, unmatched), 0)
    error = gains.std(ddof=1) / np.sqrt(6)
    assert found == pytest.approx((gains.mean() / error, -gains.mean() / error))
    for held_out, bank in banks:  # a third of the unmatched items are distractors
        assert bank == {*range(6), *range(6, 12)} - held_out


def test_few_rows_make_no_bank():
    assert smoothed_galleries(problem(n=40, unmatched=100)) == {"x": False, "y": False}
    rows = np.ones((300, 2))
    assert gallery._bank(lambda rows: rows, rows[:299]) is None
    assert len(gallery._bank(lambda rows: rows, rows)) == 300


def test_a_bank_is_held_to_its_memory(monkeypatch):
    monkeypatch.setattr(gallery, "_BYTES", 4 * 30 * 400)
    given = problem()
    maps = with_gallery_smoothing(METHODS["cca"].fit(given), given).maps
    assert len(maps.bank_y) == 400


def test_two_methods_draw_the_same_sides():
    given = problem()
    sides = [
        with_gallery_smoothing(METHODS[name].fit(given), given).metadata["smoothed_galleries"]
        for name in ("cca", "relative")
    ]
    assert sides[0] == sides[1]


def test_a_saved_aligner_draws_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "_gains", lambda features, seed: (0, 0))
    given = problem()
    aligner = align(given, "gentle_transport")
    aligner.save(tmp_path / "a")
    again = load(tmp_path / "a")
    rows = aligner.embed_x(given.x[:, 0])
    np.testing.assert_allclose(
        again.smooth_gallery_x(rows), aligner.smooth_gallery_x(rows), atol=1e-6
    )
    assert np.abs(aligner.smooth_gallery_x(rows) - rows).max() > 0.01
    np.testing.assert_array_equal(again.smooth_gallery_y(rows), rows)
    assert again.metadata["smoothed_galleries"] == {"x": True, "y": False}


def _items(given):
    return given.x, given.y, given.unmatched_x, given.unmatched_y
