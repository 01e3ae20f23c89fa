"""Items of another kind than the fitted ones: what is measured, and who is warned."""

import numpy as np
import pytest

from gentle_clip_jax.aligners import Problem, load
from gentle_clip_jax.aligners.fitted_sample import EXPECTED, UNLIKE, FittedSample
from gentle_clip_jax.aligners.from_collections import align
from gentle_clip_jax.aligners.standardize import standardized
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.searching.embed import embed
from gentle_clip_jax.searching.opened import opened_of

ITEMS, PAIRS = 300, 12


def sides(count=ITEMS, *, kind=0, rows=1):
    """Features of x and y that share six numbers, of kinds that lie in other groups."""
    rng = np.random.default_rng(count)
    centres = np.random.default_rng(100 + kind).normal(size=(9, 6))
    latent = centres[rng.integers(9, size=count)] + 0.2 * rng.normal(size=(count, 6))
    mixing = np.random.default_rng(7)

    def features(width, number):
        means = latent @ mixing.normal(size=(6, width))
        return np.float32(3 + means[:, None] + 0.1 * rng.normal(size=(count, number, width)))

    return features(8, 1), features(7, rows)


def fitted(problem, side="y"):
    x, y, *_ = standardized(problem)
    by = x if side == "x" else y
    return FittedSample.of(problem, side, by), by


def problem(count=ITEMS, turn=lambda y: y, **of):
    x, y = sides(count, **of)
    return Problem(x[:PAIRS], turn(y[:PAIRS]), x[PAIRS:], turn(y[PAIRS:]))


@pytest.fixture(scope="module")
def aligner():
    x, y = (items[:, 0] for items in sides())
    ids = np.array([f"item {i}" for i in range(ITEMS)])
    pairs = [(id_, id_) for id_ in ids[:PAIRS]]
    return align(Collection(x, ids), Collection(y, ids), pairs, method="cca")


def test_the_share_equals_the_definition():
    sample, by = fitted(problem())
    new = sides(50, kind=1)[1][:, 0]
    items, rows = (by.rows(some).astype(float) for some in (problem().y, new))
    items = np.concatenate([items, by.rows(problem().unmatched_y)])[:, 0]
    cosine = lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b)  # noqa: E731
    nearest = lambda values: np.mean(sorted(values)[-10:])  # noqa: E731
    own = [
        nearest([cosine(a, b) for j, b in enumerate(items) if i != j]) for i, a in enumerate(items)
    ]
    low = np.quantile(own, EXPECTED)
    assert sample.low == pytest.approx(low, abs=1e-4)
    share = np.mean([nearest([cosine(a, b) for b in items]) < low for a in rows])
    assert sample.share_atypical(new, by) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("rows", [1, 3])
def test_other_kinds_are_told_from_new_items(rows):
    sample, by = fitted(problem(rows=rows))
    assert sample.share_atypical(sides(200)[1][:, 0], by) < UNLIKE / 2
    assert sample.share_atypical(sides(200, kind=1)[1][:, 0], by) > UNLIKE


def test_units_and_order_do_not_matter():
    turn = lambda y: 100 * y - 7  # noqa: E731
    new = sides(60, kind=1)[1][:, 0]
    shares = []
    for of in (problem(), problem(turn=turn)):
        sample, by = fitted(of)
        shares.append(sample.share_atypical(new if not shares else turn(new), by))
    assert shares[0] == pytest.approx(shares[1], abs=0.02)
    sample, by = fitted(problem())
    assert sample.share_atypical(new[::-1], by) == shares[0]


def test_few_items_show_nothing():
    assert fitted(problem(99))[0] is None
    sample, by = fitted(problem())
    new = sides(20, kind=1)[1][:, 0]
    assert sample.share_atypical(new[:19], by) == 0
    assert sample.share_atypical(new, by) > UNLIKE


@pytest.mark.parametrize(("side", "number"), [("x", 0), ("y", 1)])
def test_items_of_another_kind_are_warned_of(aligner, notices, side, number):
    embed(aligner, **{side: sides(200)[number][:, 0]})
    opened_of(aligner).read(sides(ITEMS)[number][:, 0], side)
    assert not notices()
    embed(aligner, **{side: sides(200, kind=1)[number][:, 0]})
    assert "of the items are unlike those that aligner was fitted to" in notices()


def test_a_saved_aligner_remembers_them(aligner, tmp_path, notices):
    aligner.save(tmp_path / "aligner")
    again = load(tmp_path / "aligner")
    for side in "xy":
        for name in FittedSample._fields:
            ours, theirs = (getattr(one.samples[side], name) for one in (aligner, again))
            np.testing.assert_array_equal(ours, theirs)
    embed(str(tmp_path / "aligner"), x=sides(200, kind=1)[0][:, 0])
    assert "run gentle-clip align with these items" in notices()
