"""A trained run as an aligner: its towers embed raw items into one space."""

import dataclasses
import functools
import pathlib
from typing import Any

import ml_collections
import numpy as np

from gentle_clip_jax.data.batches import Dataset, take
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.runs.folder import RunFolder, read_config
from gentle_clip_jax.storage.digests import sha256_of
from gentle_clip_jax.storage.stores import place
from gentle_clip_jax.tasks import task_of
from gentle_clip_jax.tasks.raw import MODALITIES, Modality, Raw
from gentle_clip_jax.tasks.task import Task
from gentle_clip_jax.training.checkpoints import Checkpoints
from gentle_clip_jax.training.manifest import digest
from gentle_clip_jax.training.provenance import fingerprints


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Restored:
    """The towers of a run, with the parameters that scored best on its validation items.

    It satisfies the protocol of an aligner, `aligners.protocol.SharedSpace`. Its features are rows
    that it has embedded; embedding them again only scales them to unit length.

    path: the folder of the run.
    params: the moving average at `step`; the optimizer's state is not read.
    """

    path: pathlib.Path
    config: ml_collections.ConfigDict
    task: Task
    dataset: Dataset
    model: TwoTowers
    params: Any
    step: int

    def embed_x(self, items: Any) -> np.ndarray:
        """Return unit rows [n, d] of n items of x: arrays in the form of the task's data set, a
        list of strings if the modality can be typed, or embedded rows [n, d]."""
        return _unit(items) if self._are_embedded(items) else self.embed("x", items)

    def embed_y(self, items: Any) -> np.ndarray:
        """Return unit rows [m, d] of m items of y likewise; x @ y.T are cosines."""
        return _unit(items) if self._are_embedded(items) else self.embed("y", items)

    def embed(self, modality: Modality, items: Any) -> np.ndarray:
        """Return unit rows [n, d] of n raw items of a modality."""
        embed = self.task.embed_x if modality == "x" else self.task.embed_y
        return embed(self.model, self.params, self.dataset, items)

    def _are_embedded(self, items: Any) -> bool:
        """Return True for embedded rows: floats [n, d], as wide as the space."""
        if not (isinstance(items, np.ndarray) and items.ndim == 2):
            return False
        is_float = np.issubdtype(items.dtype, np.floating)
        return is_float and items.shape[1] == self._metadata["fitted_on"]["features_x"]

    def smooth_gallery_x(self, rows: Any) -> Any:
        """Return the rows unchanged: runs have no gallery smoothing."""
        return rows

    def smooth_gallery_y(self, rows: Any) -> Any:
        """Return the rows unchanged: runs have no gallery smoothing."""
        return rows

    def __repr__(self) -> str:
        return f"Restored({str(self.path)[:500]}, task {self.config.task}, step {self.step:,})"

    @property
    def can_refit(self) -> bool:
        """False: towers change only by training."""
        return False

    @property
    def held_out(self) -> None:
        """None: a run stores no held-out pairs."""
        return None

    @property
    def metadata(self) -> dict[str, Any]:
        """Metadata: method, modalities, step, encoders, width of embedded rows."""
        return self._metadata

    @functools.cached_property
    def _metadata(self) -> dict[str, Any]:
        x, _ = self.task.test_items(self.dataset)
        one = take(x, slice(0, 1))
        width = self.task.embed_x(self.model, self.params, self.dataset, one).shape[1]
        encoder = {"encoder": str(self.path), "prompt": None, "weights_sha256": self.sha256}
        return {
            "method": "towers",
            "modalities": [*self.task.MODALITIES],
            "step": self.step,
            "fitted_on": {"features_x": width, "features_y": width},
            "encoders": {modality: {**encoder, "role": modality} for modality in "xy"},
        }

    @property
    def typed(self) -> Modality:
        """Modality whose items can be typed as words."""
        return self.task.TYPED

    def read(self, path: pathlib.Path, modality: Modality | None = None) -> tuple[Modality, Raw]:
        """Return a user's own items at a path, of the given modality or of the first that fits.

        Raises:
          ValueError: the path has no items of the run's modalities.
        """
        if modality is not None:
            return modality, self.task.read(self.config, self.dataset, modality, path)
        reasons = []
        for name, each in zip(self.task.MODALITIES, MODALITIES):
            try:
                return self.read(path, each)
            except (OSError, ValueError) as error:
                reasons.append(f"as {name}s: {str(error).rstrip('.')}")
        raise ValueError(f"{path} has no items for the run {self.path}: {'; '.join(reasons)}.")

    def folder_of_rows(self, path: pathlib.Path, modality: Modality) -> pathlib.Path:
        """Return the folder, inside the run's, that caches the rows of a user's own items."""
        return RunFolder(self.path).embedded(path, modality)

    def search(self, words: str) -> np.ndarray:
        """Return the cosines [n] of the run's test items with some words."""
        x, y = self.task.test_items(self.dataset)
        if self.task.TYPED == "y":
            return self.embed("x", x) @ self.embed("y", [words])[0]
        return self.embed("y", y) @ self.embed("x", [words])[0]

    @property
    def sha256(self) -> str:
        """SHA-256 of everything that determines `embed` besides the items and the program."""
        return self._sha256

    @functools.cached_property
    def _sha256(self) -> str:
        inputs = {
            "config": self.config.to_dict(),
            "data": fingerprints(self.dataset),  # for instance, tokens are learned from them
            "params": digest(self.params),
        }
        return sha256_of(inputs)


def restore(workdir: str | pathlib.Path) -> Restored:
    """Return the run in a folder with its best parameters; it may still be training.

    Raises:
      ValueError: the folder holds no run, or no intact checkpoint yet.
    """
    path, config = place(workdir), read_config(workdir)
    folder = RunFolder(path)
    with Checkpoints(folder.checkpoints, read_only=True) as checkpoints:
        best = checkpoints.restore_best_average()
    if best is None:
        raise ValueError(
            f"{workdir} has no checkpoint to evaluate yet: "
            f"run gentle-clip train --workdir={workdir}."
        )
    task = task_of(config)
    dataset = task.load_data(config, folder.local)
    model = task.build_model(config, dataset)
    return Restored(path, config, task, dataset, model, best.average, best.step)


def _unit(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)
