"""Initial heads: closed-form maps of summaries, fitted to the matched items."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.aligners.closed_form.cca import cca
from gentle_clip_jax.aligners.closed_form.maps import Maps
from gentle_clip_jax.aligners.closed_form.transported import transported_cca
from gentle_clip_jax.aligners.problem import PLAN_ITEMS, Features
from gentle_clip_jax.aligners.standardize import Standardizer
from gentle_clip_jax.data import batches
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.tasks.embedding import in_chunks

_SHRINKAGE = 3.0  # of the pairs' covariances; chosen on validation domains
_CHUNK = 64


def from_pairs(model: TwoTowers, params: Any, dataset: batches.Dataset, start: str) -> Any:
    """Return `params` with heads that map summaries by the CCA of the matched items.

    With transported_cca, a transport plan between the unmatched items refines the maps. The heads
    are `ResidueHead`s.
    """
    towers = (model.x_tower, params["x_tower"]), (model.y_tower, params["y_tower"])
    pairs = [
        _summaries(*tower, items)
        for tower, items in zip(towers, (dataset.matched.x, dataset.matched.y))
    ]
    unmatched = [rows[:0] for rows in pairs]
    if has_rest := batches.count(dataset.unmatched_x) and batches.count(dataset.unmatched_y):
        some = slice(None, PLAN_ITEMS)
        unmatched = [
            _summaries(*tower, batches.take(items, some))
            for tower, items in zip(towers, (dataset.unmatched_x, dataset.unmatched_y))
        ]
    scales = [Standardizer.of(*both).finite_deviation for both in zip(pairs, unmatched)]
    x, y, unmatched_x, unmatched_y = (
        jnp.asarray(rows / scale, jnp.float32)
        for rows, scale in zip((*pairs, *unmatched), (*scales, *scales))
    )
    dim = model.x_head.dim
    maps = cca(x, y, shrinkage=_SHRINKAGE, dim=dim)
    if start == "transported_cca" and has_rest:
        features = Features(*(rows[:, None] for rows in (x, y, unmatched_x, unmatched_y)))
        maps = transported_cca(features, maps, mix=0.3, rounds=4, dim=dim)
    return with_maps(params, maps, *scales)


def with_maps(params: Any, maps: Maps, scale_x: np.ndarray, scale_y: np.ndarray) -> Any:
    """Return `params` with heads that map summaries s to (s / scale - mean) kernel."""
    sides = {"x": (maps.mean_x, maps.map_x, scale_x), "y": (maps.mean_y, maps.map_y, scale_y)}
    heads = {}
    for name, (mean, kernel, scale) in sides.items():
        head = params[f"{name}_head"]
        width = head["summary"]["map"]["kernel"].shape[1] - kernel.shape[1]
        kernel = jnp.pad(kernel, ((0, 0), (0, width)))  # few pairs determine few directions
        start = {"kernel": kernel / jnp.asarray(scale)[:, None], "bias": -mean @ kernel}
        start = jax.tree.map(lambda a: a.astype(jnp.float32), start)
        heads[f"{name}_head"] = {**head, "summary": {**head["summary"], "map": start}}
    return {**params, **heads}


def _summaries(tower: nn.Module, params: Any, items: batches.Items) -> np.ndarray:
    """Return the summaries [n, f] of items, without augmentation or dropout."""
    return in_chunks(tower, params, items, chunk=_CHUNK).summary
