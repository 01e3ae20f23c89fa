"""A trained run as an aligner: its towers embed raw items, and their rows are compared as they are.

Rows are kept by what they are of, in a folder like that of `gentle-clip encode`, so that an item is
embedded once.
"""

import functools
import itertools
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from gentle_clip_jax import progress
from gentle_clip_jax.aligners import Aligner
from gentle_clip_jax.aligners.closed_form import Maps
from gentle_clip_jax.aligners.standardize import Standardizer
from gentle_clip_jax.data import lock
from gentle_clip_jax.data.batches import take
from gentle_clip_jax.features.arguments import check_folder
from gentle_clip_jax.features.embedder import Stacked
from gentle_clip_jax.features.update import update
from gentle_clip_jax.features.work import Work, as_they_are

if TYPE_CHECKING:  # training is slow to load, and fitted aligners do without it
    from gentle_clip_jax.tasks.raw import Modality, Raw

_BATCH = 256
_UNREADABLE = (OSError, ValueError)


class Towers:
    """A run in a folder.

    Raises:
      ValueError: see `restore`.
    """

    def __init__(self, path: pathlib.Path):
        from gentle_clip_jax.training.restored import restore

        self.path, self.run = path, restore(path)

    @functools.cached_property
    def aligner(self) -> Aligner:
        """Takes rows of the towers, which have one space already, and leaves them as they are."""
        width = self._width
        same, zero, one = Standardizer.of(np.zeros((0, width))), jnp.zeros(width), jnp.eye(width)
        about = {
            "method": "towers",
            "modalities": [*self.run.task.MODALITIES],
            "step": self.run.step,
            "fitted_on": {"features_x": width, "features_y": width},
            "encoders": {side: self._encoder(side) for side in "xy"},
        }
        return Aligner(same, same, Maps(zero, one, zero, one)).with_about(about)

    @functools.cached_property
    def _width(self) -> int:
        """How many numbers a row has."""
        x, _ = self.run.task.test_items(self.run.dataset)
        return self.run.embed_x(take(x, slice(0, 1))).shape[1]

    def _encoder(self, side: str) -> dict[str, Any]:
        about = {"encoder": str(self.path), "role": side, "prompt": None}
        return {**about, "weights_sha256": self.run.sha256}

    def raw(self, path: pathlib.Path, side: str | None = None) -> tuple["Modality", "Raw"]:
        """Items of x or y at a path: of the side that is asked for, or of the first that fits.

        Raises:
          ValueError: there are none.
        """
        if side is not None:
            modality: Modality = "x" if side == "x" else "y"
            return modality, self.run.read(modality, path)
        reasons = []
        for name, modality in zip(self.run.task.MODALITIES, ("x", "y")):
            try:
                return modality, self.run.read(modality, path)
            except _UNREADABLE as error:
                reasons.append(f"of {name}s: {str(error).rstrip('.')}")
        raise ValueError(f"{path} holds no items of {self.path}: {'; '.join(reasons)}.")

    def kept(self, path: pathlib.Path, side: str | None = None) -> pathlib.Path:
        """The folder with the rows of the items at a path, brought up to date, in the run's."""
        from gentle_clip_jax.runs.folder import RunFolder

        modality, raw = self.raw(path, side)
        folder = RunFolder(self.path).embedded(path.resolve(), modality)
        self._write(raw, modality, path.resolve(), folder)
        return folder

    def write(self, path: pathlib.Path, side: str, out: pathlib.Path) -> None:
        """Brings the folder `out` up to date with the rows of the items of a side at a path.

        Raises:
          ValueError: there are no items, none can be used, or the folder holds something else.
        """
        modality, raw = self.raw(path, side)
        self._write(raw, modality, path, out)

    def _write(self, raw: "Raw", side: "Modality", path: pathlib.Path, out: pathlib.Path) -> None:
        # The name alone, so that a run whose folder is moved finds its rows again.
        name = self.path.resolve().name
        arguments = {"encoder": name, "role": side, "data": str(path), "dtype": "float32"}
        check_folder(out, arguments)
        with lock.alone_in(out):
            update(self._work(raw, side), out, arguments, say=progress.console())

    def _work(self, raw: "Raw", side: "Modality") -> Work:
        def contents(numbers: Sequence[int]) -> list[tuple[str, str | None]]:
            return [_content(raw, number) for number in numbers]

        def embed(inputs: Iterable[Any]) -> Iterator[Stacked]:
            rest = iter(inputs)
            while batch := [*itertools.islice(rest, _BATCH)]:
                yield self._embedded(raw, side, batch)

        index, about = np.arange(len(raw.rows)), {"weights_sha256": self.run.sha256}
        return Work(raw.rows, raw.inputs, index, contents, as_they_are, lambda: embed, about, ())

    def _embedded(self, raw: "Raw", side: "Modality", inputs: Sequence[Any]) -> Stacked:
        """Rows [b, k], and why there is none of an input; rows of such are zero."""
        try:
            return self.run.embed(side, raw.load(inputs)), [None] * len(inputs)
        except _UNREADABLE as error:
            if len(inputs) == 1:
                return np.zeros((1, self._width), np.float32), [str(error)]
        parts = [self._embedded(raw, side, [one]) for one in inputs]
        return np.concatenate([rows for rows, _ in parts]), [why for _, (why,) in parts]

    def of_words(self, words: str) -> np.ndarray:
        """The row [1, k] of some words, an item of the side that can be typed."""
        return self.run.embed(self.run.task.TYPED, [words])

    def of_file(self, path: pathlib.Path) -> tuple[str, np.ndarray]:
        """The side of the first item in a file, and its row [1, k].

        Raises:
          ValueError: there is none, or it cannot be used.
        """
        side, raw = self.raw(path)
        try:
            return side, self.run.embed(side, raw.load(raw.inputs[:1]))
        except _UNREADABLE as error:
            raise ValueError(f"{path} {error}.") from error


def _content(raw: "Raw", number: int) -> tuple[str, str | None]:
    try:
        return raw.digest(raw.inputs[number]), None
    except _UNREADABLE as error:
        return "", str(error)
