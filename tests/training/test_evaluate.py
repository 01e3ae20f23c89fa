import jax
import numpy as np
import pytest
import tiny_run

from gentle_clip_jax.runs.folder import RunFolder
from gentle_clip_jax.runs.read import read_evaluation
from gentle_clip_jax.storage.records import write_record
from gentle_clip_jax.tasks.icons import task as icons
from gentle_clip_jax.training import evaluate, train_state
from gentle_clip_jax.training.checkpoints import Checkpoints
from gentle_clip_jax.training.provenance import fingerprints

RECALL = {2: 0.1, 4: 0.6, 6: 0.3}
CONFIG = tiny_run.config()
DATASET = tiny_run.dataset()


@pytest.fixture(scope="module")
def initial():
    model = icons.build_model(CONFIG, DATASET)
    return train_state.init_state(CONFIG, icons, DATASET, model)


@pytest.fixture
def dataset(monkeypatch, initial):
    monkeypatch.setattr(icons, "load_data", lambda config, workdir: DATASET)
    # A function of the config, and slow to compile.
    monkeypatch.setattr(icons, "init_params", lambda *_: initial.params)


def state_at(step, initial):
    """Another state for every step, whose average is not its parameters."""
    rng = np.random.default_rng(step)
    average = jax.tree.map(
        lambda p: p + rng.normal(0, 0.1, p.shape).astype(p.dtype), initial.params
    )
    return initial._replace(step=np.int32(step), average=average)


@pytest.fixture
def workdir(tmp_path, initial, dataset):
    """A run whose validation was best in the middle."""
    tiny_run.begin(tmp_path, CONFIG)
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        for step, recall in RECALL.items():
            checkpoints.save(step, state_at(step, initial), recall)
    return tmp_path


def test_other_test_items_than_the_training_knew_are_told(workdir, notices):
    info, data = RunFolder(workdir).info, fingerprints(DATASET)
    write_record(info, {"data": data})
    evaluate.evaluate(workdir)
    assert "The data have changed" not in notices()
    write_record(info, {"data": data | {"test": "9 items, ab"}})
    evaluate.evaluate(workdir)
    assert "The data have changed since the run began (test)" in notices()
    info.write_text("[")
    evaluate.evaluate(workdir)
    assert f"{info} cannot be read" in notices()


def test_the_best_checkpoint_is_measured_on_test_items(workdir, initial):
    result = evaluate.evaluate(workdir)
    assert result["split"] == "test"
    assert result["step"] == 4
    assert result["num_items"] == len(DATASET.test)
    assert read_evaluation(RunFolder(workdir)) == result
    expected = {f"{way}_r{k}" for way in ("i2t", "t2i") for k in (1, 5, 10)}
    assert expected | {"mean_recall", "zero_shot_accuracy"} <= result["metrics"].keys()
    for figure in result["metrics"].values():
        assert figure["low"] <= figure["value"] <= figure["high"]

    model = icons.build_model(CONFIG, DATASET)
    with np.load(workdir / "embeddings.npz") as arrays:
        np.testing.assert_array_equal(arrays["names"], DATASET.test.names)
        np.testing.assert_array_equal(arrays["pictures"], DATASET.test.x)
        for suffix, params in (("", state_at(4, initial).average), ("_initial", initial.params)):
            x = icons.embed_x(model, params, DATASET, DATASET.test.x)
            y = icons.embed_y(model, params, DATASET, DATASET.test.y)
            np.testing.assert_allclose(arrays["x" + suffix], x, atol=1e-6)
            np.testing.assert_allclose(arrays["y" + suffix], y, atol=1e-6)


def test_evaluation_leaves_checkpoints_alone(workdir):
    (workdir / "checkpoints" / "99").mkdir()
    assert evaluate.evaluate(workdir)["step"] == 4
    assert (workdir / "checkpoints" / "99").is_dir()


def test_validation_items_decide(initial):
    model = icons.build_model(CONFIG, DATASET)
    figures = icons.validate(model, initial.params, DATASET)
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


def test_no_checkpoint_yet(tmp_path, dataset):
    tiny_run.begin(tmp_path, CONFIG)
    with pytest.raises(ValueError, match="has no checkpoint to evaluate yet"):
        evaluate.evaluate(tmp_path)
