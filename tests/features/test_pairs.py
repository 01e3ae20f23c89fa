"""Photographs of one object and texts of one photograph are one item, in every split."""

import numpy as np
import pytest

from gentle_clip_jax.aligners.from_collections import align, problem_of
from gentle_clip_jax.commands import main
from gentle_clip_jax.data.pairs import RowNumbers
from gentle_clip_jax.diagnosing import diagnose
from gentle_clip_jax.features.pairs import read_matched
from gentle_clip_jax.features.read import read

RNG = np.random.default_rng(0)
ITEMS, SHOTS = 24, 2


@pytest.fixture
def sides(tmp_path):
    """Two photographs [48, 6] and one text [36, 5] of each item, 12 texts more; ids of their own.

    named/: the same rows, where those of an item have its id.
    """
    common = RNG.normal(size=(ITEMS, 3))
    x = np.repeat(common, SHOTS, axis=0) @ RNG.normal(size=(3, 6))
    x += 0.1 * RNG.normal(size=x.shape)
    y = common @ RNG.normal(size=(3, 5))
    y = np.concatenate([y, RNG.normal(size=(12, 5))])
    x_ids = np.array([f"p{i}_{shot}" for i in range(ITEMS) for shot in range(SHOTS)])
    y_ids = np.array([f"t{i}" for i in range(len(y))])
    (tmp_path / "named").mkdir()
    for folder, x_items, y_items in (
        (tmp_path, x_ids, y_ids),
        (tmp_path / "named", np.repeat(x_ids[::SHOTS], SHOTS), y_ids),
    ):
        np.savez(folder / "x.npz", features=x, ids=x_items)
        np.savez(folder / "y.npz", features=y, ids=y_items)
    pairs = [f"p{i}_{shot},t{i}\n" for i in range(ITEMS) for shot in range(SHOTS)]
    (tmp_path / "pairs.csv").write_text("".join(pairs))
    (tmp_path / "named" / "pairs.csv").write_text("".join(pairs[::SHOTS]))
    return tmp_path


def matched(folder):
    x, y = (read(folder / f"{name}.npz") for name in "xy")
    return read_matched(folder / "pairs.csv", x, y)


def test_what_shares_a_partner_is_one_item(sides, notices):
    found, named = matched(sides), matched(sides / "named")
    np.testing.assert_array_equal(found.x.ids, named.x.ids)
    np.testing.assert_array_equal(found.y.ids, named.y.ids)
    np.testing.assert_array_equal(found.pairs, named.pairs)
    assert "The 48 pairs of " in (said := notices())
    assert "are of 24 items" in said
    assert said.count("\n") == 0  # nothing of those that are one to one


def test_pairs_may_go_in_chains(tmp_path):
    np.savez(tmp_path / "x.npz", features=RNG.normal(size=(5, 2)), ids=[*"abcde"])
    np.savez(tmp_path / "y.npz", features=RNG.normal(size=(4, 2)), ids=[*"1234"])
    (tmp_path / "pairs.csv").write_text("d,4\nb,1\na,1\na,2\nc,2\nd,4\n")
    found = matched(tmp_path)
    assert sorted(found.pairs.tolist()) == [["a", "1"], ["d", "4"]]
    assert found.x.ids.tolist() == [*"aaade"]
    assert found.y.ids.tolist() == [*"1134"]


def test_rows_without_ids_stay_numbered(tmp_path):
    np.save(tmp_path / "x.npy", RNG.normal(size=(3, 2)))
    rows = read(tmp_path / "x.npy")
    (tmp_path / "pairs.csv").write_text("0,0\n1,0\n")
    found = read_matched(tmp_path / "pairs.csv", rows, rows)
    assert found.x.ids.tolist() == ["0", "0", "2"]
    assert isinstance(found.x.ids, RowNumbers)


def test_an_aligner_is_fitted_to_items(sides):
    metadata = [
        align(f / "x.npz", f / "y.npz", f / "pairs.csv", method="cca").metadata
        for f in (sides, sides / "named")
    ]
    assert metadata[0]["fitted_on"]["pairs"] == ITEMS
    for name in ("fitted_on", "expected"):
        assert metadata[0][name] == metadata[1][name]


def test_the_photographs_of_an_item_are_held_out_together(sides):
    problem, _ = problem_of(*matched(sides))
    assert problem.x.shape[:2] == (ITEMS, SHOTS)
    assert len(problem.unmatched_x) == 0


@pytest.mark.slow
def test_diagnose_and_match_take_items(sides, capsys):
    files = sides / "x.npz", sides / "y.npz", sides / "pairs.csv"
    assert diagnose(*files).metadata["counts"]["pairs"] == ITEMS
    lines = (sides / "pairs.csv").read_text().splitlines(keepends=True)[: 20 * SHOTS]
    (sides / "pairs.csv").write_text("".join(lines))
    align(*files, out=sides / "aligner", method="cca")
    options = [f"--{name}={path}" for name, path in zip(("x", "y", "pairs"), files)]
    code = main.main(["match", f"--aligner={sides}/aligner", *options, f"--out={sides}/m"])
    assert code == 0, capsys.readouterr().err
    table = (sides / "m" / "matches.csv").read_text().splitlines()[1:]
    # The items of known pairs are not matched again, neither photograph of them.
    assert sorted(line.split(",")[0] for line in table) == [
        f"p{i}_{shot}" for i in range(20, 24) for shot in range(SHOTS)
    ]
