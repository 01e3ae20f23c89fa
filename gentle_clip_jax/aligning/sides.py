"""One modality as a person gives it: a file of embeddings, or a folder of `gentle-clip encode`."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.data import embeddings
from gentle_clip_jax.data.embeddings import FeatureSet
from gentle_clip_jax.data.thumbnails import thumbnails
from gentle_clip_jax.files import sha256_of
from gentle_clip_jax.pages.items import Card

_OF_AN_ENCODER = ("encoder", "role", "prompt", "layers", "views")


class Side(NamedTuple):
    """Embeddings, and what their folder tells of them.

    path: where they lie. rows: the embeddings. manifest: of a folder of `gentle-clip encode` or
    `gentle-clip embed`; of a file, {}.
    """

    path: pathlib.Path
    rows: FeatureSet
    manifest: dict[str, Any]

    @property
    def ids(self) -> list[str]:
        """The items, each once, in the order of their first rows."""
        return list(dict.fromkeys(self.rows.ids.tolist()))

    @property
    def data(self) -> pathlib.Path | None:
        """What the features were made of; None if that is not known."""
        data = self.manifest.get("arguments", {}).get("data")
        return pathlib.Path(data) if data else None

    @property
    def encoder(self) -> dict[str, Any] | None:
        """The encoder's name, role, layers, views and weights' SHA-256; None if not known."""
        arguments = self.manifest.get("arguments", {})
        if not arguments.get("encoder"):
            return None
        about = {name: arguments.get(name) for name in _OF_AN_ENCODER}
        return {**about, "weights_sha256": self.manifest.get("weights_sha256")}

    @property
    def sha256(self) -> dict[str, str]:
        """SHA-256 of the features and of their ids."""
        features = self.manifest.get("sha256", {}).get("features.npy")
        features = features or sha256_of(np.asarray(self.rows.features))
        return {"features": features, "ids": sha256_of(self.rows.ids.tolist())}

    def texts(self, ids: Sequence[str]) -> dict[str, str]:
        """The texts of items where they are known, several of one item a line each."""
        if self.rows.texts is None:
            return {}
        wanted, texts = set(ids), {}
        for id_, text in zip(self.rows.ids.tolist(), self.rows.texts.tolist()):
            if id_ in wanted:
                texts.setdefault(id_, []).append(text)
        return {id_: "\n".join(several) for id_, several in texts.items()}

    def cards(self, ids: Sequence[str], data: pathlib.Path | None = None) -> dict[str, Card]:
        """What a page shows of items: their texts and pictures, where they are known.

        data: the pictures, where the folder of features does not know them.
        """
        texts, pictures = self.texts(ids), thumbnails(data or self.data, ids)
        return {id_: Card(id_, text=texts.get(id_, ""), picture=pictures.get(id_)) for id_ in ids}


def read_side(path: str | pathlib.Path) -> Side:
    """Reads embeddings, and of a folder its manifest.

    Raises:
      ValueError: see `data.embeddings.read`.
    """
    path = pathlib.Path(path)
    rows = embeddings.read(path)
    manifest = json.loads((path / "manifest.json").read_text()) if path.is_dir() else {}
    return Side(path, rows, manifest)
