"""Figures of methods in the folder of a comparison, so that an interruption costs one method."""

import contextlib
import logging
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gentle_clip_jax.comparing.comparison import FILES, KIND
from gentle_clip_jax.evaluation.cross_validation import HeldOut
from gentle_clip_jax.storage import owned, reading
from gentle_clip_jax.storage.writing import put_aside, write_arrays

_log = logging.getLogger(__name__)
_DIGEST = "comparison"
_COUNTS = ("fitted", "gallery", "splits")


class Folder:
    """Folder with one file for each method that was evaluated, or none.

    path: the folder of the comparison; None if nothing is to be kept.
    digest: of the data and settings. A file of another comparison is refused.
    """

    def __init__(self, path: str | pathlib.Path | None, digest: str):
        self.path = None if path is None else pathlib.Path(path) / "methods"
        self.digest = digest

    def writing(self) -> contextlib.AbstractContextManager[Any]:
        """Lock the folder of the comparison, if there is one."""
        if self.path is None:
            return contextlib.nullcontext()
        return owned.writing(self.path.parent, FILES[1], KIND, timeout=0)

    def kept(self, name: str, evaluate: Callable[[], HeldOut]) -> HeldOut:
        """Return the figures that are kept under a name, or evaluate and keep them.

        Raises:
          ValueError: the file is of another comparison.
        """
        if self.path is None:
            return evaluate()
        path = self.path / f"{name}.npz"
        figures = self._read(path) if path.exists() else None
        if figures is None:
            figures = evaluate()
            self._write(path, figures)
        return figures

    def _write(self, path: pathlib.Path, figures: HeldOut) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {f"log_rank/{name}": values for name, values in figures.log_rank.items()}
        arrays |= {f"recall/{name}": values for name, values in figures.recall.items()}
        counts = np.array([getattr(figures, name) for name in _COUNTS])
        write_arrays(path, {_DIGEST: self.digest, "counts": counts, **arrays})

    def _read(self, path: pathlib.Path) -> HeldOut | None:
        try:
            arrays = reading.read_arrays(path)
            digest = str(arrays[_DIGEST])
            fitted, gallery, splits = (int(count) for count in arrays["counts"])
            log_rank, recall = (_of_kind(arrays, kind) for kind in ("log_rank", "recall"))
            figures = HeldOut(log_rank, recall, fitted, gallery, splits)
        except (ValueError, LookupError, TypeError) as error:
            kept = put_aside(path).name
            _log.warning("%s cannot be used (%s): kept as %s, evaluated again.", path, error, kept)
            return None
        if digest != self.digest:
            raise ValueError(
                f"{path.parents[1]} holds a comparison on other data or with another seed: choose "
                "another --workdir, or delete that folder."
            )
        return figures


def _of_kind(arrays: Mapping[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    """Return the arrays of one kind by method."""
    names = (name for name in arrays if name.startswith(f"{kind}/"))
    return {name.removeprefix(f"{kind}/"): arrays[name] for name in names}
