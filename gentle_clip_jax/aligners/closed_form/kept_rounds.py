"""Rounds of a long fit, kept on the disk, so that a fit that was stopped goes on after the last."""

import contextlib
import importlib.metadata
import pathlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import jax
import numpy as np

from gentle_clip_jax import progress
from gentle_clip_jax.aligners import saved
from gentle_clip_jax.aligners.closed_form.cca import Maps
from gentle_clip_jax.files import sha256_of

_folder: ContextVar[pathlib.Path | None] = ContextVar("folder", default=None)
_KINDS = {"Maps": Maps}.get
_PACKAGES = ("gentle-clip-jax", "jax", "jaxlib")


@contextlib.contextmanager
def kept_in(folder: pathlib.Path | None) -> Iterator[None]:
    """Within it long fits keep their rounds in a folder; if it ends well, they are deleted.

    Without a folder nothing is kept. What else is in the folder stays.
    """
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)
    if folder is not None and "identity" in _read(folder)[1]:
        for path in (*folder.glob("arrays-*.safetensors"), folder / "aligner.json"):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()


def identity(arrays: Iterable[jax.Array], settings: dict[str, float]) -> str | None:
    """What a fit must agree in to go on with what another has kept; None where nothing is kept."""
    if _folder.get() is None:
        return None
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return sha256_of([[sha256_of(np.asarray(a)) for a in arrays], settings, versions])


def last(identity: str | None) -> tuple[int, Maps | None]:
    """How many rounds of such a fit have been kept, and the maps after them.

    Raises:
      ValueError: there is an aligner where rounds are to be kept.
    """
    folder = _folder.get()
    if identity is None or folder is None:
        return 0, None
    parts, metadata = _read(folder)
    if parts and "identity" not in metadata:
        raise ValueError(f"{folder} holds an aligner, where rounds would be kept: move it away.")
    if metadata.get("identity") != identity:
        return 0, None
    progress.console().print(f"{folder}: going on after {metadata['rounds']} rounds.")
    return metadata["rounds"], parts["maps"]


def keep(identity: str | None, rounds: int, maps: Maps) -> None:
    """Keeps the maps after some rounds in place of those before."""
    folder = _folder.get()
    if identity is not None and folder is not None:
        saved.write(folder, {"maps": maps}, {"identity": identity, "rounds": rounds}, _KINDS)


def _read(folder: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is kept there and what is said about it; nothing of what is not there, or damaged."""
    if (folder / "aligner.json").exists():
        try:
            return saved.read(folder, _KINDS)
        except ValueError as error:
            progress.console().print(f"The rounds begin anew. {error}")
    return {}, {}
