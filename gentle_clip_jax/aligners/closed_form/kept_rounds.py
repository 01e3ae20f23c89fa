"""Transport rounds of a long fit, cached on disk, so that an interrupted fit resumes."""

import contextlib
import importlib.metadata
import logging
import pathlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import jax
import numpy as np

from gentle_clip_jax.aligners import saved
from gentle_clip_jax.aligners.closed_form.cca import Maps
from gentle_clip_jax.storage.digests import sha256_of

_log = logging.getLogger(__name__)

_folder: ContextVar[pathlib.Path | None] = ContextVar("folder", default=None)
_KINDS = {"Maps": Maps}.get
_PACKAGES = ("gentle-clip-jax", "jax", "jaxlib")


@contextlib.contextmanager
def kept_in(folder: pathlib.Path | None) -> Iterator[None]:
    """Cache the rounds of long fits in a folder within a `with`; delete them after success.

    Without a folder nothing is cached. Other files of the folder stay.
    """
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)
    if folder is not None and "identity" in _read(folder)[1]:
        saved.remove(folder)


def identity(arrays: Iterable[jax.Array], settings: dict[str, float]) -> str | None:
    """Return the digest that a fit and its cached rounds must share; None without a cache."""
    if _folder.get() is None:
        return None
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return sha256_of([[sha256_of(np.asarray(a)) for a in arrays], settings, versions])


def last(identity: str | None) -> tuple[int, Maps | None]:
    """Return the number of cached rounds of a fit, and the maps after them.

    Raises:
      ValueError: the folder of the cache has an aligner in it.
    """
    folder = _folder.get()
    if identity is None or folder is None:
        return 0, None
    parts, metadata = _read(folder)
    if parts and "identity" not in metadata:
        raise ValueError(f"{folder} holds an aligner, where rounds would be kept: move it away.")
    if metadata.get("identity") != identity:
        return 0, None
    _log.info(f"{folder}: going on after {metadata['rounds']} rounds.")
    return metadata["rounds"], jax.tree.map(jax.numpy.asarray, parts["maps"])


def keep(identity: str | None, rounds: int, maps: Maps) -> None:
    """Cache the maps after a round in place of earlier ones."""
    folder = _folder.get()
    if identity is not None and folder is not None:
        saved.write(folder, {"maps": maps}, {"identity": identity, "rounds": rounds}, _KINDS)


def _read(folder: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return cached parts and metadata, empty where they are missing or damaged."""
    if (folder / "aligner.json").exists():
        try:
            return saved.read(folder, _KINDS)
        except ValueError as error:
            _log.warning(f"The rounds begin anew. {error}")
    return {}, {}
