"""Evaluation of a run on its test items, and search among them."""

import logging
import pathlib
from typing import Any

import numpy as np

from gentle_clip_jax.data.batches import Dataset
from gentle_clip_jax.runs.folder import RunFolder
from gentle_clip_jax.runs.read import read_info
from gentle_clip_jax.runs.resumed import warn_of_changed_data
from gentle_clip_jax.storage.locks import WAIT, alone_in
from gentle_clip_jax.storage.progress import working
from gentle_clip_jax.storage.records import write_record
from gentle_clip_jax.storage.stores import place
from gentle_clip_jax.storage.writing import write_arrays
from gentle_clip_jax.training.provenance import fingerprints
from gentle_clip_jax.training.restored import restore

_log = logging.getLogger(__name__)


@working("measuring test items")
def evaluate(workdir: str | pathlib.Path) -> dict[str, Any]:
    """Measure the best checkpoint of a run on its test items.

    Writes evaluation.json (figures with bootstrap 95 % intervals) and embeddings.npz (the test
    items before and after training) into workdir, and returns the content of evaluation.json.

    Raises:
      ValueError: workdir holds no run, or no intact checkpoint yet.
    """
    folder, run = RunFolder(place(workdir)), restore(workdir)
    task, dataset, model = run.task, run.dataset, run.model
    _compare_data(folder, dataset)
    result = {
        "split": "test",
        "step": run.step,
        "num_items": len(dataset.test),
        "modalities": [*task.MODALITIES],
        "metrics": task.evaluate(model, run.params, dataset),
    }
    initial = task.init_params(run.config, dataset, model)
    arrays = {"names": dataset.test.names, "pictures": task.pictures(dataset), "set": "test"}
    x, y = task.test_items(dataset)
    for suffix, params in (("_initial", initial), ("", run.params)):
        arrays[f"x{suffix}"] = task.embed_x(model, params, dataset, x)
        arrays[f"y{suffix}"] = task.embed_y(model, params, dataset, y)
    with alone_in(folder.local / "cache" / "evaluating", timeout=WAIT):
        folder.evaluation.unlink(missing_ok=True)  # until the embeddings are those of its step
        write_arrays(folder.embeddings, arrays, compressed=True)
        write_record(folder.evaluation, result)
    return result


def _compare_data(folder: RunFolder, dataset: Dataset) -> None:
    """Warn if the data differ from those of the training, which may include the test items."""
    try:
        warn_of_changed_data(read_info(folder), {"data": fingerprints(dataset)})
    except ValueError as error:
        _log.warning(error)


@working("searching")
def search(workdir: str | pathlib.Path, words: str, *, num: int = 5) -> list[str]:
    """Return the names of the `num` test items of a run that are nearest to `words`, nearest first.

    Raises:
      ValueError: words are empty, or workdir holds no run or no intact checkpoint yet.
    """
    if not words.strip():
        raise ValueError("There is nothing to search for: give some words.")
    run = restore(workdir)
    nearest = np.argsort(-run.search(words), kind="stable")
    return [str(name) for name in run.dataset.test.names[nearest[:num]]]
