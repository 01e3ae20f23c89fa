"""Exclusive use of a run's folder: by one process at a time, and for one config."""

import contextlib
import json
import logging
import os
import pathlib
import socket
from collections.abc import Iterator
from typing import Any

import jax
import ml_collections
from jax.experimental import multihost_utils

from gentle_clip_jax.runs.differences import differences, flat
from gentle_clip_jax.runs.folder import RunFolder
from gentle_clip_jax.storage import locks
from gentle_clip_jax.storage.records import read_record, write_record
from gentle_clip_jax.storage.stores import is_local
from gentle_clip_jax.storage.writing import put_aside, write_text

_log = logging.getLogger(__name__)

# Keys that may change when a run is resumed: up to rounding, good steps do not depend on them.
_FREE = ("config.train.max_skipped", "config.train.max_damaged", "config.mesh.fsdp")


@contextlib.contextmanager
def taken(workdir: pathlib.Path, config: ml_collections.ConfigDict) -> Iterator[RunFolder]:
    """Create or reopen the folder of a run with the same config, and lock it for the block.

    Nothing is written before the folder is locked. All processes of a run take part. The config is
    stored twice, so that a run whose config.json is lost or damaged can resume.

    Raises:
      ValueError: the folder cannot be written to, another process trains in it, or it belongs to a
        run with another config, or to one whose config is lost.
    """
    folder = RunFolder(workdir)
    asked = json.loads(json.dumps(config.to_dict()))  # in JSON a tuple is a list
    try:
        if is_local(workdir):
            workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(workdir, error) from error
    with locked(folder.lock):
        if jax.process_index() == 0 and not folder.has_started:
            _write(folder, asked)
        multihost_utils.sync_global_devices("the workdir is there")
        stored = _kept(folder, asked)
        multihost_utils.sync_global_devices("the config is the same")
        if jax.process_index() == 0:
            _mend(folder, stored)
        yield folder


def _copies(folder: RunFolder) -> tuple[pathlib.Path, pathlib.Path]:
    return folder.config, folder.config_of_checkpoints


def _write(folder: RunFolder, config: dict[str, Any]) -> None:
    try:
        if is_local(folder.path):
            folder.checkpoints.mkdir(exist_ok=True)
        for path in _copies(folder):
            write_record(path, config)
    except OSError as error:
        raise _not_writable(folder.path, error) from error


def _kept(folder: RunFolder, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the stored config of a folder, checked to equal the given one."""
    copies = []
    for path in _copies(folder):
        with contextlib.suppress(FileNotFoundError, ValueError):
            copies.append(read_record(path))
    if not copies:
        raise ValueError(
            f"{folder.path} has a run whose config is lost or damaged ({folder.config.name}): "
            "restore that file, choose another --workdir, or delete the folder."
        )
    for copy in copies:
        for key, (was, now) in differences(flat(copy, "config."), flat(asked, "config.")).items():
            if key not in _FREE:
                raise ValueError(
                    f"{folder.path} has a run with another config ({key} was {was}, is {now}): "
                    "choose another --workdir, or delete the folder."
                )
    return copies[0]


def _mend(folder: RunFolder, config: dict[str, Any]) -> None:
    """Rename damaged copies of the config with a warning, and write missing copies again."""
    lacking = []
    for path in _copies(folder):
        try:
            read_record(path)
        except FileNotFoundError:
            lacking.append(path)
        except ValueError as error:
            lacking.append(path)
            renamed = put_aside(path).name
            _log.warning(f"{path} is damaged ({error}): renamed to {renamed} and written again.")
    if lacking:
        _write(folder, config)


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    """Lock a file in a run's folder for the duration of the block or of the process.

    Who holds it stands beside it, in PATH.holder.

    Raises:
      ValueError: another process holds it; names its id and its machine.
    """
    if jax.process_index() or not is_local(path):
        yield  # the first process holds it for all; a store has no locks
        return
    holder = path.with_name(path.name + ".holder")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locks.locked(path))
            write_text(holder, f"process {os.getpid()} on {socket.gethostname()}")
        except TimeoutError as error:
            raise ValueError(
                f"{path.parent} is in use by {_holder(holder)}: "
                "wait until that run ends, stop it, or choose another --workdir."
            ) from error
        except OSError as error:
            raise _not_writable(path.parent, error) from error
        yield


def _holder(file: pathlib.Path) -> str:
    with contextlib.suppress(OSError):
        return file.read_text(errors="replace") or "another process"
    return "another process"


def _not_writable(workdir: pathlib.Path, error: OSError) -> ValueError:
    """Return the error for a run's folder that cannot be written to."""
    return ValueError(
        f"Cannot write to the workdir {workdir} ({error.strerror}): choose another --workdir."
    )
