"""Views of proteins: a stretch of residues, some of them masked or moved."""

from typing import Any

import jax
import jax.numpy as jnp
import ml_collections

from gentle_clip_jax.data.batches import Batch, Items, count
from gentle_clip_jax.encoders.protein_sequence import MASK
from gentle_clip_jax.tasks.proteins import domains


def views(key: jax.Array, batch: Batch, config: ml_collections.ConfigDict) -> tuple[Any, Any]:
    """Return a random stretch of each item, masked or with noise.

    Both items of a pair get the same stretch.
    """
    places, more, masks, changes = jax.random.split(key, 4)
    tokens = jnp.concatenate([part["x"] for part in batch.values()])
    items = jax.tree.map(
        lambda *leaves: jnp.concatenate(leaves), *(part["y"] for part in batch.values())
    )
    where = jax.random.uniform(places, (len(tokens),))
    other = jax.random.uniform(more, (len(tokens),))
    matched = jnp.arange(len(tokens)) < count(batch["matched"])
    of_y, size = jnp.where(matched, where, other), config.data.crop
    x = _string_views(masks, tokens, where, size, config.views.sequence.mask)
    if not are_backbones(items):
        return x, _string_views(changes, items, of_y, size, config.views.structure.mask)
    starts = _starts(of_y, items["length"], size)
    backbone = stretches(items["backbone"], starts, size)
    shifts = config.views.structure.noise * jax.random.normal(changes, backbone.shape)
    return x, {
        "backbone": backbone + shifts,
        "neighbours": stretches(items["neighbours"], starts, size) - starts[:, None, None],
    }


def _string_views(
    key: jax.Array, strings: jax.Array, where: jax.Array, size: int, mask: float
) -> jax.Array:
    """Return stretches [b, size] of strings [b, n], some of their residues masked."""
    starts = _starts(where, jnp.sum(strings != domains.PADDING, axis=1), size)
    rows = stretches(strings, starts, size)
    hidden = jax.random.bernoulli(key, mask, rows.shape)
    return jnp.where(hidden & (rows != domains.PADDING), MASK, rows)


def are_backbones(structures: Items) -> bool:
    """Return whether structures are backbones, not strings of states."""
    return isinstance(structures, dict)


def stretches(rows: jax.Array, starts: jax.Array, size: int) -> jax.Array:
    """Return the slice starts[i] to starts[i] + size of each row i of rows [b, n, ...]."""
    return jax.vmap(lambda row, start: jax.lax.dynamic_slice_in_dim(row, start, size))(rows, starts)


def _starts(uniform: jax.Array, lengths: jax.Array, size: int) -> jax.Array:
    """Return starts of stretches, from uniform numbers in [0, 1): 0 to the last start that fits."""
    choices = jnp.maximum(lengths - size, 0) + 1
    return (uniform * choices.astype(jnp.float32)).astype(jnp.int32)
