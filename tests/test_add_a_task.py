"""docs/add_a_task.md: what stands there trains, is evaluated, searched and reported."""

import pathlib
import re
import sys
import types

import jax
import ml_collections
import pytest
import tiny_run

from gentle_clip_jax import report, tasks
from gentle_clip_jax.training.evaluate import evaluate, search
from gentle_clip_jax.training.loop import train

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "add_a_task.md"
TASK, KEYS, _ = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


@pytest.fixture
def waves(monkeypatch):
    module = types.ModuleType("waves")
    monkeypatch.setitem(sys.modules, "waves", module)  # where Flax looks for annotations
    exec(compile(TASK, str(PAGE), "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, "gentle_clip_jax.tasks.waves.task", module)
    monkeypatch.setattr(tasks, "TASKS", (*tasks.TASKS, "waves"))
    return module


def config() -> ml_collections.ConfigDict:
    keys = {}
    exec(KEYS, keys)
    result = tiny_run.config().copy_and_resolve_references()
    result.unlock()
    for name in ("data", "views", "model"):
        shared = {k: v for k, v in result[name].items() if k in ("embedding_dim", "head_dropout")}
        shared |= {"dtype": "float32"} if name == "model" else {}
        result[name] = shared | keys["_waves"]()[name]
    result.task = "waves"
    return result


def test_a_new_task_is_short():
    assert len(TASK.splitlines()) < 150


@pytest.mark.slow
def test_a_new_task_trains_and_is_shown_with_its_own_words(waves, tmp_path):
    settings = config()
    settings.update({"train": {"steps": 40, "checkpoint_every": 20}})
    with jax.numpy_dtype_promotion("standard"):  # Optax's Adam promotes its count of steps
        train(settings, tmp_path)
        found = evaluate(tmp_path)
        assert found["modalities"] == ["wave", "description"]
        assert found["metrics"]["i2t_r5"]["value"] > 0.3  # chance is 0.1
        assert len(search(tmp_path, "high loud", num=3)) == 3
    page = pathlib.Path(report.write_report(tmp_path)).read_text()
    assert "Wave to description" in page
    assert "image" not in re.sub(r'<[^>]*>|data:image|"image/', "", page)


def test_its_check_is_asked(waves, tmp_path):
    settings = config()
    settings.data.samples = 2
    with pytest.raises(ValueError, match="at least 8"):
        train(settings, tmp_path)
