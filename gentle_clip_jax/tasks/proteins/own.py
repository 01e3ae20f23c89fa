"""A user's own sequences and structures, in the form that the towers of a run take."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gentle_clip_jax.data import sequences
from gentle_clip_jax.data.batches import Items
from gentle_clip_jax.storage.digests import sha256_of
from gentle_clip_jax.tasks.proteins import domains, structures
from gentle_clip_jax.tasks.proteins.data import with_neighbours
from gentle_clip_jax.tasks.proteins.structures import Chain
from gentle_clip_jax.tasks.raw import Modality, Raw


def read(path: pathlib.Path, modality: Modality, near: dict[str, Any] | None, crop: int) -> Raw:
    """Return the items of a FASTA file of sequences or states, or of a folder of structures.

    `structures.read_folder` reads the folder.

    Args:
      near: arguments of `neighbours`; None if the run's structures are strings of states.
      crop: number of central residues that are embedded.
    """
    if modality == "y" and near is not None:
        chains = structures.read_folder(path)
        digest = lambda chain: sha256_of(np.asarray(chain.backbone, np.float32))  # noqa: E731
        return _raw(chains, digest, lambda some: _backbones(some, near, crop))
    alphabet = domains.AMINO_ACIDS if modality == "x" else domains.STATES
    letters = sequences.read_fasta(path)
    digest = lambda one: sha256_of(one.encode())  # noqa: E731
    return _raw(letters, digest, lambda some: centres(some, crop, alphabet))


def centres(strings: Sequence[str], size: int, alphabet: str = domains.AMINO_ACIDS) -> np.ndarray:
    """Return tokens [n, size] of the middle of n strings, with one letter per residue or state."""
    padded = np.full((len(strings), size), domains.PADDING, np.int32)
    for row, string in zip(padded, strings):
        residues = "".join(string.split()).upper().encode("ascii", "replace")
        letters = _middle(np.frombuffer(residues, np.uint8), size)
        row[: len(letters)] = domains.tokens(letters, alphabet)
    return padded


def _backbones(chains: Sequence[Chain], near: dict[str, Any], size: int) -> Items:
    backbones = np.full((len(chains), size, 3, 3), np.nan, np.float32)
    for row, chain in zip(backbones, chains):
        atoms = _middle(chain.backbone, size)
        row[: len(atoms)] = atoms
    return with_neighbours(backbones, near)


def _middle(residues: np.ndarray, size: int) -> np.ndarray:
    start = max(len(residues) - size, 0) // 2
    return residues[start : start + size]


def _raw(items: dict[str, Any], digest: Callable[[Any], str], load: Callable[..., Items]) -> Raw:
    return Raw([{"id": name} for name in items], [*items.values()], digest, load)
