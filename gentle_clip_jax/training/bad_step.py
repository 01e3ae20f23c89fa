"""Record of a step whose loss was not finite: its metrics, its row numbers and its batch."""

import pathlib

import jax
import ml_collections

from gentle_clip_jax.data import batches
from gentle_clip_jax.runs.folder import RunFolder
from gentle_clip_jax.runs.log import NonFiniteStep
from gentle_clip_jax.storage.records import write_record
from gentle_clip_jax.storage.writing import write_arrays
from gentle_clip_jax.training import batching


def recorded(
    bad: NonFiniteStep,
    config: ml_collections.ConfigDict,
    dataset: batches.Dataset,
    workdir: pathlib.Path,
) -> FloatingPointError:
    """Write bad_step_N.json and .npz into a run's folder and return the error to raise.

    The JSON has the metrics, the row numbers and the names of the matched items; the .npz has the
    batch. Resuming from the newest checkpoint before the step reproduces its parameters.
    """
    path = RunFolder(workdir).bad_step(bad.step)
    if jax.process_index() == 0:
        rows = batching.rows_at(config, dataset)(bad.step - 1)
        batch = batching.batch_at(config, dataset, whole=True)(bad.step - 1)
        arrays = {
            f"{name}/{side}": part[side] for name, part in batch.items() for side in ("x", "y")
        }
        write_arrays(path.with_suffix(".npz"), arrays)
        record = {
            "step": bad.step,
            "metrics": {name: repr(float(value)) for name, value in bad.metrics.items()},
            "rows": {name: numbers.tolist() for name, numbers in rows.items()},
            "matched_names": [str(name) for name in dataset.matched.names[rows["matched"]]],
        }
        write_record(path, record)
    return FloatingPointError(
        f"{bad}: training stopped, the checkpoints before it in "
        f"{RunFolder(workdir).checkpoints} are kept. "
        "Lower the learning rates (config.optimizer) or the weight of that term (config.loss), or "
        f"raise config.train.max_skipped. {path} and its .npz file record the batch of that step."
    )
