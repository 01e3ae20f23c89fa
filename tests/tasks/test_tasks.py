"""A config names a task, and only that task is imported."""

import subprocess
import sys

import ml_collections
import pytest

from gentle_clip_jax.tasks import TASKS, task_of


@pytest.mark.parametrize("name", TASKS)
def test_a_task_imports_only_its_own(name):
    script = (
        "import sys, ml_collections\n"
        "from gentle_clip_jax.tasks import TASKS, task_of\n"
        "from gentle_clip_jax.training import loop\n"
        f"task_of(ml_collections.ConfigDict({{'task': '{name}'}}))\n"
        "print(*(task for task in TASKS if f'gentle_clip_jax.tasks.{task}' in sys.modules))"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert process.stdout.split() == [name], process.stderr


def test_an_unknown_task_is_named():
    with pytest.raises(ValueError, match=r"one of icons, .*, not waves\.$"):
        task_of(ml_collections.ConfigDict({"task": "waves"}))
