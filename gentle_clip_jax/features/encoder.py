"""Frozen encoders of images, texts and protein sequences: from raw items to features."""

import collections
import dataclasses
import functools
import io
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from gentle_clip_jax.data.images import MOST_BYTES
from gentle_clip_jax.storage import reading

Stacked = tuple[np.ndarray, list[str | None]]  # rows [b, ...], and why one means nothing
Embed = Callable[[Iterable[Any]], Iterator[Stacked]]  # what was decoded -> features by batches
_AHEAD = 64  # images that are decoded ahead of the encoder


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Encoder:
    """A frozen encoder: `encoder(items)` returns a row of features for each raw item.

    name, role: of `load_encoder`. metadata: SHA-256 of its weights and settings, and what else
    its features depend on. packages: those that they depend on, besides JAX. prepare: from the
    bytes of an image to an input; or from texts, or sequences, to inputs, and how many were cut.
    load: puts the encoder on a device and returns the function that embeds inputs there.
    """

    name: str
    role: str
    metadata: dict[str, Any]
    packages: tuple[str, ...]
    prepare: Callable[[Any], Any]
    load: Callable[[], Embed]

    def __call__(self, items: Sequence[Any]) -> np.ndarray:
        """Return the features [n, d] float32 of n raw items, equal to those of `encode`.

        Args:
          items: texts or protein sequences; or images, as paths, bytes of files, Pillow images, or
            arrays [height, width, 3] uint8.

        Raises:
          ValueError: there are no items, or one cannot be used.
        """
        features, reasons = self.embed(items)
        for number, reason in enumerate(reasons):
            if reason is not None:
                raise ValueError(f"Item {number} cannot be used: it {reason}.")
        return features

    def embed(self, items: Sequence[Any]) -> Stacked:
        """Return features [n, d] float32, and n reasons why one means nothing, None if it does."""
        if isinstance(items, str | bytes | os.PathLike) or not len(items):
            raise ValueError("An encoder takes a list of at least one item: encoder([item]).")
        order = range(len(items))
        if self.role == "image":
            inputs = in_order(functools.partial(_image_input, self.prepare), items)
        else:
            texts, _ = self.prepare([*items])
            order = np.argsort([len(text) for text in texts], kind="stable").tolist()
            inputs = (texts[i] for i in order)
        features, reasons = zip(*self._embed(inputs))
        back = np.argsort(order)
        listed = [reason for batch in reasons for reason in batch]
        rows = np.concatenate(features).astype(np.float32)
        return rows[back], [listed[i] for i in back]

    @functools.cached_property
    def _embed(self) -> Embed:
        return self.load()

    def __repr__(self) -> str:
        return f"Encoder({self.name[:500]!r}, role={self.role!r})"


def in_order(function: Callable[..., Any], *inputs: Iterable[Any]) -> Iterator[Any]:
    """Yield the results of a function that threads call, some ahead of the reader, in order."""
    with ThreadPoolExecutor() as pool:
        waiting = collections.deque()
        for some in zip(*inputs):
            waiting.append(pool.submit(function, *some))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _image_input(prepare: Callable[[bytes], Any], item: Any) -> Any:
    """Return what the encoder takes of an image, or the reason why there is none."""
    try:
        return prepare(image_bytes(item))
    except (OSError, ValueError) as error:
        return str(error)


def image_bytes(item: Any) -> bytes:
    """Return the bytes of the file of an image, as `Encoder` takes them."""
    if isinstance(item, bytes):
        return item
    if isinstance(item, str | os.PathLike):
        return reading.read_bytes(pathlib.Path(item), MOST_BYTES)
    from PIL import Image

    image = Image.fromarray(item) if isinstance(item, np.ndarray) else item
    file = io.BytesIO()
    image = image.convert("RGB") if image.mode in ("CMYK", "YCbCr", "LAB", "HSV") else image
    image.save(file, "PNG", exif=image.getexif())
    return file.getvalue()
