"""Rounds of a long fit, kept on the disk, so that a fit that was stopped goes on after the last."""

import contextlib
import importlib.metadata
import pathlib
import shutil
from collections.abc import Iterable, Iterator
from contextvars import ContextVar

import jax
import numpy as np

from gentle_clip_jax import progress
from gentle_clip_jax.aligners import saved
from gentle_clip_jax.aligners.closed_form.cca import Maps
from gentle_clip_jax.files import sha256_of

_folder: ContextVar[pathlib.Path | None] = ContextVar("folder", default=None)
_PACKAGES = ("gentle-clip-jax", "jax", "jaxlib")


@contextlib.contextmanager
def kept_in(folder: pathlib.Path | None) -> Iterator[None]:
    """Within it long fits keep their rounds in a folder; if it ends well, the folder is deleted.

    Without a folder nothing is kept.
    """
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def identity(arrays: Iterable[jax.Array], settings: dict[str, float]) -> str | None:
    """What a fit must agree in to go on with what another has kept; None where nothing is kept."""
    if _folder.get() is None:
        return None
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return sha256_of([[sha256_of(np.asarray(a)) for a in arrays], settings, versions])


def last(identity: str | None) -> tuple[int, Maps | None]:
    """How many rounds of such a fit have been kept, and the maps after them."""
    folder = _folder.get()
    if identity is None or folder is None or not folder.exists():
        return 0, None
    try:
        parts, about = saved.read(folder)
        if about["identity"] == identity:
            progress.console().print(f"{folder}: going on after {about['rounds']} rounds.")
            return about["rounds"], parts["maps"]
    except (ValueError, LookupError) as error:
        progress.console().print(f"The rounds begin anew. {error}")
    return 0, None


def keep(identity: str | None, rounds: int, maps: Maps) -> None:
    """Keeps the maps after some rounds in place of those before."""
    folder = _folder.get()
    if identity is not None and folder is not None:
        saved.write(folder, {"maps": maps}, {"identity": identity, "rounds": rounds})
