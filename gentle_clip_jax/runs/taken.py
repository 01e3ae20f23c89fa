"""Taking the folder of a run: one training at a time, and of one config."""

import contextlib
import json
import pathlib
from collections.abc import Iterator

import jax
import ml_collections
from jax.experimental import multihost_utils

from gentle_clip_jax.files import write_json
from gentle_clip_jax.runs.differences import differences, flat
from gentle_clip_jax.runs.folder import RunFolder, read_config
from gentle_clip_jax.runs.lock import locked, not_writable

# Keys that may change in a run, since good steps do not depend on them but for rounding.
_FREE = ("config.train.max_skipped", "config.train.max_damaged", "config.mesh.fsdp")


@contextlib.contextmanager
def taken(workdir: pathlib.Path, config: ml_collections.ConfigDict) -> Iterator[RunFolder]:
    """Makes the folder of a run, or finds it as the same config left it; and keeps others out.

    Nothing is written before the lock is held. All processes of a run take part.

    Raises:
      ValueError: the folder cannot be written to, another process trains in it, or it belongs to a
        run of another config.
    """
    folder = RunFolder(workdir)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_writable(workdir, error) from error
    with locked(folder.lock):
        if jax.process_index() == 0 and not folder.has_started:
            try:
                write_json(folder.config, config.to_dict())
            except OSError as error:
                raise not_writable(workdir, error) from error
        multihost_utils.sync_global_devices("the workdir is there")
        _check_same(workdir, config)
        yield folder


def _check_same(workdir: pathlib.Path, config: ml_collections.ConfigDict) -> None:
    asked = json.loads(json.dumps(config.to_dict()))  # in JSON a tuple is a list
    kept = read_config(workdir).to_dict()
    for key, (was, now) in differences(flat(kept, "config."), flat(asked, "config.")).items():
        if key not in _FREE:
            raise ValueError(
                f"{workdir} holds a run of another config ({key} was {was}, is {now}): "
                "choose another --workdir, or delete that folder."
            )
