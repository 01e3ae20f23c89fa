"""Embeddings of many items, computed in chunks."""

import functools
from typing import Any, Literal

import flax.linen as nn
import jax
import numpy as np

from gentle_clip_jax.data import batches
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.parallel import mesh

_CHUNK = 256


def embed(
    model: TwoTowers,
    params: Any,
    items: batches.Items,
    modality: Literal["x", "y"],
    *,
    chunk: int = _CHUNK,
) -> np.ndarray:
    """Return unit embeddings [n, d] of n items of a modality, without augmentation or dropout."""
    return in_chunks(model, params, items, f"embed_{modality}", chunk=chunk)


def of_images(
    module: nn.Module, params: Any, images: batches.Items, method: str = "__call__"
) -> np.ndarray:
    """Return the output of a module's method for images [n, height, width, 3]."""
    # The caches of a CPU hold the activations of a few images, not of many.
    chunk = 4 if jax.default_backend() == "cpu" else 64
    return in_chunks(module, params, images, method, chunk=chunk)


def of_texts(
    module: nn.Module, params: Any, tokens: np.ndarray, method: str = "__call__"
) -> np.ndarray:
    """Return the output of a module's method for texts: token ids [n, t], padded with 0 at the end.

    Each distinct text is embedded once, together with others of its length and without most of the
    padding: captions of a data set repeat, and few are as long as the longest.
    """
    texts, index = np.unique(tokens, axis=0, return_inverse=True)
    ends = texts.shape[1] - np.argmax(texts[:, ::-1] != 0, axis=1)
    # A program is compiled for each length: multiples of 8 keep their number small.
    lengths = np.minimum(-(-ends // 8) * 8, texts.shape[1])
    order, made = np.argsort(lengths, kind="stable"), []
    for length in np.unique(lengths):
        rows = texts[lengths == length, :length]
        made.append(in_chunks(module, params, rows, method, chunk=min(len(rows), 64)))
    return np.concatenate(made)[np.argsort(order)[index.ravel()]]


def in_chunks(
    module: nn.Module,
    params: Any,
    items: batches.Items,
    method: str = "__call__",
    *,
    chunk: int = _CHUNK,
) -> Any:
    """Return the output of a module's method for n items, arrays [n, ...], without dropout.

    Each device computes its share of a chunk, each process reads only its own; all get all rows.
    """
    devices, num = mesh.data_mesh(), batches.count(items)
    params = mesh.on_all(params, devices)
    chunk = -(-chunk // devices.size) * devices.size
    share = chunk // jax.process_count()
    made = []
    for start in range(0, num, chunk):
        # This process's share, or the last item if the last chunk has no share for it.
        first = min(start + jax.process_index() * share, num - 1)
        part = batches.take(items, slice(first, first + share))
        # Padded, the last chunk needs no program of its own.
        padded = jax.tree.map(functools.partial(_pad, size=share), part)
        rows = mesh.shard_batch(padded, devices)
        embedded = _apply(module, params, rows, method, mesh.replicated(devices))
        made.append(
            jax.tree.map(lambda leaf, count=num - start: np.asarray(leaf)[:count], embedded)
        )
    return jax.tree.map(lambda *parts: np.concatenate(parts), *made)


def _pad(rows: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate([rows, np.repeat(rows[:1], size - len(rows), axis=0)])


@functools.partial(jax.jit, static_argnums=(0, 3, 4))
def _apply(module: nn.Module, params: Any, rows: Any, method: str, sharding: Any) -> Any:
    embedded = module.apply({"params": params}, rows, method=method)
    return jax.lax.with_sharding_constraint(embedded, sharding)
