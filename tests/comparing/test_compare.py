"""Comparisons on frozen features: what is run, kept, refused and written."""

import json

import jax
import numpy as np
import pytest
import tiny_heads

from gentle_clip_jax import comparing
from gentle_clip_jax.aligners import Problem, align, load
from gentle_clip_jax.commands import main
from gentle_clip_jax.comparing import METHODS, Plan, measure, pool, runs
from gentle_clip_jax.comparing.pool import Pool, Retrieval, ZeroShot


def points(n=60):
    """Two noisy linear views of points around eight centres."""
    rng = np.random.default_rng(0)
    centres, to_x, to_y = (rng.normal(size=s) for s in ((8, 6), (6, 10), (6, 7)))

    def views(n):
        kinds = rng.integers(8, size=n)
        latent = centres[kinds] + 0.3 * rng.normal(size=(n, 6))
        return np.float32(latent @ to_x), np.float32(latent @ to_y), kinds

    (x, y, _), (test_x, test_y, kinds) = views(n), views(20)
    ids = np.arange(20).astype(str)
    texts = np.array([f"text {i // 2}" for i in range(20)])
    retrieval = {"points": Retrieval(test_x, ids, test_y, ids, texts)}
    zero_shot = {"points": ZeroShot(test_x, np.float32(centres @ to_y), kinds)}
    x, y = x[:, None], y[:, None]
    return Pool(x, y, np.repeat("all", n), x[:0], y[:0], retrieval, zero_shot)


CLOSED = ("cca", "transported_cca", "gentle_transport")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    plan = Plan(CLOSED, (8, 0.5), (0, 1))
    return folder, plan, comparing.compare_pool(points(), plan, folder, title="points")


@pytest.mark.slow
def test_a_comparison_holds_every_run_and_its_difference_from_the_best_of_pairs(done):
    folder, _, results = done
    assert len(results["runs"]) == 3 * 2 * 2
    assert {run["pairs"] for run in results["runs"]} == {8, 30}
    metrics = results["runs"][0]["metrics"]
    assert {"zero_shot", "i2t", "t2i", "i2t_strict", "t2i_equal", "i2t/points"} <= metrics.keys()
    assert all(0 <= value <= 1 for value in metrics.values())
    assert all(one["against"] == "cca" for one in results["differences"])
    assert all(one["low"] <= one["value"] <= one["high"] for one in results["differences"])
    assert json.loads((folder / "results.json").read_text())["runs"] == results["runs"]


def test_an_aligner_fitted_to_raw_features_scores_as_the_comparison_says(done, tmp_path):
    """The recipe of docs/compare.md, on features of other units, saved and loaded again."""
    folder, _, results = done
    items = points()
    for run in results["runs"]:
        if run["pairs"] != 8 or run["seed"] != 1:
            continue
        drawn = pool.draw(items, 8, seed=1, unmatched="shuffled")
        problem = Problem(drawn.x[:, 0], drawn.y[:, 0], drawn.unmatched_x, drawn.unmatched_y)
        aligner = align(problem, run["method"], key=jax.random.key(1))
        aligner.save(tmp_path / run["method"])
        scores = measure.score(load(tmp_path / run["method"]), items)
        assert measure.summarize(scores) == run["metrics"]
        with np.load(folder / "runs" / f"{run['method']}-8-1.npz") as kept:
            for name, values in scores.items():
                np.testing.assert_array_equal(values, kept[name])


def test_runs_of_two_seeds_have_other_pairs(done):
    _, _, results = done
    of_seed = {run["seed"]: run["metrics"] for run in results["runs"] if run["pairs"] == 8}
    assert of_seed[0] != of_seed[1]


def test_other_items_of_the_same_size_are_another_comparison(done):
    """The kept runs of a comparison are of its pairs, and say nothing of others."""
    folder, plan, _ = done
    items = points()
    swapped = items.y[[1, 0, *range(2, len(items.y))]]
    with pytest.raises(ValueError, match="comparison on other data"):
        comparing.compare_pool(items._replace(y=swapped), plan, folder, title="points")


def test_the_same_call_runs_nothing_again(done, monkeypatch):
    folder, plan, results = done
    monkeypatch.setattr(runs, "_run", None)
    assert comparing.compare_pool(points(), plan, folder, title="points")["runs"] == results["runs"]


def test_a_run_that_was_stopped_is_run_again(done):
    folder, plan, results = done
    path = folder / "runs" / "cca-8-0.npz"
    path.rename(path.with_suffix(".partial"))
    again = comparing.compare_pool(points(), plan, folder, title="points")
    assert again["runs"][0]["metrics"] == results["runs"][0]["metrics"]


def test_a_method_of_named_classes_gets_them_or_says_where_they_belong(tmp_path):
    plan = Plan(("cca", "named_transport"), (8,), (0,))
    with pytest.raises(ValueError, match="named_transport needs the classes"):
        comparing.compare_pool(points(), plan, tmp_path, title="points")
    rng = np.random.default_rng(1)
    classes = tuple(np.float32(rng.normal(size=(5, d))) for d in (10, 7))
    known = points()._replace(classes=classes)
    results = comparing.compare_pool(known, plan, tmp_path, title="points")
    assert [run["method"] for run in results["runs"]] == ["cca", "named_transport"]


def test_other_data_are_refused(done):
    folder, plan, _ = done
    with pytest.raises(ValueError, match="comparison on other data"):
        comparing.compare_pool(points(50), plan, folder, title="points")


def test_without_unmatched_items_only_methods_of_pairs_run(tmp_path):
    results = comparing.compare_pool(points(12), Plan(CLOSED, (1.0,), (0,)), tmp_path, title="")
    assert [run["method"] for run in results["runs"]] == ["cca"]


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"methods": ("magic",), "pairs": (8,)}, "no method magic"),
        ({"methods": CLOSED, "pairs": (8,), "unmatched": "lost"}, "shuffled, disjoint or shifted"),
        ({"methods": CLOSED, "pairs": (0.01,)}, "is 1 pairs"),
    ],
)
def test_a_plan_that_cannot_be_run_is_refused(plan, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        comparing.compare_pool(points(), Plan(**plan), tmp_path, title="")


# Of 20 items by chance 0.27, and of 8 classes 0.13. Smoothing draws these few clusters together.
LEAST = dict.fromkeys(("gentle_transport", "gentle_clip_warm"), 0.55)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in (*CLOSED, "relative") else pytest.mark.slow)
        for name in METHODS
        if not METHODS[name].named
    ],
)
def test_every_method_finds_most_partners(name):
    problem = pool.draw(points(), 30, seed=0, unmatched="shuffled")
    aligner = METHODS[name].fit(problem, jax.random.key(0))
    found = measure.summarize(measure.score(aligner, points()))
    assert min(found[metric] for metric in measure.MAIN) > LEAST.get(name, 0.75), found


def test_equal_captions_are_forgiven_and_the_strict_count_is_lower():
    class Same:
        def embed_x(self, x):
            return x

        embed_y = embed_x

    rows = np.eye(4, dtype="f4")[[0, 0, 1, 2]]
    ids, texts = np.array(["a", "b", "c", "d"]), np.array(["same", "same", "c", "d"])
    retrieval = {"r": Retrieval(rows, ids, rows, ids, texts)}
    scores = measure.score(Same(), points()._replace(retrieval=retrieval, zero_shot={}))
    assert scores["i2t/r"][0] == 1
    assert scores["i2t_strict/r"][0] < 1
    assert scores["t2i_equal/r"][0] <= 1


def test_a_difference_is_paired():
    rng = np.random.default_rng(0)
    base = rng.random(200)
    found = measure.difference([{"i2t/a": base + 0.1}], [{"i2t/a": base}], "i2t")
    np.testing.assert_allclose([found["value"], found["low"], found["high"]], 0.1, rtol=1e-6)


@pytest.mark.slow
def test_own_files_are_compared_by_one_command(tmp_path, monkeypatch, capsys):
    tiny_heads.install(monkeypatch)
    data = points(40)
    np.save(tmp_path / "x.npy", data.x[:, 0])
    np.save(tmp_path / "y.npy", data.y[:, 0])
    (tmp_path / "pairs.csv").write_text("".join(f"{i},{i}\n" for i in range(12)))
    arguments = [f"--{name}={tmp_path / file}" for name, file in (("x", "x.npy"), ("y", "y.npy"))]
    arguments += [f"--pairs={tmp_path / 'pairs.csv'}", f"--workdir={tmp_path / 'run'}", "--seeds=2"]
    assert main.main(["compare", *arguments]) == 0
    assert (tmp_path / "run" / "comparison.md").exists()
    assert "gentle_transport" in capsys.readouterr().out
