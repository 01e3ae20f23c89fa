"""Rows cut into blocks, and tiles of pairs of blocks of two sets."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.losses import ring


def tile_indices(left, right, symmetric, weights, dtype):
    """Return tile indices, the weights of the tiles' totals, and whether their columns count."""
    i, j = np.divmod(np.arange(len(left[0]) * len(right[0]), dtype=np.int32), len(right[0]))
    if symmetric:
        i, j = i[i <= j], j[i <= j]
        weights = 1 + (i != j), i != j
    weight, mirror = (jnp.broadcast_to(jnp.asarray(w, dtype), i.shape) for w in weights)
    return jnp.asarray(i, jnp.int32), jnp.asarray(j, jnp.int32), weight, mirror


def cut(tree: Any, block_size: int) -> Any:
    """Return arrays [n, ...] as the fewest equal blocks [count, b, ...], b <= block_size."""
    n = tree[0].shape[0]
    count = max(1, math.ceil(n / block_size))
    size = math.ceil(n / count)
    return jax.tree.map(
        lambda v: ring.pad(v, count * size).reshape(count, size, *v.shape[1:]), tree
    )


def joined(tree: Any, n: int) -> Any:
    """Return the first n rows of arrays in blocks."""
    return jax.tree.map(lambda v: v.reshape(-1, *v.shape[2:])[:n], tree)


def take(tree: Any, i: Any) -> Any:
    """Return block i of arrays in blocks."""
    return jax.tree.map(lambda v: v[i], tree)


def expand(tree: Any, axis: int) -> Any:
    """Return arrays with an additional axis of length 1."""
    return jax.tree.map(lambda v: jnp.expand_dims(v, axis), tree)


def floating(features: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the differentiable features, and the masks and item numbers."""
    kinds = {name: jax.tree.leaves(value)[0].dtype for name, value in features.items()}
    smooth = {k: v for k, v in features.items() if jnp.issubdtype(kinds[k], jnp.floating)}
    return smooth, {k: v for k, v in features.items() if k not in smooth}
