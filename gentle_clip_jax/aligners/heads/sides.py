"""Projection head of a modality: random or mapped initial weights, and its embeddings."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from gentle_clip_jax.aligners.closed_form.cca import Maps
from gentle_clip_jax.aligners.heads.batches import Batch
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.encoders.heads import ProjectionHead, RefinedMap, size_of
from gentle_clip_jax.losses.objectives import Embedded


class Side(NamedTuple):
    """Parameters of a head, which takes (features - center) * scale."""

    center: jax.Array
    scale: jax.Array
    params: Any


class Sides(NamedTuple):
    """Both modalities' heads."""

    x: Side
    y: Side

    def params(self) -> dict[str, Any]:
        return {"x": self.x.params, "y": self.y.params}

    def holding(self, params: dict[str, Any]) -> "Sides":
        return Sides(self.x._replace(params=params["x"]), self.y._replace(params=params["y"]))


def start(
    key: jax.Array, features: Features, maps: Maps | None, *, dim: int, dropout: float
) -> tuple[nn.Module, Sides]:
    """Initialise both heads, at random with `dim` dimensions or as the maps; return the module."""
    key_x, key_y = jax.random.split(key)
    x, y = (
        jnp.concatenate([items.reshape(-1, items.shape[2]) for items in modality])
        for modality in ((features.x, features.unmatched_x), (features.y, features.unmatched_y))
    )
    if maps is None:
        head = ProjectionHead(dim, dropout)
        return head, Sides(random(head, key_x, x), random(head, key_y, y))
    head = RefinedMap(maps.map_x.shape[1], dropout)
    return head, Sides(
        mapped(head, key_x, x, maps.mean_x, maps.map_x),
        mapped(head, key_y, y, maps.mean_y, maps.map_y),
    )


def random(head: nn.Module, key: jax.Array, features: jax.Array) -> Side:
    """Initialise a head at random, on features [n, f] scaled to mean 0 and root mean square 1.

    One scale for all: each is of unit deviation already, or else a principal component, and the
    least of these, made as large as the first, would be noise.
    """
    center = jnp.mean(features, axis=0)
    scale = jnp.full_like(center, 1 / size_of(features - center[None, :]))
    return Side(center, scale, head.init(key, features[:1])["params"])


def mapped(
    head: nn.Module, key: jax.Array, features: jax.Array, center: jax.Array, kernel: jax.Array
) -> Side:
    """Initialise a `RefinedMap` as features [n, f] -> (features - center) @ kernel [f, d]."""
    params = head.init(key, features[:1])["params"]
    center, kernel = jnp.asarray(center, jnp.float32), jnp.asarray(kernel, jnp.float32)
    kernel = kernel / size_of((features - center[None, :]) @ kernel)
    return Side(center, jnp.ones_like(center), {**params, "map": {"kernel": kernel}})


def embed(head: nn.Module, side: Side, features: jax.Array) -> jax.Array:
    """Return unit rows [n, d] of features [n, f]."""
    return jnp.asarray(head.apply({"params": side.params}, _scaled(side, features)))


def embed_batch(
    head: nn.Module,
    heads: Sides,
    batch: Batch,
    key: jax.Array,
    *,
    teacher: Sides | None,
    view_dropout: float,
) -> Embedded:
    """Embed a batch with dropout, its second views, and unmatched rows by a teacher.

    A second view drops a share of the features.
    """

    def both(
        side: Side, matched: jax.Array, unmatched: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        row_key, view_key = jax.random.split(key)
        features = jnp.concatenate([matched, unmatched])
        rows = _embed_randomly(head, side, features, row_key)
        view = _embed_randomly(head, side, features, view_key, drop=view_dropout)
        return rows[: len(matched)], rows[len(matched) :], view

    key_x, key_y = jax.random.split(key)
    x, unmatched_x, view_x = both(heads.x, batch.x, batch.unmatched_x, key_x)
    y, unmatched_y, view_y = both(heads.y, batch.y, batch.unmatched_y, key_y)
    taught_x = None if teacher is None else embed(head, teacher.x, batch.unmatched_x)
    taught_y = None if teacher is None else embed(head, teacher.y, batch.unmatched_y)
    return Embedded(x, y, unmatched_x, unmatched_y, view_x, view_y, taught_x, taught_y)


def _embed_randomly(
    head: nn.Module, side: Side, features: jax.Array, key: jax.Array, *, drop: float = 0.0
) -> jax.Array:
    features_key, head_key = jax.random.split(key)
    features = _scaled(side, features)
    if drop:
        mask = jax.random.bernoulli(features_key, 1 - drop, features.shape)
        features = jnp.where(mask, features / (1 - drop), 0)
    rngs = {"dropout": head_key}
    return jnp.asarray(head.apply({"params": side.params}, features, train=True, rngs=rngs))


def _scaled(side: Side, features: jax.Array) -> jax.Array:
    features = jnp.asarray(features, jnp.float32)
    return (features - side.center[None, :]) * side.scale[None, :]
