"""Functions of an aligner or of the towers of a run, of one batch each."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from gentle_clip_jax.aligners import Aligner


class Function(NamedTuple):
    """Function from a batch of items to unit float32 rows [batch, k].

    item: the shape and type of one item, a `jax.ShapeDtypeStruct` or a tree of them.
    takes: the items in words.
    """

    apply: Callable[[Any], jax.Array]
    item: Any
    takes: str


def of_aligner(aligner: Aligner) -> dict[str, Function]:
    """Return embed_x, embed_y, and smooth_gallery_x or _y where that gallery is smoothed."""
    embeds = {"x": aligner.embed_x, "y": aligner.embed_y}
    smooths = {"x": aligner.smooth_gallery_x, "y": aligner.smooth_gallery_y}
    items = {"x": _row(len(aligner.x.mean)), "y": _row(len(aligner.y.mean))}
    one = np.zeros((1, *items["x"].shape), np.float32)
    embedded = _row(jax.eval_shape(aligner.embed_x, one).shape[1])
    raw = "raw features, as the aligner was fitted to"
    again = "embedded rows, to rank them for queries of the other side; a query stays as it is"
    return {
        **{f"embed_{side}": Function(embeds[side], items[side], raw) for side in "xy"},
        **{
            f"smooth_gallery_{s}": Function(smooths[s], embedded, again)
            for s in "xy"
            if getattr(aligner.smoothed_galleries, s)
        },
    }


def of_run(run: Any) -> dict[str, Function]:
    """embed_x and embed_y, of items as the run's data set holds them."""
    functions, sides = {}, zip("xy", run.task.MODALITIES, run.task.test_items(run.dataset))
    for side, modality, items in sides:
        name, item = f"embed_{side}", jax.tree.map(lambda leaf: _kind(leaf[:1]), items)
        apply: Any = functools.partial(run.model.apply, {"params": run.params}, method=name)
        functions[name] = Function(apply, item, f"{modality}s, as the data set holds them")
    return functions


def _row(width: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((width,), np.float32)


def _kind(leaf: np.ndarray) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape[1:], jax.dtypes.canonicalize_dtype(leaf.dtype))
