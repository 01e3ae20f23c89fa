"""A trained run as something that embeds."""

import dataclasses
import functools
import pathlib
from typing import Any

import ml_collections
import numpy as np

from gentle_clip_jax.data.batches import Dataset
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.files import sha256_of
from gentle_clip_jax.runs.folder import RunFolder, read_config
from gentle_clip_jax.runs.provenance import fingerprints
from gentle_clip_jax.stores import place
from gentle_clip_jax.tasks import task_of
from gentle_clip_jax.tasks.raw import Modality, Raw
from gentle_clip_jax.tasks.task import Task
from gentle_clip_jax.training.checkpoints import Checkpoints
from gentle_clip_jax.training.manifest import digest


@dataclasses.dataclass(frozen=True, eq=False)
class Restored:
    """The towers of a run with the parameters that did best on its validation items.

    params: the moving average at `step`; the optimizer's state is not read.
    """

    config: ml_collections.ConfigDict
    task: Task
    dataset: Dataset
    model: TwoTowers
    params: Any
    step: int

    def embed_x(self, items: Any) -> np.ndarray:
        """Unit rows [n, d] of n items of x: arrays as the task's data set holds them, or, where
        the modality is one of texts or sequences, a list of strings."""
        return self.task.embed_x(self.model, self.params, self.dataset, items)

    def embed_y(self, items: Any) -> np.ndarray:
        """Unit rows [m, d] of m items of y likewise; x @ y.T are cosines."""
        return self.task.embed_y(self.model, self.params, self.dataset, items)

    def embed(self, modality: Modality, items: Any) -> np.ndarray:
        """`embed_x` or `embed_y`."""
        return self.embed_x(items) if modality == "x" else self.embed_y(items)

    def read(self, modality: Modality, path: pathlib.Path) -> Raw:
        """A user's own items of x or of y; see `Task.read`."""
        return self.task.read(self.config, self.dataset, modality, path)

    def search(self, words: str) -> np.ndarray:
        """Cosines [n] of the run's test items with some words."""
        x, y = self.task.test_items(self.dataset)
        if self.task.TYPED == "y":
            return self.embed_x(x) @ self.embed_y([words])[0]
        return self.embed_y(y) @ self.embed_x([words])[0]

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of all that rows of `embed` hang on besides the items and the program."""
        about = {
            "config": self.config.to_dict(),
            "data": fingerprints(self.dataset),  # tokens and other preparations are made of them
            "params": digest(self.params),
        }
        return sha256_of(about)


def restore(workdir: str | pathlib.Path) -> Restored:
    """The best parameters of the run in a folder, which may be going on.

    Raises:
      ValueError: the folder holds no run, or no sound checkpoint yet.
    """
    folder, config = RunFolder(place(workdir)), read_config(workdir)
    with Checkpoints(folder.checkpoints, read_only=True) as checkpoints:
        found = checkpoints.restore_best_average()
    if found is None:
        raise ValueError(
            f"{workdir} has no checkpoint to evaluate yet: "
            f"run gentle-clip train --workdir={workdir}."
        )
    task = task_of(config)
    dataset = task.load_data(config, folder.local)
    model = task.build_model(config, dataset)
    return Restored(config, task, dataset, model, found.average, found.step)
