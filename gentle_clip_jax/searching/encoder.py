"""Query encoders: the encoders that made an aligner's features, for words or a file."""

import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.aligners.aligner import Aligner
from gentle_clip_jax.data import images
from gentle_clip_jax.features.encoder import Encoder

_WORDS = ("text", "sequence")


class QueryEncoder(NamedTuple):
    """A loaded encoder of queries.

    side: the modality of its features, "x" or "y". embed: function from words, or the bytes of an
    image file, to features [1, d]. smooth: function from features of words to features that rank
    items of the other modality, see `Aligner.smooth_queries_x`.
    """

    side: str
    embed: Callable[[Any], np.ndarray]
    smooth: Callable[[np.ndarray], np.ndarray] = np.asarray


class FeatureItems:
    """Items and queries of a fitted aligner: items are features, queries need their encoders.

    name: the aligner, for messages.
    encoders: the encoder that made the features of each modality; None if unknown.
    aligner: the aligner, which smooths words; None before there is one.
    """

    def __init__(self, name: str, encoders: Mapping[str, Any], aligner: Aligner | None = None):
        self._name, self._encoders, self._aligner = name, encoders, aligner

    def features_of(self, path: pathlib.Path, modality: str | None) -> pathlib.Path:
        """Return the path itself: it has features already."""
        return path

    def embed_into(self, folder: pathlib.Path, path: pathlib.Path, modality: str) -> bool:
        """Return False: features still have to be embedded by the aligner."""
        return False

    def word_encoder(self, first: str) -> QueryEncoder:
        """Load the encoder of words: that of the modality `first`, or else of the other one.

        Raises:
          ValueError: no encoder reads words, or it is unknown, or its weights have changed.
        """
        modalities = (first, "y" if first == "x" else "x")
        for modality in modalities:
            if self._role(modality) in _WORDS:
                return self._loaded(modality)
        if all(self._encoders.get(modality) is None for modality in modalities):
            raise ValueError(
                f"{self._name} does not know which encoder made its features: fit it to folders of "
                "gentle-clip encode to search by words, or search by --like=ID."
            )
        raise ValueError(f"No encoder of {self._name} reads words: search by --like=ID or a file.")

    def encode_file(self, path: pathlib.Path) -> tuple[str, np.ndarray]:
        """Return the modality and features [1, d] of a file: an image by its suffix, else a text.

        Raises:
          ValueError: no encoder reads such files, or its weights have changed.
        """
        if path.suffix.lower() not in images.SUFFIXES:
            encoder = self.word_encoder("y")
            return encoder.side, encoder.embed(path.read_text(encoding="utf-8"))
        for modality in "xy":
            if self._role(modality) == "image":
                return modality, self._loaded(modality).embed(path.read_bytes())
        raise ValueError(f"No encoder of {self._name} takes images such as {path}.")

    def _role(self, modality: str) -> str | None:
        from gentle_clip_jax.encoders.published.pretrained import role_of  # slow to load

        encoder = self._encoders.get(modality)
        return None if encoder is None else role_of(encoder["encoder"], encoder["role"])

    def _loaded(self, modality: str) -> QueryEncoder:
        from gentle_clip_jax.features.loading import load_encoder  # slow to load

        made_by = self._encoders[modality]
        name, settings = made_by["encoder"], {k: made_by.get(k) for k in ("layers", "views")}
        encoder = load_encoder(name, role=self._role(modality), batch_size=1, **settings)
        if encoder.metadata["weights_sha256"] != made_by["weights_sha256"]:
            raise ValueError(
                f"The weights of {name} are not those that made the features {self._name} was "
                "fitted to: install the same, or encode again and align again."
            )
        embed, by = functools.partial(_features, encoder), self._aligner
        if by is None or encoder.role != "text":
            return QueryEncoder(modality, embed)
        smooth = by.smooth_queries_x if modality == "x" else by.smooth_queries_y
        return QueryEncoder(modality, embed, smooth)


def _features(encoder: Encoder, query: Any) -> np.ndarray:
    if encoder.role == "sequence":
        query = "".join(query.split()).upper()
    features, reasons = encoder.embed([query])
    if reasons[0] is not None:
        raise ValueError(f"There is nothing to search for: the query {reasons[0]}.")
    return features
