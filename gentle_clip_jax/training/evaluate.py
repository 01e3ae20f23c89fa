"""What a run has learned, measured on held-out items."""

import pathlib
from typing import Any

import numpy as np

from gentle_clip_jax.data.batches import Task
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.files import write_arrays, write_json
from gentle_clip_jax.runs.folder import RunFolder, read_config
from gentle_clip_jax.training import experiment
from gentle_clip_jax.training.checkpoints import Checkpoints
from gentle_clip_jax.training.experiment import TrainState


def evaluate(workdir: str | pathlib.Path) -> dict[str, Any]:
    """Measures the best checkpoint of a run on its test items.

    Writes evaluation.json (figures with bootstrap 95 % intervals) and embeddings.npz (the test
    items before and after training) into workdir, and returns what evaluation.json holds.

    Raises:
      ValueError: workdir holds no run, or no sound checkpoint yet.
    """
    workdir = pathlib.Path(workdir)
    field, task, model, initial, best = _restore_best(workdir)
    result = {
        "split": "test",
        "step": int(best.step),
        "num_items": len(task.test),
        "metrics": field.evaluate(model, best.average, task),
    }
    before, after = (field.embed_test(model, s.average, task) for s in (initial, best))
    embeddings = dict(zip(("image_initial", "text_initial", "image", "text"), before + after))
    pictures = field.pictures(task)
    arrays = {**embeddings, "names": task.test.names, "images": pictures, "set": "test"}
    write_arrays(RunFolder(workdir).embeddings, arrays, compressed=True)
    write_json(workdir / "evaluation.json", result)
    return result


def search(workdir: str | pathlib.Path, words: str, *, num: int = 5) -> list[str]:
    """Names of the `num` test items of a run that are nearest to `words`, nearest first.

    Raises:
      ValueError: words are empty, or workdir holds no run or no sound checkpoint yet.
    """
    if not words.strip():
        raise ValueError("There is nothing to search for: give some words.")
    field, task, model, _, best = _restore_best(pathlib.Path(workdir))
    nearest = np.argsort(-field.search(model, best.average, task, words), kind="stable")
    return [str(name) for name in task.test.names[nearest[:num]]]


def _restore_best(workdir: pathlib.Path) -> tuple[Any, Task, TwoTowers, TrainState, TrainState]:
    """The field, task and towers of a run, their first state, and that of the best checkpoint."""
    config = read_config(workdir)
    task = experiment.load_task(config, workdir)
    initial = experiment.init_state(config, task)
    with Checkpoints(workdir / "checkpoints", read_only=True) as checkpoints:
        best = checkpoints.restore(initial, best=True)
    if best is None:
        raise ValueError(
            f"{workdir} has no checkpoint to evaluate yet: "
            f"run gentle-clip train --workdir={workdir}."
        )
    model = experiment.build_model(config, task)
    return experiment.field_of(config), task, model, initial, best
