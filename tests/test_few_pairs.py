"""The harness of benchmarks/few_pairs: metrics, splits, resuming, and methods added as one file."""

import dataclasses
import importlib
import json
import pathlib
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[1]
METHODS = sorted(
    path.stem for path in (ROOT / "benchmarks" / "few_pairs" / "methods").glob("[!_]*.py")
)
FIELD = """
import numpy as np
from few_pairs.protocol import Field

def load(data, cache):
    latent = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)
    labels = np.where(latent[:, 0] > 0, "warm", "cold")
    ids = np.array([f"item {n}" for n in range(80)])
    y = latent[:, ::-1] + 1
    return Field(latent, y, ids, "made-up items", ("a", "b"), "none", labels=labels)
"""
METHOD = """
LABEL = "the true map"

def fit(x, y, unmatched_x, unmatched_y, seed):
    assert x.shape == y.shape and len(unmatched_x) == len(unmatched_y) > 0
    return lambda rows: rows, lambda rows: rows[:, ::-1] - 1
"""


@pytest.fixture
def harness(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("few_pairs.run")


@pytest.fixture
def folder(tmp_path):
    for kind, text in (("fields", FIELD), ("methods", METHOD)):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "made_up.py").write_text(text)
    return tmp_path


def run(harness, folder, monkeypatch, *more):
    options = [f"--{name}={folder / name}" for name in ("data", "cache", "out")]
    argv = ["run.py", *options, f"--folder={folder}", *more]
    monkeypatch.setattr(sys, "argv", argv)
    harness.main()
    file = folder / "cache" / "few_pairs.jsonl"
    return file.read_text().splitlines() if file.exists() else []


def test_a_field_and_a_method_are_one_file_each(harness, folder, monkeypatch):
    rows = [json.loads(line) for line in run(harness, folder, monkeypatch)]
    assert [(row["pairs"], row["seed"]) for row in rows] == [
        (pairs, seed) for seeds in ((0, 1, 2), (3, 4)) for seed in seeds for pairs in (12, 30)
    ]
    assert all(row["recall"] == row["order"] == 100 for row in rows)
    content = importlib.import_module("published").read("few_pairs", folder / "out")
    assert content["methods"] == {"made_up": "the true map"}
    assert content["fields"]["made_up"]["items"] == {"train": 48, "choice": 12, "test": 20}
    assert [row["label_5"] for row in content["rows"]] == [row["label_5"] for row in rows]


def test_a_stopped_run_goes_on(harness, folder, monkeypatch):
    whole = run(harness, folder, monkeypatch)
    file = folder / "cache" / "few_pairs.jsonl"
    file.write_text("\n".join([*whole[:4], whole[4][:20]]))
    again = run(harness, folder, monkeypatch)
    assert again[:4] == whole[:4]
    cells = [harness.Cell(*map(json.loads(line).get, harness.Cell._fields)) for line in again]
    assert len(cells) == len({*cells}) == len(whole)
    assert run(harness, folder, monkeypatch) == again
    assert len(run(harness, folder, monkeypatch, "--again", "made_up")) == 2 * len(whole)
    assert len(harness.rows_of(file)) == len(whole)


def test_a_method_that_fails_leaves_a_row(harness, folder, monkeypatch):
    broken = METHOD.replace("return", "raise ValueError('no map')\n    return")
    (folder / "methods" / "made_up.py").write_text(broken)
    rows = [json.loads(line) for line in run(harness, folder, monkeypatch)]
    assert {row["error"] for row in rows} == {"ValueError: no map"}


def test_settings_are_chosen_by_other_items_and_seeds(harness, folder, monkeypatch):
    assert run(harness, folder, monkeypatch, "--choose") == []
    assert not (folder / "out").exists()
    lines = (folder / "cache" / "few_pairs_choosing.jsonl").read_text().splitlines()
    assert {json.loads(line)["seed"] for line in lines} == {*range(10, 20)}


def test_what_has_no_file_is_named(harness, folder, monkeypatch):
    with pytest.raises(ValueError, match=r"methods has no cca\.py\. There are: made_up\."):
        run(harness, folder, monkeypatch, "--methods", "cca")


def field_of(harness, count, groups=None):
    rows = np.arange(count, dtype=np.float32)[:, None]
    ids = np.arange(count).astype(str)
    return harness.Field(rows, rows, ids, "numbers", ("a", "b"), "none", groups=groups)


def test_parts_share_no_item_and_no_group(harness):
    groups = np.concatenate([np.full(50, "large"), np.arange(150) // 3]).astype(str)
    field = field_of(harness, 200, groups)
    parts = harness.protocol.split(field)
    assert sorted(np.concatenate(parts)) == [*range(200)]
    of_part = [{*groups[part]} for part in parts]
    assert len(set.union(*of_part)) == sum(map(len, of_part))
    assert len(parts.test) == 50 or "large" not in of_part[2]
    shuffled = field_of(harness, 200, groups)
    assert all(map(np.array_equal, parts, harness.protocol.split(shuffled)))


def test_draws_are_nested_and_unmatched_items_hold_each_others_partners(harness):
    field = field_of(harness, 200)
    train = harness.protocol.split(field).train
    few, more = (harness.protocol.draw(field, train, pairs, 3) for pairs in (12, 30))
    assert np.array_equal(more.x[:12], few.x)
    assert np.array_equal(few.x, few.y)
    assert {*few.unmatched_x[:, 0]} == {*few.unmatched_y[:, 0]} == {*train} - {*few.x[:, 0]}
    assert np.mean(few.unmatched_x == few.unmatched_y) < 0.1


def test_metrics_by_hand(harness):
    angles = np.radians([0, 40, 90])
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    y = x[[0, 2, 1]]  # partners at 0, 50 and 50 degrees
    # From x: 0 items are nearer than the partner, 2 of 2, 1 of 2; from y: 0, 1 and 2 of 2.
    figures = harness.protocol.metrics(x, y, np.array(["a", "b", "b"]))
    assert figures["r1"] == pytest.approx(100 / 3)
    assert figures["r5"] == figures["r10"] == 100
    assert figures["recall"] == pytest.approx((100 / 3 + 200) / 3)
    assert figures["order"] == pytest.approx(100 * (1 - (0 + 1 + 0.5) / 3))
    assert figures["label_1"] == pytest.approx(100)
    # All three vote: two of them are b.
    assert figures["label_5"] == pytest.approx(200 / 3)


def test_ties_count_against(harness):
    same = harness.protocol.metrics(np.ones((20, 2)), np.ones((20, 2)))
    assert same["recall"] == same["order"] == 0
    none = harness.protocol.metrics(np.zeros((20, 2)), np.ones((20, 2)))
    assert none["recall"] == 0
    with pytest.raises(ValueError, match="not finite"):
        harness.protocol.metrics(np.full((3, 2), np.nan), np.eye(3, 2))


def test_the_rival_of_one_space_needs_no_pair(harness):
    rows = np.eye(8, dtype=np.float32).repeat(10, axis=0) + np.arange(80)[:, None] / 100
    ids = np.arange(80).astype(str)
    field = harness.Field(rows, -rows, ids, "", ("", ""), "", shared=(rows, rows))
    found = [*harness.measure({"one": None}, {}, {"one": field}.get, set())]
    assert [(row["method"], row["pairs"], row["seed"]) for row in found] == [(harness.SHARED, 0, 0)]


def test_a_method_of_one_space_is_left_out_where_widths_differ(harness):
    methods = {"joint": harness.discover(harness.HERE / "methods", ["joint"])["joint"]}
    rows, ids = np.random.default_rng(0).normal(size=(80, 8)), np.arange(80).astype(str)
    field = harness.Field(rows, rows[:, :7], ids, "", ("", ""), "")
    assert not [*harness.measure({"one": None}, methods, {"one": field}.get, set())]


HEADS = ("clip", "siglip", "gentle_clip", "s_clip_heads")


def separable(pairs=20, unmatched=30, test=20):
    """Two linear views of items with five hidden features: what a method gets, and test items."""
    rng = np.random.default_rng(0)
    hidden, to_x, to_y = (
        rng.normal(size=size) for size in ((pairs + 2 * unmatched + test, 5), (5, 12), (5, 9))
    )
    x, y = (3 + hidden @ to_x).astype(np.float32), (hidden @ to_y).astype(np.float32)
    first, second = pairs + unmatched, pairs + 2 * unmatched
    sets = x[:pairs], y[:pairs], x[pairs:first], y[first:second]
    return sets, (x[second:], y[second:])


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "clip" else pytest.mark.slow) for name in HEADS]
)
def test_trained_heads_find_partners_and_depend_on_the_seed_only(harness, name):
    heads = importlib.import_module("few_pairs.heads")
    settings = heads.Settings(dim=16, steps=100, matched=16, unmatched=24)
    weights = heads.Weights(learning_rate=1e-2)
    method = harness.discover(harness.HERE / "methods", [name])[name]
    drawn, test = separable()

    def embedded(seed):
        embeds = method.fit(*drawn, seed, settings=settings, weights=weights)
        return [np.asarray(embed(rows)) for embed, rows in zip(embeds, test)]

    first, again, other = (embedded(seed) for seed in (0, 0, 1))
    for rows in first:
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    assert harness.protocol.metrics(*first)["order"] > 75  # 50 by chance
    assert all(map(np.array_equal, first, again))
    assert not np.array_equal(first[0], other[0])


def test_heads_stay_as_they_were_when_held_out_pairs_ranked_best(harness, monkeypatch):
    heads = importlib.import_module("few_pairs.heads")
    drawn, (x, _) = separable()
    settings = heads.Settings(dim=16, matched=16, unmatched=24, patience=1)
    scores = iter((0.3, 0.2))
    monkeypatch.setattr(heads, "_score", lambda *_: next(scores))  # a third would be an error
    stopped = heads.fit_heads("clip", *drawn, 0, settings)[0](x)
    monkeypatch.setattr(heads, "_score", lambda *_: 0.0)
    start = heads.fit_heads("clip", *drawn, 0, settings._replace(steps=0))[0](x)
    np.testing.assert_array_equal(stopped, start)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_above_chance(harness, folder, monkeypatch, name):
    if name == "gromov_wasserstein":
        pytest.importorskip("ot", reason="POT is only needed for this method")
    (module,) = harness.discover(harness.HERE / "methods", [name]).values()
    (made_up,) = harness.discover(folder / "fields").values()
    field = made_up.load(None, None)
    parts = harness.protocol.split(field)
    pairs = 0 if getattr(module, "WITHOUT_PAIRS", False) else 30
    if getattr(module, "ONE_SPACE", False):
        field = dataclasses.replace(field, y=field.x)
    embeds = module.fit(*harness.protocol.draw(field, parts.train, pairs, 0), 0)
    rows = [embed(side[parts.test]) for embed, side in zip(embeds, (field.x, field.y))]
    figures = harness.protocol.metrics(*rows)
    assert figures["order"] > (60 if pairs else 0)


STATING = METHOD.replace(
    "return lambda",
    "return lambda rows: rows, lambda rows: rows[:, ::-1] - 1, STATED\n    return lambda",
)
STATING += (
    '\nSTATED = {"chosen": "cca", "expected": 50.0, "low": 1.0, "high": 100.0, "among": 30}\n'
)


def test_what_a_method_states_is_kept_beside_what_is_true(harness, folder, monkeypatch):
    (folder / "methods" / "made_up.py").write_text(STATING)
    rows = [json.loads(line) for line in run(harness, folder, monkeypatch)]
    assert {row["chosen"] for row in rows} == {"cca"}
    assert {row["unmatched_recall"] for row in rows} == {100.0}
    content = importlib.import_module("published").read("few_pairs_default", folder / "out")
    assert [row["expected"] for row in content["rows"]] == [50.0] * len(rows)
