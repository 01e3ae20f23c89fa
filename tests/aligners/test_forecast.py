"""Large sets: what is told before a fit begins, and what is read at all."""

import numpy as np
import pytest

from gentle_clip_jax.aligners import Problem, forecast, from_collections
from gentle_clip_jax.aligners.forecast import time_and_memory
from gentle_clip_jax.aligners.from_collections import align, problem_of
from gentle_clip_jax.features.read import read


def sides(folder, items):
    """So many items of each side, of which the first twenty are pairs by their ids' numbers."""
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(items, 4))
    for name, width in (("x", 7), ("y", 5)):
        rows = latent @ rng.normal(size=(4, width)) + 0.1 * rng.normal(size=(items, width))
        np.save(folder / f"{name}.npy", rows.astype(np.float32))
    (folder / "pairs.csv").write_text("".join(f"{n},{n}\n" for n in range(20)))
    return folder / "x.npy", folder / "y.npy", folder / "pairs.csv"


def test_what_one_plan_holds_is_not_spoken_of():
    items = np.zeros((5000, 3), np.float32)
    assert time_and_memory(Problem(items[:9], items[:9], items, items)) is None
    assert time_and_memory(Problem(items[:9], items[:9], items, None, plan_items=5000)) is None
    text = time_and_memory(Problem(items[:9], items[:9], items, items[:70], plan_items=9000))
    assert text.startswith("5,000 and 70 unmatched items make 2 plans in each of 6 rounds and ")
    assert text.endswith(" GiB on this machine.")


def test_more_items_take_more():
    few, many = (np.zeros((n, 3), np.float32) for n in (100_000, 1_000_000))
    told = [
        time_and_memory(Problem(few[:9], few[:9], items, items, plan_items=10**6)).split()
        for items in (few, many)
    ]
    minutes, gib = (
        [float(words[words.index(unit) - 1]) for words in told] for unit in ("min", "GiB")
    )
    assert minutes[1] > 3 * minutes[0]
    assert gib[1] > gib[0]


@pytest.mark.slow
def test_a_fit_to_large_sets_tells_what_it_takes(tmp_path, notices, monkeypatch):
    monkeypatch.setattr(forecast, "PLAN_ITEMS", 64)
    aligner = align(*sides(tmp_path, 120), method="gentle_transport", plan_items=100)
    assert notices().startswith("100 and 100 unmatched items make 2 plans")
    assert aligner.metadata["fitted_on"]["unmatched_x"] == 100


@pytest.mark.slow
def test_no_more_items_are_read_than_are_used(tmp_path, monkeypatch):
    x, y, pairs = sides(tmp_path, 300)
    monkeypatch.setattr(from_collections, "READ_ITEMS", 100)
    metadata = align(x, y, pairs, method="cca", plan_items=50).metadata["fitted_on"]
    assert (metadata["unmatched_x"], metadata["unmatched_y"]) == (100, 100)
    metadata = align(x, y, pairs, method="cca", plan_items=200).metadata["fitted_on"]
    assert (metadata["unmatched_x"], metadata["unmatched_y"]) == (200, 200)


def test_items_that_are_read_are_drawn_at_random(tmp_path):
    x, y, _ = sides(tmp_path, 300)
    found = np.array([["0", "0"], ["1", "1"]])
    problem, _ = problem_of(read(x), read(y), found, most=50)
    rows = np.load(x)
    places = [
        int(np.flatnonzero((rows == item).all(axis=1))[0]) for item in problem.unmatched_x[:, 0]
    ]
    assert len(set(places)) == 50
    assert max(places) > 200


def test_nothing_to_plan_is_refused():
    with pytest.raises(ValueError, match="plan_items must be 1 or more, not 0"):
        Problem(np.ones((3, 4)), np.ones((3, 2)), plan_items=0)
