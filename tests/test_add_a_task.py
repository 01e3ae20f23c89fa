"""CONTRIBUTING.md, "Add a task": what stands there trains, is evaluated, searched and reported."""

import pathlib
import re
import sys
import types

import jax
import ml_collections
import pytest

from gentle_clip_jax import load_config, report, tasks
from gentle_clip_jax.training.evaluate import evaluate, search
from gentle_clip_jax.training.loop import train

PAGE = pathlib.Path(__file__).parents[1] / "CONTRIBUTING.md"
TASK, SCHEMA, CONFIG = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


@pytest.fixture
def waves(monkeypatch):
    for name, text in {"task": TASK, "schema": SCHEMA}.items():
        module = types.ModuleType(f"gentle_clip_jax.tasks.waves.{name}")
        # Where Flax and msgspec look for annotations.
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(text, str(PAGE), "exec"), module.__dict__)
    monkeypatch.setattr(tasks, "TASKS", (*tasks.TASKS, "waves"))


def config(folder: pathlib.Path, **train: int) -> ml_collections.ConfigDict:
    (folder / "waves.py").write_text(CONFIG)
    result = load_config(folder / "waves.py")
    result.train.update(batch_matched=8, batch_unmatched=8, log_every=1, **train)
    result.optimizer.warmup_steps = 2
    return result


def test_a_new_task_is_short():
    assert len(TASK.splitlines()) < 150


@pytest.mark.slow
def test_a_new_task_trains_and_is_shown_with_its_own_words(waves, tmp_path):
    settings = config(tmp_path, steps=40, checkpoint_every=20)
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
    settings = config(tmp_path)
    settings.data.samples = 12
    with pytest.raises(ValueError, match="a multiple of 8, not 12"):
        train(settings, tmp_path)


def test_its_schema_is_asked(waves, tmp_path):
    settings = config(tmp_path)
    settings.data.samples = 2
    with pytest.raises(ValueError, match=r"samples must be a whole number from 8 to .*, not 2\.$"):
        train(settings, tmp_path)
