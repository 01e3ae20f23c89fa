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
    "rest", ['{"step": 610, "ki', '{"kind": "train"}\n', "7\n", '{"step": 1\x00']
)
def test_a_line_cut_short_is_left_out(run, rest):
    before = read_run(run)
    with (run / "metrics.jsonl").open("a") as file:
        file.write(rest)
    after = read_run(run)
    assert after.metrics == before.metrics
    assert (before.num_unreadable_lines, after.num_unreadable_lines) == (0, 1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "{", r"config\.json cannot be read .* `gentle-clip train`"),
        ("config.json", "[]", "no JSON object"),
        ("run.json", "", r"run\.json cannot be read"),
        ("evaluation.json", '{"metrics": 3}', "lacks metrics with value, low and high"),
        ("evaluation.json", '{"metrics": {"i2t_r1": {"value": 1}}}', "lacks metrics"),
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
        ({"image": np.full((5, 64), np.nan)}, "not finite"),
        ({"images": np.zeros((5, 32, 32))}, "not uint8"),
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
    del arrays["text_initial"]
    np.savez(run / "embeddings.npz", **arrays)
    with pytest.raises(ValueError, match="text_initial"):
        read_run(run)


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(ValueError, match=r"holds no config\.json, so it is not a run folder"):
        read_run(tmp_path)
    with pytest.raises(ValueError, match="not a run folder"):
        read_run(tmp_path / "missing")


def test_a_config_alone_is_a_run(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"seed": 3}))
    content = read_run(tmp_path)
    assert content.config == {"seed": 3}
    assert content.last_step is None
    assert content.evaluation is None
    assert content.embeddings is None
