import shutil

import numpy as np
import pytest
import tiny_run

from gentle_clip_jax.commands import main
from gentle_clip_jax.runs import read
from gentle_clip_jax.runs.differences import ABSENT, differences, flat
from gentle_clip_jax.storage.records import read_record, write_record
from gentle_clip_jax.tasks.icons import task as icons
from gentle_clip_jax.training import loop, provenance

DATASET = tiny_run.dataset()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run of one step."""
    import jax

    workdir = tmp_path_factory.mktemp("run") / "a"
    with jax.numpy_dtype_promotion("standard"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(icons, "load_data", lambda config, workdir: DATASET)
        loop.train(tiny_run.config(**{"train.steps": 1}), workdir)
    return workdir


def change(path, **values):
    write_record(path, read_record(path) | values)


def test_leaves_stand_under_dotted_keys():
    tree = {"a": {"b": {"c": [1, {"d": 2}]}, "e": {}}, "f": None}
    assert flat(tree) == {"a.b.c": [1, {"d": 2}], "a.e": {}, "f": None}
    assert flat(flat(tree)) == flat(tree)
    assert flat({}, "config.") == {}
    assert flat({"a": {"b": 1}}, "config.") == {"config.a.b": 1}


def test_differences_are_of_leaves_and_name_what_is_not_there():
    a, b = {"a": {"b": 1, "c": 2}, "d": {}}, {"a": {"b": 1, "c": 3}, "e": None}
    assert differences(a, a) == {}
    assert differences(a, b) == {"a.c": (2, 3), "d": ({}, ABSENT), "e": (ABSENT, None)}
    assert differences(flat(a), flat(b)) == differences(a, b)


@pytest.mark.slow
def test_a_run_says_what_it_was_made_of(run, capsys):
    assert main.main(["show", str(run)]) == 0
    printed = capsys.readouterr().out
    for name in ("config.loss.sdd_weight", "versions.jax", "commit", "num_devices", "seed"):
        assert name in printed
    facts = read.facts(run)
    assert facts["config.train.steps"] == 1
    prints = provenance.fingerprints(DATASET)
    assert {name: facts[f"data.{name}"] for name in prints} == prints
    assert facts["data.matched"].startswith("40 items, ")
    assert facts["num_processes"] == 1
    assert {"command", "device", "started"} <= facts.keys()


def test_two_runs_differ_in_what_they_differ(run, tmp_path, capsys):
    other = shutil.copytree(run, tmp_path / "b")
    change(other / "run.json", started="later", seconds=7.0)
    assert main.main(["show", str(run), str(other)]) == 0
    assert capsys.readouterr().out == "The two runs differ in nothing that was recorded.\n"
    change(other / "config.json", seed="other")
    change(other / "run.json", command="other", versions={"jax": "0"})
    found = differences(read.facts(run), read.facts(other))
    assert {"command", "config.seed", "versions.jax", "versions.flax"} <= found.keys()
    assert found["config.seed"] == (0, "other")
    assert found["versions.flax"][1] == ABSENT
    assert main.main(["show", str(run), str(other)]) == 0
    assert "config.seed" in capsys.readouterr().out


def test_values_and_paths_are_no_markup(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    other = shutil.copytree(run, "[red]b")
    change(tmp_path / other / "run.json", command="[/] [bold]x[/bold]", odd=["[red]"])
    for runs in ([other], [run, other]):
        assert main.main(["show", *map(str, runs)]) == 0
        printed = capsys.readouterr().out
        assert "[/] [bold]x[/bold]" in printed
        assert '["[red]"]' in printed
        assert "[red]b" in printed


def test_what_is_no_run(run, tmp_path, capsys):
    assert main.main(["show", str(tmp_path)]) == 2
    assert "holds no run" in capsys.readouterr().err
    assert main.main(["show", *[str(run)] * 3]) == 2
    capsys.readouterr()
    broken = shutil.copytree(run, tmp_path / "broken")
    for content in ("{", "[]", "3", '{"versions": []}', '{"seconds": "long"}', '{"seconds": NaN}'):
        (broken / "run.json").write_text(content)
        assert main.main(["show", str(broken)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "run.json cannot be read" in line


def test_fingerprints_see_names_rows_and_sizes():
    base = provenance.fingerprints(DATASET)
    dataset = tiny_run.dataset()
    dataset.matched.names[7] = "other"
    dataset.unmatched_x[0] += np.uint8(1)
    changed = provenance.fingerprints(dataset)
    different = {name for name in base if base[name] != changed[name]}
    assert different == {"matched", "unmatched_x"}
    assert provenance.fingerprints(tiny_run.dataset()) == base
