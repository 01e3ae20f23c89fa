import json

import numpy as np
import pytest
from synthetic_run import embeddings, write_run

from gentle_clip_jax.runs.read import read_run


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", num_items=5)


def test_a_resumed_run_counts_its_last_lines(run):
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 590, "kind": "train", "loss/total": -1.0}\n')
    steps, values = read_run(run).curve("train", "loss/total")
    assert steps.tolist() == [*range(10, 601, 10)]
    assert values[-2] == -1


def test_train_and_validation_of_one_step_stay_apart(run):
    content = read_run(run)
    assert "loss/clip" in content.curve_names("train")
    assert "loss/clip" not in content.curve_names("validation")
    assert content.curve("validation", "mean_recall")[0].tolist() == [*range(100, 601, 100)]
    assert content.curve("validation", "loss/clip")[0].size == 0
    assert content.last_step == 600


@pytest.mark.parametrize(
    "rest",
    [
        '{"step": 610, "ki',
        '{"kind": "train"}\n',
        "7\n",
        '{"step": 1\x00',
        '{"step": "610", "kind": "train"}\n',
        '{"step": [610], "kind": "train"}\n',
        '{"step": 610, "kind": ["train"]}\n',
        '{"step": 610, "kind": "train", "loss/total": "low"}\n',
        '{"step": 610, "kind": "validation", "mean_recall": null}\n',
        '{"step": 610, "kind": "train", "loss/total": 1' + 400 * "0" + "}\n",
        "[" * 100_000 + "\n",
    ],
    ids=range(11),
)
def test_a_damaged_line_is_left_out(run, rest):
    before = read_run(run)
    with (run / "metrics.jsonl").open("a") as file:
        file.write(rest)
    after = read_run(run)
    assert after.metrics == before.metrics
    assert (before.num_unreadable_lines, after.num_unreadable_lines) == (0, 1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "{", r"config\.json cannot be read .* train again with the same config"),
        ("config.json", '{"seed": 0, "check": "00000000"}', "checksum mismatch"),
        ("run.json", '{"seconds": 1, "check": []}', "checksum mismatch"),
        ("evaluation.json", '{"metrics": {}, "check": "00000000"}', "checksum mismatch"),
        ("config.json", "[]", r"config\.json cannot be read"),
        ("config.json", "3", r"config\.json cannot be read"),
        ("config.json", "null", r"config\.json cannot be read"),
        ("run.json", "", r"run\.json cannot be read .* `gentle-clip train`"),
        ("run.json", "[]", r"run\.json cannot be read \(it is no JSON object\)"),
        ("run.json", "[" * 100_000, r"run\.json cannot be read"),
        ("run.json", '{"versions": 3}', r"run\.json cannot be read"),
        ("run.json", '{"seconds": null}', r"run\.json cannot be read"),
        ("run.json", '{"modalities": ["cell"]}', "modalities are not two names"),
        ("evaluation.json", '{"metrics": {}, "modalities": [1, 2]}', "are not two names"),
        ("evaluation.json", '{"metrics": {}, "num_items": "7"}', "num_items is wrong"),
        (
            "evaluation.json",
            '{"metrics": {"mrr": {"value": 1, "low": 1, "high": NaN}}}',
            r"metrics\[...\].high is wrong",
        ),
        ("evaluation.json", '{"metrics": 3}', "metrics is wrong"),
        (
            "evaluation.json",
            '{"metrics": {"i2t_r1": {"value": 1}}}',
            "missing required field `low`",
        ),
        (
            "embeddings.npz",
            "no archive",
            r"embeddings\.npz cannot be read .* `gentle-clip evaluate`",
        ),
        ("embeddings.npz", "", r"embeddings\.npz cannot be read"),
    ],
)
def test_a_broken_file_is_named(run, name, content, message):
    (run / name).write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        read_run(run)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": np.array(["a"])}, "disagree about the number of items"),
        ({"names": np.array("a")}, "disagree about the number of items"),
        ({"x": np.full((5, 64), np.nan)}, "not finite"),
        ({"x": np.ones((5, 3))}, "not floats of equal width"),
        ({"y_initial": np.full((5, 64), "a")}, "not floats of equal width"),
        ({"pictures": np.zeros((5, 32, 32))}, "not uint8"),
        ({"pictures": np.zeros((5, 0, 32), np.uint8)}, "not uint8"),
        ({"names": np.array([None] * 5)}, "allow_pickle=False"),
        ({"names": np.array([], str)}, "number of items"),
    ],
)
def test_bad_embeddings_are_refused(run, change, message):
    np.savez(run / "embeddings.npz", **{**embeddings(1.0, 5), **change})
    with pytest.raises(ValueError, match=message):
        read_run(run)


def test_an_embeddings_file_without_an_array(run):
    arrays = embeddings(1.0, 5)
    del arrays["y_initial"]
    np.savez(run / "embeddings.npz", **arrays)
    with pytest.raises(ValueError, match="y_initial"):
        read_run(run)


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(ValueError, match=r"holds no run \(no config\.json\)"):
        read_run(tmp_path)
    with pytest.raises(ValueError, match="holds no run"):
        read_run(tmp_path / "missing")


def test_a_config_alone_is_a_run(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"seed": 3}))
    content = read_run(tmp_path)
    assert content.config == {"seed": 3}
    assert content.last_step is None
    assert content.evaluation is None
    assert content.embeddings is None
