"""Embedding functions of an aligner, or of the towers of a run, for one batch."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from gentle_clip_jax.aligners import Aligner


class Function(NamedTuple):
    """A function from a batch of items to unit float32 rows [batch, k].

    item: shape and type of one item, a `jax.ShapeDtypeStruct` or a tree of them.
    takes: description of the items.
    """

    apply: Callable[[Any], jax.Array]
    item: Any
    takes: str


def of_aligner(aligner: Aligner) -> dict[str, Function]:
    """Return embed_x, embed_y, and smooth_gallery_x or _y if the aligner smooths that gallery."""
    embeds = {"x": aligner.embed_x, "y": aligner.embed_y}
    smooths = {"x": aligner.smooth_gallery_x, "y": aligner.smooth_gallery_y}
    items = {"x": _row(len(aligner.x.mean)), "y": _row(len(aligner.y.mean))}
    one = np.zeros((1, *items["x"].shape), np.float32)
    embedded = _row(jax.eval_shape(aligner.embed_x, one).shape[1])
    raw = "raw features, like those the aligner was fitted to"
    again = "embedded rows of the gallery, before they are ranked; queries are not smoothed"
    return {
        **{f"embed_{side}": Function(embeds[side], items[side], raw) for side in "xy"},
        **{
            f"smooth_gallery_{s}": Function(smooths[s], embedded, again)
            for s in "xy"
            if getattr(aligner.smoothed_galleries, s)
        },
    }


def of_run(run: Any) -> dict[str, Function]:
    """Return embed_x and embed_y for items in the form of the run's data set."""
    functions, sides = {}, zip("xy", run.task.MODALITIES, run.task.test_items(run.dataset))
    for side, modality, items in sides:
        name, item = f"embed_{side}", jax.tree.map(lambda leaf: _kind(leaf[:1]), items)
        apply: Any = functools.partial(run.model.apply, {"params": run.params}, method=name)
        functions[name] = Function(apply, item, f"{modality}s, in the form of the data set")
    return functions


def _row(width: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((width,), np.float32)


def _kind(leaf: np.ndarray) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape[1:], jax.dtypes.canonicalize_dtype(leaf.dtype))
