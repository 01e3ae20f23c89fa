"""The folder of a run: paths of all its files."""

import pathlib
from typing import TYPE_CHECKING

from gentle_clip_jax.storage import stores
from gentle_clip_jax.storage.digests import sha256_of
from gentle_clip_jax.storage.records import read_record

if TYPE_CHECKING:
    from ml_collections import ConfigDict


class RunFolder:
    """Paths of the files in a run's folder.

    path: the folder itself.
    config, config_of_checkpoints: the config as JSON, and a second copy beside the checkpoints.
    info: versions, devices, commit, fingerprints of the data, and duration of the training.
    metrics: the log, one JSON object per line. tensorboard: the folder that TensorBoard reads.
    checkpoints: the folder of the checkpoints. lock: the lock file of the training process.
    evaluation: metrics of the test items. embeddings: these items before and after training.
    report: the HTML page.
    """

    def __init__(self, path: pathlib.Path):
        self.path = path
        self.config = path / "config.json"
        self.checkpoints = path / "checkpoints"
        self.config_of_checkpoints = self.checkpoints / "config.json"
        self.info = path / "run.json"
        self.metrics = path / "metrics.jsonl"
        self.tensorboard = path / "tensorboard"
        self.lock = path / "lock"
        self.evaluation = path / "evaluation.json"
        self.embeddings = path / "embeddings.npz"
        self.report = path / "report.html"

    @property
    def local(self) -> pathlib.Path:
        """A folder on the local disk, wherever the run is; its cache/ has prepared data."""
        return stores.scratch(self.path)

    def embedded(self, items: pathlib.Path, side: str) -> pathlib.Path:
        """Return the folder of the embeddings of a user's own items of x or y."""
        name = f"{items.stem}-{side}-{sha256_of(str(items))[:12]}"
        return self.local / "cache" / "embedded" / name

    def bad_step(self, step: int) -> pathlib.Path:
        """Return the path of the record of a step whose loss was not finite.

        The batch is beside it, as .npz.
        """
        return self.path / f"bad_step_{step}.json"

    @property
    def has_started(self) -> bool:
        """True if the folder has a logged step, a validation or a checkpoint.

        A run that failed earlier does not occupy the folder.
        """
        logged = self.metrics.exists() and stores.metadata(self.metrics)[1] > 0
        saved = self.checkpoints.is_dir() and any(
            child.name.isdigit() for child in self.checkpoints.iterdir()
        )
        return logged or saved


def holds_run(folder: str | pathlib.Path) -> bool:
    """Return whether a folder belongs to a run with checkpoints."""
    return RunFolder(pathlib.Path(folder)).checkpoints.exists()


def read_config(workdir: str | pathlib.Path) -> "ConfigDict":
    """Return the config of the run in a folder.

    Raises:
      ValueError: the folder has no readable config.json.
    """
    from ml_collections import ConfigDict

    path = RunFolder(stores.place(workdir)).config
    try:
        return ConfigDict(read_record(path))
    except FileNotFoundError as error:
        raise ValueError(
            f"{workdir} holds no run (no config.json): give the --workdir of gentle-clip train."
        ) from error
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path} cannot be read ({error}): run gentle-clip train again with the same config "
            "and --workdir to write it again."
        ) from error
