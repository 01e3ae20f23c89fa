"""Sums over pairs of rows on several devices: each keeps its rows, and blocks travel in a ring."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh, AxisType, PartitionSpec

Axis = str | tuple[str, ...] | None


def mesh_of(x: jax.Array) -> AbstractMesh | None:
    """Return the mesh of several devices over which jit shards x, a traced array.

    Return None if x is on one device.
    """
    mesh = jax.typeof(x).sharding.mesh
    spread = mesh.size > 1 and all(kind == AxisType.Auto for kind in mesh.axis_types)
    return mesh if spread else None


def reduce(
    sweep: Callable,
    merge: Callable,
    shared: Any,
    here: Any,
    there: Any,
    axis: Axis,
    mesh: AbstractMesh | None,
) -> tuple[Any, Any, Any]:
    """Sweep all rows here against all rows there, or against each other if there is None.

    Args:
      sweep: function from shared, rows here, rows there and the weights of their pairs to totals,
        which are summed, and to results of the rows here and there, which are merged; there is None
        for one device's rows against themselves, which halves the tiles.
      merge: function that joins two results of the same rows.
      shared: argument of every sweep.
      here: arrays [n, ...]; of one device's rows where the axis is given.
      there: arrays [m, ...] or None.
      axis: the mesh axis that a shard_map around this call splits the rows by.
      mesh: the mesh to split the rows over, all axes of it, where no shard_map is around.
    """
    if mesh is None:
        return _turn(sweep, merge, axis, shared, here, there)
    n, m, size = _length(here), _length(here if there is None else there), mesh.size
    here, there = jax.tree.map(lambda v: pad(v, size * math.ceil(len(v) / size)), (here, there))
    rows, every = PartitionSpec(mesh.axis_names), PartitionSpec()
    turn = jax.shard_map(
        lambda *sets: _turn(sweep, merge, mesh.axis_names, *sets),
        mesh=mesh,
        in_specs=(every, rows, rows),
        out_specs=(every, rows, rows),
        check_vma=False,
    )
    totals, mine, theirs = turn(shared, here, there)
    return totals, jax.tree.map(lambda v: v[:n], mine), jax.tree.map(lambda v: v[:m], theirs)


def _turn(sweep, merge, axis, shared, here, there):
    symmetric = there is None
    whole = sweep(shared, here, there, (1, 1))
    if axis is None:
        return whole
    size = jax.lax.axis_size(axis)
    # Each two devices need to meet only once, for which half a turn is enough.
    last = size // 2 if symmetric else size - 1

    def step(carry, k):
        (totals, mine, theirs), there = carry
        there, theirs = _shift((there, theirs), axis, 1)
        twice = symmetric & (2 * k != size)  # opposite devices see the same pairs, on both sides
        weights = jnp.where(twice, 2, 1), jnp.where(symmetric, twice, True)
        new = sweep(shared, here, there, weights)
        totals = jax.tree.map(jnp.add, totals, new[0])
        mine, theirs = jax.tree.map(merge, (mine, theirs), new[1:])
        return ((totals, mine, theirs), there), None

    start = whole, here if symmetric else there
    ((totals, mine, theirs), _), _ = jax.lax.scan(step, start, jnp.arange(1, last + 1))
    return jax.lax.psum(totals, axis), mine, _shift(theirs, axis, -last)


def _shift(tree: Any, axis: Axis, steps: int) -> Any:
    """Hand the arrays on to the device that many steps further along the ring."""
    size = jax.lax.axis_size(axis)
    return jax.lax.ppermute(tree, axis, [(k, (k + steps) % size) for k in range(size)])


def pad(v: jax.Array, n: int) -> jax.Array:
    """Append zero rows to v [m, ...] up to n rows."""
    return jnp.pad(v, [(0, n - v.shape[0])] + [(0, 0)] * (v.ndim - 1))


def _length(tree: Any) -> int:
    return jax.tree.leaves(tree)[0].shape[0]
