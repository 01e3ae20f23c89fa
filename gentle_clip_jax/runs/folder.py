"""The folder of a run: the single place that names its files."""

import dataclasses
import pathlib
from typing import TYPE_CHECKING

from gentle_clip_jax.storage import stores
from gentle_clip_jax.storage.digests import sha256_of
from gentle_clip_jax.storage.records import read_record

if TYPE_CHECKING:
    from ml_collections import ConfigDict


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """Paths of the files in a run's folder."""

    path: pathlib.Path

    @property
    def config(self) -> pathlib.Path:
        """The config, as JSON."""
        return self.path / "config.json"

    @property
    def config_of_checkpoints(self) -> pathlib.Path:
        """The config again, beside the states that it belongs to."""
        return self.checkpoints / "config.json"

    @property
    def info(self) -> pathlib.Path:
        """Versions, devices, commit, fingerprints of the data, and the time it took."""
        return self.path / "run.json"

    @property
    def metrics(self) -> pathlib.Path:
        """A line of JSON for each note of a training."""
        return self.path / "metrics.jsonl"

    @property
    def evaluation(self) -> pathlib.Path:
        """Figures on the test items."""
        return self.path / "evaluation.json"

    @property
    def embeddings(self) -> pathlib.Path:
        """The test items before and after training."""
        return self.path / "embeddings.npz"

    @property
    def checkpoints(self) -> pathlib.Path:
        """The folder of training states."""
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> pathlib.Path:
        """The folder that TensorBoard reads."""
        return self.path / "tensorboard"

    @property
    def lock(self) -> pathlib.Path:
        """The file that a training holds while it goes on."""
        return self.path / "lock"

    @property
    def local(self) -> pathlib.Path:
        """The folder whose cache/ holds what was prepared; on the disk, wherever the run is."""
        return stores.scratch(self.path)

    @property
    def report(self) -> pathlib.Path:
        """The HTML report on the run."""
        return self.path / "report.html"

    def embedded(self, items: pathlib.Path, side: str) -> pathlib.Path:
        """Return the folder of the embeddings of a user's own items of x or y."""
        name = f"{items.stem}-{side}-{sha256_of(str(items))[:12]}"
        return self.local / "cache" / "embedded" / name

    def bad_step(self, step: int) -> pathlib.Path:
        """Return the record of a step whose loss was not finite.

        Its batch lies beside it, as .npz.
        """
        return self.path / f"bad_step_{step}.json"

    @property
    def has_started(self) -> bool:
        """Return whether the folder has a step, a validation or a checkpoint.

        A run that failed before that has not taken the folder.
        """
        logged = self.metrics.exists() and stores.about(self.metrics)[1] > 0
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
      ValueError: the folder holds no readable config.json.
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
            "and --workdir, which writes it anew."
        ) from error
