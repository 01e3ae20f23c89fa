"""Embeddings of many items, a chunk at a time."""

import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.data import pipeline
from gentle_clip_jax.encoders.two_towers import TwoTowers

_CHUNK = 256


def embed(
    model: TwoTowers,
    params: Any,
    items: pipeline.Items,
    modality: Literal["x", "y"],
    *,
    chunk: int = _CHUNK,
) -> np.ndarray:
    """Unit embeddings [n, d] of n items of a modality, without augmentation or dropout."""
    rows = []
    for start in range(0, pipeline.count(items), chunk):
        part = pipeline.take(items, slice(start, start + chunk))
        size = pipeline.count(part)
        # One shape is compiled, not one more for the last chunk.
        padded = jax.tree.map(functools.partial(_pad, size=chunk), part)
        rows.append(np.asarray(_apply(model, params, padded, modality))[:size])
    return np.concatenate(rows)


def _pad(rows: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate([rows, np.repeat(rows[:1], size - len(rows), axis=0)])


@functools.partial(jax.jit, static_argnums=(0, 3))
def _apply(model: TwoTowers, params: Any, rows: Any, modality: str) -> Any:
    method = {"x": model.embed_x, "y": model.embed_y}[modality]
    return model.apply({"params": params}, jax.tree.map(jnp.asarray, rows), method=method)
