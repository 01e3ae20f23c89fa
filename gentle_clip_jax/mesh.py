"""Devices: one data axis over all of them."""

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec


def data_mesh() -> Mesh:
    """A mesh of all devices with one axis, "data".

    The axis is Auto: the losses compare all rows with all rows, which does not trace on Explicit
    axes, the default of jax.make_mesh.
    """
    return jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))


def by_rows(mesh: Mesh) -> NamedSharding:
    """Arrays split along their first dimension."""
    return NamedSharding(mesh, PartitionSpec("data"))


def replicated(mesh: Mesh) -> NamedSharding:
    """Arrays that every device holds whole."""
    return NamedSharding(mesh, PartitionSpec())


def shard_batch(batch, mesh: Mesh):
    """Puts this process's share of a batch on its devices, as rows of the global batch.

    Raises:
      ValueError: a batch size does not divide by the number of devices.
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
