"""The comparing half of benchmarks/predictions.py, on made-up predictions."""

import copy
import importlib
import json
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("predictions")


@pytest.fixture
def record():
    method = {
        "method": ["cca", "cca", None],
        "gallery": {"x": True, "y": False},
        "figures": {"held_out recall": 0.5},
        "expected": {"value": 300.0, "low": 250.0, "high": 350.0},
        "first_choices": [*range(1000)],
        "probabilities": [0.5, None, 0.25],
        "x_to_y": {"summary": {"mean log rank": 1.0}, "ranks": [1] * 1000},
    }
    sets = {"drawings": {"methods": {"auto": method}, "ask": {"ids": ["x1", "x2"]}}}
    return {"commit": "made up", "machine": {}, "sets": sets}


def changed(record, name, value):
    new = copy.deepcopy(record)
    *above, last = name.split("/")
    tree = new["sets"]["drawings"]
    for part in above:
        tree = tree[part]
    tree[last] = value
    return new


def test_equal_files_have_no_difference(script, record):
    lines, exceeded = script.compare(record, copy.deepcopy(record))
    assert not exceeded
    assert lines[-1] == "9 values are equal."


@pytest.mark.parametrize(
    ("name", "value", "exceeded"),
    [
        ("ask/ids", ["x2", "x1"], True),
        ("methods/auto/method", ["ridge", "cca", None], True),
        ("methods/auto/gallery", {"x": True, "y": True}, True),
        ("methods/auto/figures", {"held_out recall": 0.5005}, False),
        ("methods/auto/figures", {"held_out recall": 0.502}, True),
        ("methods/auto/figures", {"recall": 0.5}, True),
        ("methods/auto/expected", None, True),
        ("methods/auto/probabilities", [0.5001, None, 0.25], False),
        ("methods/auto/probabilities", [0.5002, None, 0.25], True),
        ("methods/auto/probabilities", [0.5, 0.5, 0.25], True),
        ("methods/auto/first_choices", [7] * 5 + [*range(5, 1000)], False),
        ("methods/auto/first_choices", [7] * 6 + [*range(6, 1000)], True),
        ("methods/auto/first_choices", [*range(999)], True),
        ("methods/auto/x_to_y/ranks", [2] * 5 + [1] * 995, False),
        ("methods/auto/x_to_y/ranks", [2] * 6 + [1] * 994, True),
    ],
)
def test_a_difference_is_held_to_its_tolerance(script, record, name, value, exceeded):
    lines, found = script.compare(record, changed(record, name, value))
    assert found == exceeded
    (line,) = (line for line in lines if line.startswith(f"| drawings/{name} "))
    assert line.endswith("| exceeded |" if exceeded else "| within |")


def test_a_value_that_one_file_lacks_is_a_difference(script, record):
    new = copy.deepcopy(record)
    del new["sets"]["drawings"]["ask"]
    for pair, where in (((record, new), "old"), ((new, record), "new")):
        lines, exceeded = script.compare(*pair)
        assert exceeded
        assert f"| drawings/ask/ids | only in {where} | | exceeded |" in lines


def test_a_collection_that_one_file_lacks_is_named(script, record):
    new = copy.deepcopy(record)
    new["sets"]["proteins"] = new["sets"]["drawings"]
    lines, exceeded = script.compare(record, new)
    assert not exceeded
    assert lines[-1] == "Only one file has proteins."


def test_the_exit_status_says_whether_a_tolerance_is_exceeded(
    script, record, tmp_path, monkeypatch, capsys
):
    for name, content in (
        ("old", record),
        ("new", changed(record, "ask/ids", ["x1", "x3"])),
    ):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    for new, status in (("old", 0), ("new", 1)):
        files = [str(tmp_path / f"{one}.json") for one in ("old", new)]
        monkeypatch.setattr(sys, "argv", ["predictions.py", "compare", *files])
        with pytest.raises(SystemExit) as end:
            script.main()
        assert end.value.code == status
    assert "| drawings/ask/ids | 0.5 of entries | 0 | exceeded |" in capsys.readouterr().out


def test_the_frozen_predictions_are_read(script):
    record = json.loads((ROOT / "benchmarks" / "predictions.json").read_text())
    assert {*record["sets"]} <= {*script.SETS}
    assert len([*script.leaves(record["sets"])]) >= 30 * len(record["sets"])
    assert script.compare(record, record)[1] is False
