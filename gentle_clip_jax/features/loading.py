"""Frozen encoders by name: those of packages, of checkpoints, and of other libraries."""

import functools
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from gentle_clip_jax.data import images, pixels, published_tokens, sequences
from gentle_clip_jax.encoders.adapters import sources
from gentle_clip_jax.encoders.published import checkpoints, pretrained, weight_files
from gentle_clip_jax.encoders.published.layers import with_layers
from gentle_clip_jax.features.embedder import compiled, embedder
from gentle_clip_jax.features.encoder import Encoder, Stacked, image_bytes
from gentle_clip_jax.features.views import check_views, over_views
from gentle_clip_jax.storage.digests import sha256

_MOST_RESIDUES = 1022  # of a protein in ESM-2's training


def load_encoder(
    source: str | os.PathLike,
    *,
    role: str | None = None,
    layers: str | None = None,
    views: str | None = None,
    batch_size: int | None = None,
) -> Encoder:
    """Return a frozen encoder, which embeds raw items in one call: `encoder(items)` -> [n, d].

    Args:
      source: efficientnet-lite0, minilm, the folder of a checkpoint, or the name of a Hugging Face
        repo with one; or LIBRARY:NAME or LIBRARY:FOLDER, where LIBRARY is sentence-transformers,
        timm, open_clip or transformers, and installed.
      role: image, text or sequence; may be left out where the encoder has but one.
      layers: more than the last: "rich", or numbers such as "5,6".
      views: of images: "mirror" or "turns", for the mean over several views of each.
      batch_size: items that are embedded at once; None for what suits the device.

    Raises:
      ValueError: there is no such encoder, role, layers or views; says what to do.
    """
    name = str(source)
    role = pretrained.role_of(name, role)
    check_views(views)
    if views is not None and role != "image":
        raise ValueError(f"Only images have views: leave out --views={views}.")
    if sources.is_adapted(name):
        return _adapted(name, role, layers, views, batch_size)
    weights = pretrained.load(name, role=role)
    weights = weights._replace(model=with_layers(weights.model, layers, of=name))
    metadata = _metadata(weights, layers, views)
    if role == "image":
        return _of_images(name, weights, metadata, batch_size, views)
    if role == "text":
        return _of_texts(name, weights, metadata, batch_size)
    return _of_sequences(name, weights, metadata, batch_size)


def _adapted(
    name: str, role: str, layers: str | None, views: str | None, batch_size: int | None
) -> Encoder:
    for option, value in (("layers", layers), ("views", views)):
        if value is not None:
            raise ValueError(f"--{option}={value} is not for {name}: leave it out.")
    adapter = sources.load(name, role)
    weights, settings = adapter.files()
    metadata = _digests(adapter.folder, weights, settings)
    library, _, model = name.partition(":")
    metadata |= {"library": library, "model": model}
    if adapter.max_tokens is not None:
        metadata["max_tokens"] = adapter.max_tokens
    packages = sources.packages(name) + (("pillow",) if role == "image" else ())
    size = batch_size or 64
    if adapter.prepare is None:
        load = embedder(adapter.start, _stack_texts, size, fill=False)
        return Encoder(name, role, metadata, packages, lambda texts: (texts, 0), load)
    prepare = functools.partial(_transformed, adapter.prepare)
    load = embedder(adapter.start, functools.partial(_stack_prepared, prepare), size, fill=False)
    return Encoder(name, role, metadata, packages, prepare, load)


def _transformed(transform: Callable[[Any], Any], data: bytes) -> Any:
    return transform(pixels.picture(data))


def _stack_prepared(
    prepare: Callable[[bytes], Any], decoded: Sequence[Any]
) -> tuple[list[Any], list[str | None]]:
    reasons = [result if isinstance(result, str) else None for result in decoded]
    sound = next((result for result in decoded if not isinstance(result, str)), None)
    if sound is None:
        sound = prepare(image_bytes(np.zeros((224, 224, 3), np.uint8)))
    return [sound if isinstance(result, str) else result for result in decoded], reasons


def _stack_texts(texts: Sequence[str]) -> tuple[Sequence[str], list[str | None]]:
    return texts, [None if text.strip() else "is empty" for text in texts]


def _of_images(
    name: str,
    weights: pretrained.Pretrained,
    metadata: dict[str, Any],
    batch_size: int | None,
    views: str | None,
) -> Encoder:
    size = weights.framing.size

    def stack(decoded: Sequence[np.ndarray | str]) -> Stacked:
        rows = np.zeros((len(decoded), size, size, 3), np.uint8)
        reasons = [result if isinstance(result, str) else None for result in decoded]
        for row, result in zip(rows, decoded):
            row[:] = 0 if isinstance(result, str) else result
        return rows, reasons

    # The caches of a CPU hold what two images become on their way, not more.
    load = embedder(
        lambda: over_views(compiled(weights), views),
        stack,
        batch_size or 64,
        on_cpu=batch_size or 2,
    )
    prepare = functools.partial(images.decode, **weights.framing._asdict())
    return Encoder(name, "image", metadata, ("pillow",), prepare, load)


def _of_texts(
    name: str, weights: pretrained.Pretrained, metadata: dict[str, Any], batch_size: int | None
) -> Encoder:
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

    load = embedder(lambda: compiled(weights), stack, batch_size or 64)
    metadata["max_tokens"] = most
    return Encoder(
        name, "text", metadata, ("tokenizers",), lambda texts: tokenizer.encode(texts, most), load
    )


def _of_sequences(
    name: str, weights: pretrained.Pretrained, metadata: dict[str, Any], batch_size: int | None
) -> Encoder:
    most = _MOST_RESIDUES + 2

    def stack(some: Sequence[str]) -> Stacked:
        tokens = sequences.esm2_tokens(some, most)
        # Multiples of 32 are few lengths, and a program is compiled for each.
        length = min(most, -(-tokens.shape[1] // 32) * 32)
        rows = np.full((len(some), length), weights.model.pad_id, np.int32)
        rows[:, : tokens.shape[1]] = tokens
        return rows, [None] * len(some)

    def prepare(some: Sequence[str]) -> tuple[list[str], int]:
        return [*some], sum(len(sequence) > _MOST_RESIDUES for sequence in some)

    load = embedder(lambda: compiled(weights), stack, batch_size or 8)
    metadata["max_tokens"] = most
    return Encoder(name, "sequence", metadata, (), prepare, load)


def _metadata(
    weights: pretrained.Pretrained, layers: str | None, views: str | None
) -> dict[str, Any]:
    """Return the chosen layers and views, and digests of the weights and settings."""
    folder, named = weights.path.parent, {"layers": layers, "views": views}
    return {
        **_digests(folder, weight_files.parts(weights.path), checkpoints.settings(folder)),
        **{name: value for name, value in named.items() if value is not None},
    }


def _digests(
    folder: pathlib.Path, weights: Iterable[pathlib.Path], settings: Iterable[pathlib.Path]
) -> dict[str, Any]:
    of_weights, of_settings = (
        {path.relative_to(folder).as_posix(): sha256(path) for path in paths}
        for paths in (weights, settings)
    )
    several = len(of_weights) > 1
    return {
        "weights_sha256": of_weights if several else next(iter(of_weights.values())),
        "settings_sha256": of_settings,
    }
