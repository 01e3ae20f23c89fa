"""A saved aligner, and which of its sides embeddings are of."""

import pathlib
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.aligners import Aligner, load
from gentle_clip_jax.aligners.saved import local
from gentle_clip_jax.aligning import Side
from gentle_clip_jax.files import sha256

_OTHER = {"x": "y", "y": "x"}


class Opened(NamedTuple):
    """An aligner from a folder.

    path: the folder. aligner: what it holds. sha256: of its aligner.json.
    """

    path: pathlib.Path
    aligner: Aligner
    sha256: str

    def embed(self, side: str, features: np.ndarray) -> np.ndarray:
        """Unit rows [n, k] of raw features [n, d] of a side, "x" or "y"."""
        embed = self.aligner.embed_x if side == "x" else self.aligner.embed_y
        return np.asarray(embed(np.asarray(features)))

    def draw(self, side: str, rows: np.ndarray) -> np.ndarray:
        """Embedded rows [n, k] of a side as they are ranked for queries of the other."""
        draw = self.aligner.draw_x if side == "x" else self.aligner.draw_y
        return np.asarray(draw(rows))

    def encoder(self, side: str) -> dict[str, Any] | None:
        """The encoder that made the features of a side, if that is known."""
        return self.aligner.about.get("encoders", {}).get(side)

    def width(self, side: str) -> int:
        """How many features a row of a side has."""
        return self.aligner.about["fitted_on"][f"features_{side}"]

    def side_of(self, embeddings: Side, asked: str | None = None) -> str:
        """ "x" or "y": the side that embeddings are of, by their encoder, or else their width.

        Raises:
          ValueError: they fit neither or both, or another than is asked for.
        """
        width, path = embeddings.rows.features.shape[1], embeddings.path
        fits = [side for side in "xy" if self.width(side) == width]
        if not fits or (asked and asked not in fits):
            raise ValueError(
                f"{path} has {width} features a row; {self.path} was fitted to {self.width('x')} "
                f"of x and {self.width('y')} of y: give features of the same encoder."
            )
        made = embeddings.encoder
        if made is not None:
            known = [side for side in fits if self.encoder(side)]
            same = [side for side in known if _is_same(self.encoder(side), made)]
            if (len(known) == len(fits) and not same) or (asked in known and asked not in same):
                was = self.encoder(asked or known[0]) or {}
                raise ValueError(
                    f"{path} was made by {made['encoder']} and {self.path} was fitted to features "
                    f"of {was['encoder']} with other weights: encode with the same encoder."
                )
            fits = same or fits
        if asked is None and len(fits) > 1:
            raise ValueError(
                f"{path} could be of either side of {self.path}: say which, --side=x or --side=y."
            )
        return asked or fits[0]


def other(side: str) -> str:
    """The other of "x" and "y"."""
    return _OTHER[side]


def open_aligner(folder: str | pathlib.Path) -> Opened:
    """Reads what `gentle-clip align`, or `Aligner.save`, has written; see `load`.

    Raises:
      ValueError: the folder holds a trained run, or no sound aligner.
    """
    path = local(folder)
    if (path / "checkpoints").exists() and not (path / "aligner.json").exists():
        raise ValueError(
            f"{path} is a trained run, not an aligner: search its test items with "
            f"gentle-clip search --workdir={path}, or embed with restore in Python."
        )
    return Opened(path, load(path), sha256(path / "aligner.json"))


def _is_same(known: dict[str, Any] | None, made: dict[str, Any]) -> bool:
    # The two towers of one checkpoint have one file of weights.
    return known is not None and all(
        known.get(name) == made.get(name) for name in ("role", "layers", "weights_sha256")
    )
