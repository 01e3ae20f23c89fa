import json
import shutil

import numpy as np
import pytest
import tiny_run

from gentle_clip_jax.commands import main
from gentle_clip_jax.training import experiment, loop
from gentle_clip_jax.runs import provenance, differences

TASK = tiny_run.task()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run of one step."""
    import jax

    workdir = tmp_path_factory.mktemp("run") / "a"
    with jax.numpy_dtype_promotion("standard"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "load_task", lambda config, workdir: TASK)
        loop.train(tiny_run.config(**{"train.steps": 1}), workdir)
    return workdir


def test_a_run_tells_what_it_was_made_of(run, capsys):
    assert main.main(["show", str(run)]) == 0
    said = capsys.readouterr().out
    for name in ("config.loss.sdd_weight", "versions.jax", "commit", "num_devices", "seed"):
        assert name in said
    facts = differences.facts(run)
    assert facts["config.train.steps"] == 1
    assert facts["data"] == provenance.fingerprints(TASK)
    assert facts["data"]["matched"].startswith("40 items, ")
    assert facts["num_processes"] == 1
    assert {"command", "device", "started"} <= facts.keys()


def test_two_runs_differ_in_what_they_differ(run, tmp_path, capsys):
    other = shutil.copytree(run, tmp_path / "b")
    assert main.main(["show", str(run), str(other)]) == 0
    assert capsys.readouterr().out == "The two runs differ in nothing that was recorded.\n"
    for name, key in (("config.json", "seed"), ("run.json", "command")):
        content = json.loads((other / name).read_text()) | {key: "other"}
        (other / name).write_text(json.dumps(content))
    found = differences.differences(differences.facts(run), differences.facts(other))
    assert found.keys() == {"command", "config.seed"}
    assert found["config.seed"] == (0, "other")
    assert main.main(["show", str(run), str(other)]) == 0
    assert "config.seed" in capsys.readouterr().out


def test_what_is_no_run(run, tmp_path, capsys):
    assert main.main(["show", str(tmp_path)]) == 2
    assert "holds no run" in capsys.readouterr().err
    assert main.main(["show", *[str(run)] * 3]) == 2
    broken = shutil.copytree(run, tmp_path / "broken")
    (broken / "run.json").write_text("{")
    assert main.main(["show", str(broken)]) == 2
    assert "run.json cannot be read" in capsys.readouterr().err


def test_fingerprints_see_names_rows_and_sizes():
    base = provenance.fingerprints(TASK)
    task = tiny_run.task()
    task.matched.names[7] = "other"
    task.unmatched_x[0] += np.uint8(1)
    changed = provenance.fingerprints(task)
    different = {name for name in base if base[name] != changed[name]}
    assert different == {"matched", "unmatched_x"}
    assert provenance.fingerprints(tiny_run.task()) == base
