"""Frozen encoders over lists of images, of texts and of protein sequences."""

import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.data import images, published_tokens, sequences, texts
from gentle_clip_jax.encoders.published import checkpoints, pretrained, weight_files
from gentle_clip_jax.encoders.published.framing import Framing
from gentle_clip_jax.encoders.published.layers import with_layers
from gentle_clip_jax.encoders.published.pretrained import role_of as role_of
from gentle_clip_jax.features.embedder import Embed, Stacked, embedder
from gentle_clip_jax.features.views import check_views
from gentle_clip_jax.storage.digests import sha256, sha256_of

_MOST_RESIDUES = 1022  # of a protein in ESM-2's training
_UNREADABLE = (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error)


class Work(NamedTuple):
    """The inputs to embed, their metadata and their encoder.

    rows [n]: the line of each row in rows.jsonl. inputs [m]: the items to embed. index [n]: the
    input of each row. contents: from numbers of inputs to the SHA-256 of each content and the
    reason why it cannot be used, None where it can. decode: from inputs and the expected digests of
    their contents, or None, to encoder inputs or the reason why there is none. load: puts the
    encoder on a device and returns the function that embeds there. about: other entries of the
    manifest. packages: dependencies of the features, besides JAX.

    Other processes may decode and embed: cloudpickle takes both functions, and pickle the inputs.
    """

    rows: list[dict[str, Any]]
    inputs: Sequence[Any]
    index: np.ndarray
    contents: Callable[[Sequence[int]], list[tuple[str, str | None]]]
    decode: Callable[[Sequence[Any], Sequence[str | None]], Iterator[Any]]
    load: Callable[[], Embed]
    about: dict[str, Any]
    packages: tuple[str, ...]


def image_work(
    listed: list[images.Image],
    batch_size: int | None = None,
    encoder: str = "efficientnet-lite0",
    layers: str | None = None,
    views: str | None = None,
) -> Work:
    """Return the work of an image encoder that `pretrained.load` offers: features [n, d].

    `layers`, here and below: see `with_layers`. `views`: see `over_views`.

    Raises:
      ValueError: the weights are not there, or there are no such views.
    """
    check_views(views)
    weights = _load(encoder, "image", layers)
    framing = weights.framing

    def contents(numbers: Sequence[int]) -> list[tuple[str, str | None]]:
        with ThreadPoolExecutor() as pool:
            return [*pool.map(_content, (listed[i] for i in numbers))]

    def decode(inputs: Sequence[images.Image], digests: Sequence[str | None]) -> Iterator[Any]:
        with ThreadPoolExecutor() as pool:
            yield from pool.map(
                lambda image, digest: _decode(image, framing, digest), inputs, digests
            )

    def stack(decoded: Sequence[np.ndarray | str]) -> Stacked:
        pixels = np.zeros((len(decoded), framing.size, framing.size, 3), np.uint8)
        reasons = [result if isinstance(result, str) else None for result in decoded]
        for row, result in zip(pixels, decoded):
            row[:] = 0 if isinstance(result, str) else result
        return pixels, reasons

    # The caches of a CPU hold what two images become on their way, not more.
    load = embedder(weights, stack, batch_size or 64, on_cpu=batch_size or 2, views=views)
    rows = [{"id": item.id, "split": item.split, "label": item.label} for item in listed]
    metadata = _about(weights, layers, views)
    index = np.arange(len(listed))
    return Work(rows, listed, index, contents, decode, load, metadata, ("pillow",))


def _content(image: images.Image) -> tuple[str, str | None]:
    try:
        return sha256_of(image.read()), None
    except _UNREADABLE as error:
        return "", str(error)


def _decode(image: images.Image, framing: Framing, digest: str | None) -> np.ndarray | str:
    """Return the pixels, or the reason why there are none.

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
        return images.decode(content, **framing._asdict())
    except _UNREADABLE as error:
        return str(error)


def text_work(
    listed: list[texts.Text],
    batch_size: int | None = None,
    encoder: str = "minilm",
    layers: str | None = None,
) -> Work:
    """Return the work of a text encoder that `pretrained.load` offers: features [n, d].

    What is beyond the tokens that the encoder was made for is cut.

    Raises:
      ValueError: the weights are not there, or no tokenizer beside them.
    """
    weights = _load(encoder, "text", layers)
    most = weights.max_tokens or 512
    tokenizer = published_tokens.read_tokenizer(weights.path.parent)
    pad, around = tokenizer.pad_id, tokenizer.num_around

    def stack(tokens: Sequence[list[int]]) -> Stacked:
        # Multiples of 8 are few lengths, and a program is compiled for each.
        length = min(most, -(-max(map(len, tokens)) // 8) * 8)
        rows = np.full((len(tokens), length), pad, np.int32)
        for row, ids in zip(rows, tokens):
            row[: len(ids)] = ids
        # A text of no tokens still has those that are around every text.
        return rows, ["is empty" if len(ids) <= around else None for ids in tokens]

    # A text is embedded once however often it comes, and beside others of its length.
    unique = [*dict.fromkeys((item.text, item.flaw) for item in listed)]
    number = {text: i for i, text in enumerate(unique)}
    ids, num_cut = tokenizer.encode((text for text, _ in unique), most)
    order = np.argsort([len(row) for row in ids], kind="stable")

    def contents(numbers: Sequence[int]) -> list[tuple[str, str | None]]:
        ordered = (unique[order[i]] for i in numbers)
        return [("" if flaw else sha256_of(text.encode()), flaw) for text, flaw in ordered]

    metadata = {**_about(weights, layers), "max_tokens": most, "num_cut": num_cut}
    index = np.argsort(order)[[number[item.text, item.flaw] for item in listed]]
    rows = [{k: v for k, v in item._asdict().items() if k != "flaw"} for item in listed]
    inputs = [ids[i] for i in order]
    load = embedder(weights, stack, batch_size or 64)
    return Work(rows, inputs, index, contents, as_they_are, load, metadata, ("tokenizers",))


def sequence_work(
    listed: dict[str, str],
    batch_size: int | None = None,
    encoder: str = "facebook/esm2_t6_8M_UR50D",
    layers: str | None = None,
) -> Work:
    """Return the work of a protein encoder that `pretrained.load` offers: features [n, d].

    What is beyond the residues that the encoder was made for is cut.

    Raises:
      ValueError: the weights are not there.
    """
    weights, most = _load(encoder, "sequence", layers), _MOST_RESIDUES + 2

    def stack(some: Sequence[str]) -> Stacked:
        tokens = sequences.esm2_tokens(some, most)
        # Multiples of 32 are few lengths, and a program is compiled for each.
        length = min(most, -(-tokens.shape[1] // 32) * 32)
        rows = np.full((len(some), length), weights.model.pad_id, np.int32)
        rows[:, : tokens.shape[1]] = tokens
        return rows, [None] * len(some)

    # A sequence is embedded once however often it comes, and beside others of its length.
    ordered = sorted(dict.fromkeys(listed.values()), key=len)
    number = {sequence: i for i, sequence in enumerate(ordered)}
    index = np.array([number[sequence] for sequence in listed.values()])
    load = embedder(weights, stack, batch_size or 8)
    num_cut = sum(len(sequence) > _MOST_RESIDUES for sequence in listed.values())
    metadata = {**_about(weights, layers), "max_tokens": most, "num_cut": num_cut}
    rows = [{"id": name, "split": None, "label": None} for name in listed]

    def contents(numbers: Sequence[int]) -> list[tuple[str, str | None]]:
        return [(sha256_of(ordered[i].encode()), None) for i in numbers]

    return Work(rows, ordered, index, contents, as_they_are, load, metadata, ())


def as_they_are(inputs: Sequence[Any], _: Sequence[str | None]) -> Iterator[Any]:
    """Return inputs that need no decoding, as a `decode`."""
    return iter(inputs)


def _load(encoder: str, role: str, layers: str | None) -> pretrained.Pretrained:
    weights = pretrained.load(encoder, role=role)
    return weights._replace(model=with_layers(weights.model, layers, of=encoder))


def _about(
    weights: pretrained.Pretrained, layers: str | None, views: str | None = None
) -> dict[str, Any]:
    """Return the chosen layers and views, and digests of the weights and settings."""
    digests = {path.name: sha256(path) for path in weight_files.parts(weights.path)}
    settings = {
        path.relative_to(weights.path.parent).as_posix(): sha256(path)
        for path in checkpoints.settings(weights.path.parent)
    }
    named = {"layers": layers, "views": views}
    return {
        "weights_sha256": digests if len(digests) > 1 else next(iter(digests.values())),
        "settings_sha256": settings,
        **{name: value for name, value in named.items() if value is not None},
    }
