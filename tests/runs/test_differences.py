import shutil

import numpy as np
import pytest
import tiny_run

from gentle_clip_jax.runs import read
from gentle_clip_jax.runs.differences import ABSENT, differences, flat
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
def test_a_run_says_what_it_was_made_of(run):
    info = read.read_run(run).info
    assert info["data"] == provenance.fingerprints(DATASET)
    assert info["data"]["matched"].startswith("40 items, ")
    assert info["num_processes"] == 1
    assert {"command", "commit", "device", "seed", "started", "versions"} <= info.keys()


def test_what_is_no_run(run, tmp_path):
    with pytest.raises(ValueError, match="holds no run"):
        read.read_run(tmp_path)
    broken = shutil.copytree(run, tmp_path / "broken")
    for content in ("{", "[]", "3", '{"versions": []}', '{"seconds": "long"}', '{"seconds": NaN}'):
        (broken / "run.json").write_text(content)
        with pytest.raises(ValueError, match=r"run\.json cannot be read"):
            read.read_run(broken)


def test_fingerprints_see_names_rows_and_sizes():
    base = provenance.fingerprints(DATASET)
    dataset = tiny_run.dataset()
    dataset.matched.names[7] = "other"
    dataset.unmatched_x[0] += np.uint8(1)
    changed = provenance.fingerprints(dataset)
    different = {name for name in base if base[name] != changed[name]}
    assert different == {"matched", "unmatched_x"}
    assert provenance.fingerprints(tiny_run.dataset()) == base
