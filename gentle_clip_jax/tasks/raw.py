"""A user's own items: their ids, and their conversion to arrays."""

import pathlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple

import numpy as np

from gentle_clip_jax.data import images, texts
from gentle_clip_jax.data.batches import Items
from gentle_clip_jax.storage.digests import sha256_of

Modality = Literal["x", "y"]
MODALITIES: tuple[Modality, Modality] = ("x", "y")


class Raw(NamedTuple):
    """Items of one modality, whose content is not read yet.

    rows [n]: the id of each item and, where known, its split, label and text.
    inputs [n]: the source of each item.
    digest: function from an input to the SHA-256 of its content.
    load: function from some inputs to their items, as the task's `embed_x` or `embed_y` takes them.

    Both functions raise OSError or ValueError with the reason if an input cannot be used.
    """

    rows: list[dict[str, Any]]
    inputs: Sequence[Any]
    digest: Callable[[Any], str]
    load: Callable[[Sequence[Any]], Items]


def images_in(path: pathlib.Path, size: int) -> Raw:
    """Return images, loaded as uint8 [n, size, size, 3]; errors are those of `list_images`."""

    def load(some: Sequence[images.Image]) -> np.ndarray:
        with ThreadPoolExecutor() as pool:
            return np.stack([*pool.map(lambda image: images.decode(image.read(), size), some)])

    listed = images.list_images(path)
    rows = [{"id": image.id, "split": image.split, "label": image.label} for image in listed]
    return Raw(rows, listed, lambda image: sha256_of(image.read()), load)


def texts_in(path: pathlib.Path, encode: Callable[[list[str]], np.ndarray]) -> Raw:
    """Return texts, loaded as token ids [n, t] by `encode`; errors are those of `list_texts`."""
    listed = texts.list_texts(path)
    rows = [{k: v for k, v in text._asdict().items() if k != "flaw"} for text in listed]
    return Raw(rows, listed, _digest_of_text, lambda some: encode([text.text for text in some]))


def _digest_of_text(text: texts.Text) -> str:
    if text.flaw or not text.text:
        raise ValueError(text.flaw or "is empty")
    return sha256_of(text.text.encode())
