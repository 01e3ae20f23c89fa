"""Initial heads: a closed-form map of the matched items, or the identity."""

import logging
import pathlib
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from gentle_clip_jax.aligners.closed_form.cca import cca
from gentle_clip_jax.aligners.closed_form.shrinkage import chosen_shrinkage
from gentle_clip_jax.aligners.closed_form.transported import transported_cca
from gentle_clip_jax.aligners.problem import PLAN_ITEMS, Features
from gentle_clip_jax.aligners.standardize import Standardizer
from gentle_clip_jax.data import batches
from gentle_clip_jax.encoders.heads import FROZEN, size_of, standard
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.storage import reading
from gentle_clip_jax.storage.digests import sha256_of
from gentle_clip_jax.storage.writing import put_aside, write_arrays
from gentle_clip_jax.tasks.embedding import of_images, of_texts

_log = logging.getLogger(__name__)

# Settings of `transported_cca`, chosen on validation sets of aerial images and of photographs.
_MIX, _WITHIN = 0.35, 0.5
_HEADS = ("x_head", "y_head")
_OF = "of"  # in a file of heads: the digest of what they depend on


def identity(params: Any) -> Any:
    """Return `params` with identity heads, for towers that already share a space, such as CLIP's.

    Raises:
      ValueError: the features of a tower have another dimension than the embeddings.
    """
    kernels = [params[head]["map"]["kernel"] for head in _HEADS]
    if any(kernel.shape[0] != kernel.shape[1] for kernel in kernels):
        raise ValueError(
            "config.model.start=identity keeps the space that both towers share, but their "
            f"features have {kernels[0].shape[0]} and {kernels[1].shape[0]} dimensions and "
            f"config.model.embedding_dim is {kernels[0].shape[1]}: make them equal or choose "
            "another config.model.start."
        )
    heads = {}
    for head, kernel in zip(_HEADS, kernels):
        # Each head has its own arrays, since a training step donates the memory of all of them.
        start = {"map": {"kernel": jnp.eye(len(kernel))}, FROZEN: standard(len(kernel))}
        heads[head] = {**params[head], **start}
    return {**params, **heads}


def digest(settings: Any, params: Any, dataset: batches.Dataset) -> str:
    """Return the SHA-256 of the settings, towers, tokens and images that `from_pairs` uses."""
    some = slice(None, PLAN_ITEMS)
    towers = [params[f"{side}_tower"] for side in "xy"]
    return sha256_of(
        [
            settings,
            jax.tree.map(lambda leaf: sha256_of(np.asarray(leaf)), towers),
            [sha256_of(tokens) for tokens in (dataset.matched.y, dataset.unmatched_y[some])],
            dataset.matched.x.digests(),
            dataset.unmatched_x.digests(some),
        ]
    )


def save(path: pathlib.Path, params: Any, of: str) -> None:
    """Write the heads into an .npz file; `of` is the digest of everything they depend on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: Any = traverse_util.flatten_dict({head: params[head] for head in _HEADS}, sep="/")
    write_arrays(path, {**arrays, _OF: of})


def load(path: pathlib.Path, params: Any, of: str) -> Any | None:
    """Return `params` with the heads of a file that `save` has written.

    Return None if there is no file with this digest; a damaged file is reported and renamed.
    """
    if not path.exists():
        return None
    try:
        arrays = reading.read_arrays(path)
        if str(arrays.pop(_OF)) != of:
            return None
    except (ValueError, KeyError) as error:
        name = put_aside(path).name
        _log.warning(f"{path} is damaged ({error}): renamed to {name} and written again.")
        return None
    arrays = {name: jnp.asarray(values) for name, values in arrays.items()}
    return {**params, **traverse_util.unflatten_dict(arrays, sep="/")}


def from_pairs(
    model: TwoTowers,
    params: Any,
    dataset: batches.Dataset,
    start: Literal["cca", "transported_cca"],
) -> Any:
    """Return `params` with heads fitted to the dataset's pairs; y are token ids [n, k, t].

    Features of y are the mean over its k captions. The heads are `RefinedMap`s.
    """
    x, texts = _images(model, params, dataset.matched.x), _texts(model, params, dataset.matched.y)
    y = texts.mean(axis=1)
    scale_x, scale_y = _deviation(x), _deviation(y)
    dim = params["x_head"]["map"]["kernel"].shape[1]
    fit = lambda x, y: lambda of: cca(x, y, shrinkage=of, dim=dim)  # noqa: E731
    x, y = x / scale_x, y / scale_y
    maps = fit(x, y)(chosen_shrinkage(fit, x, y))
    if start == "transported_cca" and batches.count(dataset.unmatched_x):
        some = slice(None, PLAN_ITEMS)
        unmatched_x = _images(model, params, batches.take(dataset.unmatched_x, some))
        unmatched_y = _texts(model, params, dataset.unmatched_y[some])
        texts, unmatched_y = (captions / scale_y[None] for captions in (texts, unmatched_y))
        features = Features(x[:, None], texts, (unmatched_x / scale_x)[:, None], unmatched_y)
        maps = transported_cca(features, maps, mix=_MIX, within=_WITHIN, rounds=4, dim=dim)
    return {
        **params,
        "x_head": _head(params["x_head"], x, maps.mean_x, maps.map_x, scale_x),
        "y_head": _head(params["y_head"], y, maps.mean_y, maps.map_y, scale_y),
    }


def _deviation(rows: jax.Array) -> jax.Array:
    """Return the standard deviation [1, f] of each feature; 1 if it is constant up to rounding."""
    return jnp.asarray(Standardizer.of(np.asarray(rows)).finite_deviation, jnp.float32)[None, :]


def _head(
    params: Any, rows: jax.Array, mean: jax.Array, kernel: jax.Array, scale: jax.Array
) -> Any:
    """Return the params of a `RefinedMap` that computes (features / scale - mean) kernel."""
    kernel = kernel / size_of((rows - mean[None, :]) @ kernel)
    width = params["map"]["kernel"].shape[1] - kernel.shape[1]  # few pairs determine few directions
    start = {
        "map": {"kernel": jnp.pad(kernel, ((0, 0), (0, width)))},
        FROZEN: {"mean": mean * scale[0], "scale": scale[0]},
    }
    return {**params, **jax.tree.map(lambda a: a.astype(jnp.float32), start)}


def _texts(model: TwoTowers, params: Any, tokens: np.ndarray) -> jax.Array:
    """Return features [n, k, f] of token ids [n, k, t]."""
    n, k, t = tokens.shape
    features = of_texts(model.y_tower, params["y_tower"], tokens.reshape(n * k, t))
    return jnp.asarray(features).reshape(n, k, -1)


def _images(model: TwoTowers, params: Any, images: batches.Items) -> jax.Array:
    return jnp.asarray(of_images(model.x_tower, params["x_tower"], images))
