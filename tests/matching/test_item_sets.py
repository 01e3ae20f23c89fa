"""Sets of candidates of matches hold the partner, or "no partner", as often as asked for."""

import csv

import numpy as np
import pytest
from match_data import pairs, sets

import gentle_clip_jax as gc
from gentle_clip_jax.aligners import METHODS, Problem
from gentle_clip_jax.commands import main
from gentle_clip_jax.matching import match_arrays, write
from gentle_clip_jax.matching.item_sets import sets_summary, why_none

K, N = 100, 400


def matched(made, coverage=0.9, share=None, partners=N, k=K, method="cca"):
    """Matches where only the first `partners` items of x have a partner."""
    x, y = made.x, made.y[:partners]
    fitted = METHODS[method].fit(Problem(x[:k], y[:k], x[k:], y[k:]))
    return match_arrays(fitted, x, y, pairs=pairs(k), share=share, coverage=coverage)


def holds(found):
    """Which sets hold the partner of x[i], y[i]; sets of more than 48 are not told."""
    assert found.sets.is_short.all()
    return (found.sets.best == found.x[:, None]).any(axis=1)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_sets_hold_the_partner_as_often_as_asked_for(coverage):
    held = []
    for seed in range(12):
        found = matched(sets(N, noise=0.5, seed=seed), coverage, share=1)
        held.append(holds(found).mean())
        assert not found.sets.none.any()
    assert np.mean(held) == pytest.approx(coverage, abs=0.03)


def test_items_without_a_partner_have_no_partner_in_their_set():
    held, none = [], []
    for seed in range(12):
        found = matched(sets(N, noise=0.5, seed=seed), partners=250)
        has_partner = found.x < 250
        held.append(holds(found)[has_partner].mean())
        none.append(found.sets.none[~has_partner].mean())
    assert np.mean(held) == pytest.approx(0.9, abs=0.03)
    assert np.mean(none) == pytest.approx(0.9, abs=0.03)


def test_items_with_a_sure_partner_have_no_partner_in_their_set_seldom():
    found = matched(sets(N, noise=0.05, hidden=10), partners=250)
    has_partner = found.x < 250
    assert found.sets.none[has_partner].mean() < 0.4 < 0.8 < found.sets.none[~has_partner].mean()


def test_a_set_is_the_likeliest_candidates_by_both_directions():
    made = sets(N, noise=0.5)
    found = matched(made, share=1)
    fitted = METHODS["cca"].fit(Problem(made.x[:K], made.y[:K], made.x[K:], made.y[K:]))
    cosines = np.asarray(fitted.embed_x(made.x[K:]) @ fitted.embed_y(made.y[K:]).T, float)
    calibration = found.calibration
    to_y, to_x = np.exp(cosines / calibration.to_y), np.exp(cosines / calibration.to_x)
    scores = (to_y / to_y.sum(axis=1, keepdims=True)) * (to_x / to_x.sum(axis=0))
    for row, size, best in zip(scores, found.sets.size, found.sets.best):
        assert [*best[:size]] == [*(K + np.argsort(-row)[:size])]
        assert (best[size:] == -1).all()


def test_a_higher_coverage_only_adds_candidates():
    made = sets(N, noise=0.5)
    small, large = (matched(made, coverage).sets for coverage in (0.7, 0.9))
    assert (small.size <= large.size).all()
    assert small.size.sum() < large.size.sum()
    assert (large.none | ~small.none).all()


def test_sets_larger_than_48_are_counted_and_not_written(tmp_path):
    found = matched(sets(N, noise=1.4), share=0.5)
    is_large = ~found.sets.is_short
    assert is_large.any()
    assert (found.sets.best[is_large] >= 0).all()
    ids = [[f"{side}{i}" for i in range(N)] for side in "xy"]
    write(found, tmp_path / "matches", *ids)
    tables = {}
    for name in ("matches", "sets"):
        with (tmp_path / "matches" / f"{name}.csv").open(newline="") as file:
            tables[name] = list(csv.DictReader(file))
    sizes = {row["x"]: int(row["set_size"]) for row in tables["matches"]}
    assert [*sizes.values()] == [*found.sets.size]
    members = {x: [row["y"] for row in tables["sets"] if row["x"] == x] for x in sizes}
    for i, (x, size) in enumerate(sizes.items()):
        none = [""] * bool(found.sets.none[i])
        some = [ids[1][item] for item in found.sets.best[i] if item >= 0]
        assert members[x] == ([*some, *none] if size <= 48 else [])
    given = [float(row["probability"]) for row in tables["sets"] if not row["y"]]
    assert given
    assert all(0 < one < 1 for one in given)


def test_why_there_are_no_sets():
    few = matched(sets(N, noise=0.5), k=40)
    assert few.sets is None
    assert sets_summary(few.sets, few.calibration, 0.9) == (
        "No prediction sets: there are 40 pairs, and a coverage of 0.9 needs 60."
    )
    calibration = matched(sets(N, noise=0.5), coverage=None).calibration
    assert why_none(calibration, 0.9) == ""
    assert why_none(calibration, 0.999) == "there are 100 pairs, and a coverage of 0.999 needs 999"
    biased = calibration._replace(pair_bias=9.0)
    assert "the pairs differ from the items to match" in why_none(biased, 0.9)
    assert matched(sets(N, noise=0.5), coverage=None).sets is None


@pytest.mark.parametrize("coverage", [0, 1, -0.5, float("nan")])
def test_a_coverage_out_of_bounds_is_an_error_before_anything_is_read(coverage):
    with pytest.raises(ValueError, match="coverage must be above 0 and below 1"):
        gc.match("no aligner", "x", "y", coverage=coverage)


@pytest.mark.slow
def test_the_command_writes_the_sets(capsys, tmp_path):
    made = sets(N, noise=0.5)
    for name, rows in zip("xy", made):
        ids = np.array([f"{name}{i}" for i in range(N)])
        np.savez(tmp_path / f"{name}.npz", features=rows, ids=ids)
    table = tmp_path / "pairs.csv"
    table.write_text("x,y\n" + "".join(f"x{i},y{i}\n" for i in range(K)))
    both = [f"--x={tmp_path / 'x.npz'}", f"--y={tmp_path / 'y.npz'}"]
    aligner, out = tmp_path / "aligner", tmp_path / "matches"
    assert main.main(["align", *both, f"--pairs={table}", "--method=cca", f"--out={aligner}"]) == 0
    line = ["match", f"--aligner={aligner}", *both, f"--out={out}"]
    assert main.main([*line, "--coverage=1"]) == 2
    assert "coverage must be above 0 and below 1" in capsys.readouterr().err
    assert main.main([*line, "--coverage=0.8", "--share=1"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "The sets hold the partner with a probability of 80 %: they have" in said
    assert f"{out}/sets.csv" in said
    assert main.main(line) == 0
    assert not (out / "sets.csv").exists()
