"""What a comparison on one's own pairs may claim: seldom too much, and a large gain is seen."""

import json

import numpy as np
import pytest

from gentle_clip_jax import comparing
from gentle_clip_jax.commands.main import main
from gentle_clip_jax.comparing import pool
from gentle_clip_jax.comparing.pool import Retrieval
from gentle_clip_jax.comparing.verdicts import verdicts
from gentle_clip_jax.data.pairs import read_pairs
from gentle_clip_jax.features.read import read

UNMATCHED = {f"m{i}": i < 5 for i in range(9)}


def made_up(rng, pairs, levels):
    """Runs of nine methods with five splits of so many pairs, a third of them held out."""
    held = {seed: rng.permutation(pairs)[: pairs // 3] for seed in range(5)}
    easy = 1.5 * rng.normal(size=pairs)
    runs, scores = [], {}
    for name, level in zip(UNMATCHED, levels):
        for seed, rows in held.items():
            rank = np.exp(0.7 * rng.normal(size=(2, len(rows))) + easy[rows] + level)
            recall = np.mean([rank <= top for top in (1, 5, 10)], axis=0)
            order = np.argsort([f"pair {row}" for row in rows])
            runs.append({"method": name, "pairs": pairs - pairs // 3, "seed": seed})
            scores[name, seed] = {"i2t/own": recall[0], "t2i/own": recall[1][order]}
    ids = {seed: np.array([f"pair {row}" for row in rows]) for seed, rows in held.items()}
    asked = {seed: Retrieval(ids[seed], ids[seed], ids[seed], ids[seed]) for seed in held}
    of = verdicts(runs, lambda r: scores[r["method"], r["seed"]], asked.__getitem__, UNMATCHED)
    return of[0]["verdict"]


@pytest.mark.parametrize("level", [0.5, 2.0])
def test_of_twelve_pairs_and_nine_equal_methods_little_is_claimed(level):
    rng = np.random.default_rng(0)
    said = [made_up(rng, 12, [level] * 9) for _ in range(200)]
    assert np.mean([one in ("helped", "hurt") for one in said]) <= 0.05


def test_twenty_points_are_seen_with_a_hundred_pairs():
    rng = np.random.default_rng(1)
    said = [made_up(rng, 150, [1.6] + [2.75] * 8) for _ in range(50)]  # 100 of 150 are fitted
    assert np.mean([one == "helped" for one in said]) >= 0.8


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Two files, pairs of which the first view says nothing about the second."""
    folder, rng = tmp_path_factory.mktemp("own"), np.random.default_rng(0)
    for name, width in (("cells", 5), ("words", 4)):
        features = rng.normal(size=(40, width)).astype(np.float32)
        np.savez(folder / name, features=features, ids=[f"{name} {i}" for i in range(40)])
    (folder / "pairs.csv").write_text("".join(f"cells {i},words {i}\n" for i in range(12)))
    return folder


def command(own, workdir, *more):
    files = [f"--{side}={own / name}.npz" for side, name in (("x", "cells"), ("y", "words"))]
    return ["compare", *files, f"--pairs={own / 'pairs.csv'}", f"--workdir={workdir}", *more]


@pytest.mark.slow
def test_views_that_have_nothing_in_common_are_not_recommended(own, tmp_path, capsys):
    assert main(command(own, tmp_path, "--fast", "--seeds=2")) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "nothing finds partners better than chance for sure" in said
    results = json.loads((tmp_path / "results.json").read_text())
    assert {run["seed"] for run in results["runs"]} == {0, 1}
    assert {one["pairs"] for one in results["verdicts"]} == {6, 8}
    assert "clip" not in {run["method"] for run in results["runs"]}
    assert "\n- With 8 pairs" in (tmp_path / "comparison.md").read_text()
    assert "**shrinkage CCA**:" not in (tmp_path / "comparison.md").read_text()


def test_methods_may_be_chosen(own, tmp_path):
    assert main(command(own, tmp_path, "--methods=cca,ridge", "--seeds=1")) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert {run["method"] for run in results["runs"]} == {"cca", "ridge"}
    assert results["verdicts"] == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--methods=magic"], "There is no method magic"),
        (["--methods=clip", "--fast"], "Nothing is left to compare"),
    ],
)
def test_what_cannot_be_compared_is_refused(more, words, own, tmp_path, capsys):
    assert main(command(own, tmp_path, *more)) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_there_are_seeds(own, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(command(own, tmp_path, "--seeds=0"))
    assert "--seeds: it must be a whole number from 1 to" in capsys.readouterr().err
    with pytest.raises(ValueError, match="give --seeds of 1 or more"):
        comparing.compare(own / "cells.npz", own / "words.npz", None, tmp_path, seeds=0)


def test_every_seed_holds_out_other_pairs(own):

    x, y = (read(own / f"{name}.npz") for name in ("cells", "words"))
    pairs = read_pairs(own / "pairs.csv", x.ids, y.ids)
    held = []
    for seed in (0, 1):
        asked = pool.own_pool(x, y, pairs, seed=seed).retrieval[pool.OWN]
        held.append(set(asked.x_ids) & set(asked.y_ids))
        for id_ in held[-1]:  # whichever seed held it out, an id is a place in the pairs
            row = x.features[x.ids == pairs[int(id_.removeprefix("pair ")), 0]][0]
            assert (asked.x[asked.x_ids == id_] == row).all()
    assert held[0] != held[1]
    assert comparing.compare.__kwdefaults__["seeds"] > 1
