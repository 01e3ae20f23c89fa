"""Raw items embedded by the encoders of a trained run.

Embedded rows are cached in a collection on disk by the content of the items, so that each item is
embedded once.
"""

import itertools
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol

import numpy as np

from gentle_clip_jax.aligners.protocol import SharedSpace
from gentle_clip_jax.features import folder as folders
from gentle_clip_jax.features.arguments import check_folder
from gentle_clip_jax.features.encoder import Stacked
from gentle_clip_jax.features.update import update
from gentle_clip_jax.features.work import Work, as_they_are
from gentle_clip_jax.searching.encoder import QueryEncoder
from gentle_clip_jax.storage import locks

Modality = Literal["x", "y"]
_BATCH = 256
_UNREADABLE = (OSError, ValueError)


class Run(SharedSpace, Protocol):
    """Protocol of a trained run, which embeds raw items; see `training.restored.Restored`.

    typed: the modality whose items can be typed as words.
    read: reads raw items of a modality from a path, see `tasks.raw.Raw`.
    """

    @property
    def path(self) -> pathlib.Path: ...

    @property
    def sha256(self) -> str: ...

    @property
    def typed(self) -> Modality: ...

    def embed(self, modality: Modality, items: Any, /) -> np.ndarray: ...

    def read(
        self, path: pathlib.Path, modality: Modality | None = None, /
    ) -> tuple[Modality, Any]: ...

    def folder_of_rows(self, path: pathlib.Path, modality: Modality, /) -> pathlib.Path: ...


class RunItems:
    """Raw items and queries of a trained run."""

    def __init__(self, run: Run):
        self._run = run

    def features_of(self, path: pathlib.Path, modality: str | None) -> pathlib.Path:
        """Update the cached rows of the items at a path; return their folder, within the run's.

        Raises:
          ValueError: there are no items, or all are unreadable.
        """
        if folders.has_manifest(path):
            return path
        which, raw = self._run.read(path, _modality(modality))
        folder = self._run.folder_of_rows(path.resolve(), which)
        self._write(raw, which, path.resolve(), folder)
        return folder

    def embed_into(self, folder: pathlib.Path, path: pathlib.Path, modality: str) -> bool:
        """Update a folder with the embedded rows of the items of a modality at a path.

        Returns:
          True: the rows are embedded already.

        Raises:
          ValueError: there are no items, all are unreadable, or the folder has other content.
        """
        which, raw = self._run.read(path, _modality(modality))
        self._write(raw, which, path, folder)
        return True

    def word_encoder(self, first: str) -> QueryEncoder:
        """Return the encoder of words, which are items of the modality that can be typed."""
        which = self._run.typed
        return QueryEncoder(which, lambda words: self._run.embed(which, [words]))

    def encode_file(self, path: pathlib.Path) -> tuple[str, np.ndarray]:
        """Return the modality of the first item in a file, and its row [1, k].

        Raises:
          ValueError: there is none, or it is unreadable.
        """
        which, raw = self._run.read(path)
        try:
            return which, self._run.embed(which, raw.load(raw.inputs[:1]))
        except _UNREADABLE as error:
            raise ValueError(f"{path} {error}.") from error

    def _write(self, raw: Any, modality: Modality, path: pathlib.Path, out: pathlib.Path) -> None:
        # The name alone, so that a run whose folder is moved finds its rows again.
        name = self._run.path.resolve().name
        arguments = {"encoder": name, "role": modality, "data": str(path), "dtype": "float32"}
        check_folder(out, arguments)
        with locks.alone_in(out):
            update(self._work(raw, modality), out, arguments)

    def _work(self, raw: Any, modality: Modality) -> Work:
        def contents(numbers: Sequence[int]) -> list[tuple[str, str | None]]:
            return [_content(raw, number) for number in numbers]

        def embed(inputs: Iterable[Any]) -> Iterator[Stacked]:
            rest = iter(inputs)
            while batch := [*itertools.islice(rest, _BATCH)]:
                yield self._embedded(raw, modality, batch)

        index, metadata = np.arange(len(raw.rows)), {"weights_sha256": self._run.sha256}
        return Work(raw.rows, raw.inputs, index, contents, as_they_are, lambda: embed, metadata, ())

    def _embedded(self, raw: Any, modality: Modality, inputs: Sequence[Any]) -> Stacked:
        """Return rows [b, k] and, for each unreadable input, the reason; its row is zero."""
        try:
            return self._run.embed(modality, raw.load(inputs)), [None] * len(inputs)
        except _UNREADABLE as error:
            if len(inputs) == 1:
                width = self._run.metadata["fitted_on"][f"features_{modality}"]
                return np.zeros((1, width), np.float32), [str(error)]
        parts = [self._embedded(raw, modality, [one]) for one in inputs]
        return np.concatenate([rows for rows, _ in parts]), [why for _, (why,) in parts]


def _modality(name: str | None) -> Modality | None:
    if name is None:
        return None
    return "x" if name == "x" else "y"


def _content(raw: Any, number: int) -> tuple[str, str | None]:
    try:
        return raw.digest(raw.inputs[number]), None
    except _UNREADABLE as error:
        return "", str(error)
