"""What a run has learned, measured on held-out items."""

import pathlib
from typing import Any

import jax
import numpy as np

from gentle_clip_jax import evals, experiment
from gentle_clip_jax.checkpoint import Checkpoints
from gentle_clip_jax.data.icons import head_word
from gentle_clip_jax.data.pipeline import Pairs, Task
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.experiment import TrainState
from gentle_clip_jax.run_log import write_json


def embed_items(model: TwoTowers, params: Any, items: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Unit embeddings [n, d] of the images and of the names of n items, without augmentation."""
    return (
        np.asarray(_embed_images(model, params, items.images)),
        np.asarray(_embed_texts(model, params, items.tokens)),
    )


def validate(model: TwoTowers, params: Any, task: Task) -> dict[str, float]:
    """Retrieval and zero-shot figures on the validation items, for choosing a checkpoint."""
    image, text = embed_items(model, params, task.validation)
    names = task.validation.names
    metrics = evals.retrieval_metrics(image, text, image_ids=names, text_ids=names)
    rows, labels = zero_shot_labels(names, task.classes)
    classes = _embed_texts(model, params, task.encode(task.classes))
    return metrics | evals.zero_shot_metrics(image[rows], classes, labels)


def zero_shot_labels(names: np.ndarray, classes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose head word is a class, and the number of that class."""
    heads = [head_word(name) for name in names]
    rows = [i for i, head in enumerate(heads) if head in classes]
    return np.array(rows), np.array([classes.index(heads[i]) for i in rows])


def evaluate(workdir: str | pathlib.Path) -> dict[str, Any]:
    """Measures the best checkpoint of a run on its test items.

    Writes evaluation.json (figures with bootstrap 95 % intervals) and embeddings.npz (the test
    items before and after training) into workdir, and returns what evaluation.json holds.

    Raises:
      ValueError: workdir holds no run, or no sound checkpoint yet.
    """
    workdir = pathlib.Path(workdir)
    task, model, initial, best = _restore_best(workdir)
    step, params = int(best.step), best.average
    before, after = (embed_items(model, p, task.test) for p in (initial.average, params))
    names = task.test.names
    rows, labels = zero_shot_labels(names, task.classes)
    classes = _embed_texts(model, params, task.encode(task.classes))
    result = {
        "split": "test",
        "step": step,
        "num_items": len(names),
        "metrics": evals.retrieval_intervals(*after, image_ids=names, text_ids=names)
        | evals.zero_shot_intervals(after[0][rows], classes, labels),
    }
    embeddings = dict(zip(("image_initial", "text_initial", "image", "text"), before + after))
    part = workdir / "embeddings.part.npz"
    np.savez_compressed(part, **embeddings, names=names, images=task.test.images, set="test")
    part.replace(workdir / "embeddings.npz")
    write_json(workdir / "evaluation.json", result)
    return result


def search(workdir: str | pathlib.Path, words: str, *, num: int = 5) -> list[str]:
    """Names of the `num` test items of a run whose images are nearest to `words`, nearest first.

    Raises:
      ValueError: words are empty, or workdir holds no run or no sound checkpoint yet.
    """
    if not words.strip():
        raise ValueError("There is nothing to search for: give some words.")
    task, model, _, best = _restore_best(pathlib.Path(workdir))
    image = _embed_images(model, best.average, task.test.images)
    text = _embed_texts(model, best.average, task.encode([words]))
    nearest = np.argsort(-np.asarray(image @ text[0]))[:num]
    return [str(task.test.names[i]) for i in nearest]


def _restore_best(workdir: pathlib.Path) -> tuple[Task, TwoTowers, TrainState, TrainState]:
    """The task and towers of a run, their first state, and that of the best checkpoint."""
    config = experiment.read_config(workdir)
    task = experiment.load_task(config, workdir)
    model = experiment.build_model(config, task.vocab_size)
    initial = experiment.init_state(config, task)
    with Checkpoints(workdir / "checkpoints") as checkpoints:
        best = checkpoints.restore(initial, best=True)
    if best is None:
        raise ValueError(
            f"{workdir} has no checkpoint to evaluate yet: "
            f"run gentle-clip train --workdir={workdir}."
        )
    return task, model, initial, best


@jax.jit(static_argnums=0)
def _embed_images(model: TwoTowers, params: Any, images) -> Any:
    return model.apply({"params": params}, experiment.pixels(images), method=model.embed_images)


@jax.jit(static_argnums=0)
def _embed_texts(model: TwoTowers, params: Any, tokens) -> Any:
    return model.apply({"params": params}, tokens, method=model.embed_texts)
