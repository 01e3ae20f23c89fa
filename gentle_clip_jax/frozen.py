"""Frozen encoders over lists of images and of texts."""

import itertools
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from gentle_clip_jax.data import embeddings, images, texts
from gentle_clip_jax.encoders import pretrained

_UNREADABLE = (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error)
MAX_TOKENS = 256  # as all-MiniLM-L6-v2 was made for


class Work(NamedTuple):
    """What there is to embed, and how.

    rows [n]: what rows.jsonl says of each row. inputs [m]: what is embedded, without repetitions.
    index [n]: the input of each row. embed: inputs -> for each batch of them, features [b, d] and b
    reasons why there are none, None where there are. about: what else the manifest says. packages:
    those that the features depend on, besides JAX.
    """

    rows: list[dict[str, Any]]
    inputs: Sequence[Any]
    index: np.ndarray
    embed: Callable[[Sequence[Any]], Iterator[tuple[np.ndarray, list[str | None]]]]
    about: dict[str, Any]
    packages: tuple[str, ...]


def image_work(listed: list[images.Image], batch_size: int | None = None) -> Work:
    """Images through EfficientNet-Lite0: features [n, 1280]. Threads decode them.

    Raises:
      ValueError: the weights are not there.
    """
    # The caches of a CPU hold what two images become on their way, not more.
    size = batch_size or (2 if jax.default_backend() == "cpu" else 64)
    weights = pretrained.efficientnet_lite0()
    apply = compiled(weights)

    def embed(inputs: Sequence[images.Image]) -> Iterator[tuple[np.ndarray, list[str | None]]]:
        with ThreadPoolExecutor() as pool:
            decoded = pool.map(_decode, inputs)
            while batch := [*itertools.islice(decoded, size)]:
                pixels = np.zeros((size, 224, 224, 3), np.uint8)
                reasons = [result if isinstance(result, str) else None for result in batch]
                for row, result in zip(pixels, batch):
                    row[:] = 0 if isinstance(result, str) else result
                yield apply(pixels)[: len(batch)], reasons

    rows = [{"id": item.id, "split": item.split, "label": item.label} for item in listed]
    about = {"weights_sha256": embeddings.sha256(weights.path)}
    return Work(rows, listed, np.arange(len(listed)), embed, about, ("pillow",))


def _decode(image: images.Image) -> np.ndarray | str:
    """The pixels, or why there are none."""
    try:
        return images.decode(image.read())
    except _UNREADABLE as error:
        return str(error)


def text_work(listed: list[texts.Text], batch_size: int | None = None) -> Work:
    """Texts through MiniLM: features [n, 384]. What is beyond 256 tokens of a text is cut.

    Raises:
      ValueError: the weights are not there.
    """
    from tokenizers import Tokenizer

    size = batch_size or 64
    weights = pretrained.minilm()
    apply = compiled(weights)
    tokenizer = Tokenizer.from_file(str(weights.path.parent / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)

    def embed(inputs: Sequence[list[int]]) -> Iterator[tuple[np.ndarray, list[str | None]]]:
        for start in range(0, len(inputs), size):
            batch = inputs[start : start + size]
            # Multiples of 8 are few lengths, and a program is compiled for each.
            tokens = np.zeros((size, -(-max(map(len, batch)) // 8) * 8), np.int32)
            for row, ids in zip(tokens, batch):
                row[: len(ids)] = ids
            # A text of no tokens still has the two that are around every text.
            reasons = ["is empty" if len(ids) <= 2 else None for ids in batch]
            yield apply(tokens)[: len(batch)], reasons

    # A text is embedded once however often it comes, and beside others of its length.
    number = {text: i for i, text in enumerate(dict.fromkeys(item.text for item in listed))}
    encodings = tokenizer.encode_batch([*number])
    order = np.argsort([len(encoding.ids) for encoding in encodings], kind="stable")
    about = {
        "weights_sha256": embeddings.sha256(weights.path),
        f"cut_to_{MAX_TOKENS}_tokens": sum(bool(e.overflowing) for e in encodings),
    }
    inputs = [encodings[i].ids for i in order]
    index = np.argsort(order)[[number[item.text] for item in listed]]
    return Work([item._asdict() for item in listed], inputs, index, embed, about, ("tokenizers",))


def compiled(weights: pretrained.Pretrained) -> Callable[[np.ndarray], np.ndarray]:
    """The function from a batch of inputs to its features."""
    params = {"params": jax.device_put(weights.params)}
    apply = jax.jit(weights.model.apply)

    def embed(inputs: np.ndarray) -> np.ndarray:
        # Features outlive the machine they were made on: no accelerator may round them.
        with jax.default_matmul_precision("highest"):
            return np.asarray(apply(params, inputs))

    return embed
