"""Frozen encoders over lists of images, of texts and of protein sequences."""

import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.data.images import Image
from gentle_clip_jax.data.texts import Text
from gentle_clip_jax.features.encoder import Embed, Encoder, in_order
from gentle_clip_jax.storage.digests import sha256_of

_UNREADABLE = (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error)


class Work(NamedTuple):
    """The inputs to embed, their metadata and their encoder.

    rows [n]: the line of each row in rows.jsonl. inputs [m]: the items to embed. index [n]: the
    input of each row. contents: from numbers of inputs to the SHA-256 of each content and the
    reason why it cannot be used, None where it can. decode: from inputs and the expected digests of
    their contents, or None, to encoder inputs or the reason why there is none. load: puts the
    encoder on a device and returns the function that embeds there. metadata: other entries of the
    manifest. packages: dependencies of the features, besides JAX.
    """

    rows: list[dict[str, Any]]
    inputs: Sequence[Any]
    index: np.ndarray
    contents: Callable[[Sequence[int]], list[tuple[str, str | None]]]
    decode: Callable[[Sequence[Any], Sequence[str | None]], Iterator[Any]]
    load: Callable[[], Embed]
    metadata: dict[str, Any]
    packages: tuple[str, ...]


def image_work(listed: list[Image], encoder: Encoder) -> Work:
    """Return the work of embedding images by an encoder of images."""
    prepare = encoder.prepare

    def contents(numbers: Sequence[int]) -> list[tuple[str, str | None]]:
        with ThreadPoolExecutor() as pool:
            return [*pool.map(_content, (listed[i] for i in numbers))]

    def decode(inputs: Sequence[Image], digests: Sequence[str | None]) -> Iterator[Any]:
        return in_order(lambda image, digest: _decode(image, prepare, digest), inputs, digests)

    rows = [{"id": item.id, "split": item.split, "label": item.label} for item in listed]
    index, metadata = np.arange(len(listed)), encoder.metadata
    return Work(rows, listed, index, contents, decode, encoder.load, metadata, encoder.packages)


def _content(image: Image) -> tuple[str, str | None]:
    try:
        return sha256_of(image.read()), None
    except _UNREADABLE as error:
        return "", str(error)


def _decode(image: Image, prepare: Callable[[bytes], Any], digest: str | None) -> Any:
    """Return what the encoder takes, or the reason why there is nothing.

    Raises:
      ValueError: its content is no longer of that digest.
    """
    try:
        content = image.read()
    except _UNREADABLE as error:
        if digest is None:
            return str(error)
        raise ValueError(
            f"{image.id} could be read, and then no more ({error}): see that every machine has "
            "it, then give the same command again."
        ) from error
    if digest not in (None, sha256_of(content)):
        raise ValueError(f"{image.id} changed while it was encoded: give the same command again.")
    try:
        return prepare(content)
    except _UNREADABLE as error:
        return str(error)


def text_work(listed: list[Text], encoder: Encoder) -> Work:
    """Return the work of embedding texts, or protein sequences, by an encoder of such.

    What is beyond the tokens that the encoder was made for is cut.
    """
    # A text is embedded once however often it comes, and beside others of its length.
    unique = [*dict.fromkeys((item.text, item.flaw) for item in listed)]
    number = {text: i for i, text in enumerate(unique)}
    inputs, num_cut = encoder.prepare([text for text, _ in unique])
    order = np.argsort([len(one) for one in inputs], kind="stable")

    def contents(numbers: Sequence[int]) -> list[tuple[str, str | None]]:
        ordered = (unique[order[i]] for i in numbers)
        return [("" if flaw else sha256_of(text.encode()), flaw) for text, flaw in ordered]

    index = np.argsort(order)[[number[item.text, item.flaw] for item in listed]]
    rows = [{k: v for k, v in item._asdict().items() if k != "flaw"} for item in listed]
    if encoder.role == "sequence":
        rows = [{k: v for k, v in row.items() if k != "text"} for row in rows]
    inputs, metadata = [inputs[i] for i in order], {**encoder.metadata, "num_cut": num_cut}
    return Work(
        rows, inputs, index, contents, as_they_are, encoder.load, metadata, encoder.packages
    )


def as_they_are(inputs: Sequence[Any], _: Sequence[str | None]) -> Iterator[Any]:
    """Return inputs that need no decoding, as a `decode`."""
    return iter(inputs)
