"""Sharding over devices: rows over all of them, large arrays of the state over one mesh axis."""

from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

_SMALL = 2**14  # entries; smaller arrays are cheaper to replicate than to gather
_MOST_BLOCKS = 64


def data_mesh(fsdp: int = 1) -> Mesh:
    """Return a mesh of all devices: `fsdp` of them along the axis "fsdp", the rest along "data".

    The axes are Auto: the losses compare all rows with all rows, which does not trace on Explicit
    axes, the default of jax.make_mesh.

    Raises:
      ValueError: `fsdp` is not a power of two up to 64, or does not divide the number of devices.
    """
    devices = jax.device_count()
    if fsdp not in (1, 2, 4, 8, 16, 32, 64) or devices % fsdp:
        raise ValueError(
            f"config.mesh.fsdp must be a power of two up to {_MOST_BLOCKS} that divides the number "
            f"of devices, {devices}, not {fsdp}."
        )
    auto = (AxisType.Auto, AxisType.Auto)
    return jax.make_mesh((devices // fsdp, fsdp), ("data", "fsdp"), axis_types=auto)


def by_rows(mesh: Mesh) -> NamedSharding:
    """Return the sharding of arrays split along their first dimension."""
    return NamedSharding(mesh, PartitionSpec(mesh.axis_names))


def replicated(mesh: Mesh) -> NamedSharding:
    """Return the sharding of arrays that are replicated on every device."""
    return NamedSharding(mesh, PartitionSpec())


def of_state(tree: Any, mesh: Mesh) -> Any:
    """Return the sharding of a state's arrays: large ones split over "fsdp", the rest replicated.

    Arrays are split along their longest axis, if it has enough blocks (see `num_blocks`).
    """

    def sharding(leaf) -> NamedSharding:
        parts, shape = mesh.shape.get("fsdp", 1), np.shape(leaf)
        if parts == 1 or np.size(leaf) < _SMALL or num_blocks(shape) % parts:
            return replicated(mesh)
        return NamedSharding(mesh, PartitionSpec(*[None] * split_axis(shape), "fsdp"))

    return jax.tree.map(sharding, tree)


def gathered(tree: Any, fsdp: int) -> Any:
    """Return a tree, inside jit, whose arrays are gathered on each device before use.

    Otherwise XLA may shard the activations like the parameters, and communicate them at many times
    the cost.
    """
    return (
        tree if fsdp == 1 else jax.lax.with_sharding_constraint(tree, replicated(data_mesh(fsdp)))
    )


def shard_batch(batch, mesh: Mesh):
    """Put this process's share of a batch on its devices, as rows of the global batch.

    Raises:
      ValueError: a batch size is not a multiple of the number of devices.
    """
    devices = mesh.size

    def put(rows):
        size = len(rows) * jax.process_count()
        if size % devices:
            raise ValueError(
                f"A batch of {size} rows cannot be split over {devices} devices: make "
                f"config.train.batch_matched and batch_unmatched multiples of {devices}."
            )
        return jax.make_array_from_process_local_data(by_rows(mesh), rows)

    return jax.tree.map(put, batch)


def on_all(tree: Any, mesh: Mesh) -> Any:
    """Return a tree on all devices of a mesh; arrays that are not there yet are replicated."""

    def put(leaf):
        is_on = isinstance(leaf, jax.Array) and leaf.sharding.device_set == set(mesh.devices.flat)
        return leaf if is_on else _put(leaf, replicated(mesh))

    return jax.tree.map(put, tree)


def place(tree: Any, shardings: Any) -> Any:
    """Put a tree, the same in every process, on the devices of its shardings."""
    return jax.tree.map(_put, tree, shardings)


def _put(leaf: Any, sharding: NamedSharding) -> jax.Array:
    if jax.process_count() == 1:
        return jax.device_put(leaf, sharding)
    # device_put would make all processes compare their values.
    values = np.asarray(leaf)
    return jax.make_array_from_callback(values.shape, sharding, lambda index: values[index])


def split_axis(shape: tuple[int, ...]) -> int:
    """Return the longest axis, the first in a tie; 0 for a scalar."""
    return int(np.argmax(shape)) if shape else 0


def num_blocks(shape: tuple[int, ...]) -> int:
    """Return the number of blocks of an array: a power of two that divides its longest axis."""
    length = max(shape, default=0)
    return min(length & -length, _MOST_BLOCKS) or 1
