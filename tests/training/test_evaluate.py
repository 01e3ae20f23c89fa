import json

import jax
import numpy as np
import pytest
import tiny_run

from gentle_clip_jax.tasks.icons import task as icons
from gentle_clip_jax.training import evaluate, experiment
from gentle_clip_jax.training.checkpoints import Checkpoints

RECALL = {2: 0.1, 4: 0.6, 6: 0.3}
CONFIG = tiny_run.config()
TASK = tiny_run.task()


@pytest.fixture(scope="module")
def initial():
    return experiment.init_state(CONFIG, TASK)


@pytest.fixture
def task(monkeypatch, initial):
    monkeypatch.setattr(experiment, "load_task", lambda config, workdir: TASK)
    # A function of the config, and slow to compile.
    monkeypatch.setattr(experiment, "init_state", lambda config, task: initial)


def state_at(step, initial):
    """Another state for every step, whose average is not its parameters."""
    rng = np.random.default_rng(step)
    average = jax.tree.map(
        lambda p: p + rng.normal(0, 0.1, p.shape).astype(p.dtype), initial.params
    )
    return initial._replace(step=np.int32(step), average=average)


@pytest.fixture
def workdir(tmp_path, initial, task):
    """A run whose validation was best in the middle."""
    experiment.open_workdir(CONFIG, tmp_path)
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        for step, recall in RECALL.items():
            checkpoints.save(step, state_at(step, initial), recall)
    return tmp_path


def test_the_best_checkpoint_is_measured_on_test_items(workdir, initial):
    result = evaluate.evaluate(workdir)
    assert result["split"] == "test"
    assert result["step"] == 4
    assert result["num_items"] == len(TASK.test)
    assert json.loads((workdir / "evaluation.json").read_text()) == result
    expected = {f"{way}_r{k}" for way in ("i2t", "t2i") for k in (1, 5, 10)}
    assert expected | {"mean_recall", "zero_shot_accuracy"} <= result["metrics"].keys()
    for figure in result["metrics"].values():
        assert figure["low"] <= figure["value"] <= figure["high"]

    model = experiment.build_model(CONFIG, TASK)
    with np.load(workdir / "embeddings.npz") as arrays:
        np.testing.assert_array_equal(arrays["names"], TASK.test.names)
        np.testing.assert_array_equal(arrays["images"], TASK.test.x)
        for suffix, params in (("", state_at(4, initial).average), ("_initial", initial.params)):
            image, text = icons.embed_test(model, params, TASK)
            np.testing.assert_allclose(arrays["image" + suffix], image, atol=1e-6)
            np.testing.assert_allclose(arrays["text" + suffix], text, atol=1e-6)


def test_evaluation_leaves_checkpoints_alone(workdir):
    (workdir / "checkpoints" / "99").mkdir()
    assert evaluate.evaluate(workdir)["step"] == 4
    assert (workdir / "checkpoints" / "99").is_dir()


def test_validation_items_decide(initial):
    model = experiment.build_model(CONFIG, TASK)
    figures = icons.validate(model, initial.params, TASK)
    assert 0 <= figures["mean_recall"] <= 1
    assert 0 <= figures["zero_shot_accuracy"] <= 1


def test_zero_shot_labels():
    names = np.array(["arrow left", "box", "arrow", "cloud", "box open"])
    rows, labels = icons.zero_shot_labels(names, ["box", "arrow"])
    assert rows.tolist() == [0, 1, 2, 4]
    assert labels.tolist() == [1, 0, 1, 0]


def test_no_run(tmp_path):
    with pytest.raises(ValueError, match="holds no run"):
        evaluate.evaluate(tmp_path)


def test_no_checkpoint_yet(tmp_path, task):
    experiment.open_workdir(CONFIG, tmp_path)
    with pytest.raises(ValueError, match="has no checkpoint to evaluate yet"):
        evaluate.evaluate(tmp_path)
