"""Proteins as a task: windows to learn from, crops to retrieve, whole domains to classify."""

import dataclasses
from typing import NamedTuple

import numpy as np

from gentle_clip_jax.data import protein
from gentle_clip_jax.data.buckets import group_by_length
from gentle_clip_jax.data.pipeline import Pairs, Task
from gentle_clip_jax.data.protein import Proteins
from gentle_clip_jax.data.residue_neighbours import neighbours

_BUCKETS = 3
_CLASSES = (1, 2, 3)  # of CATH: mostly helices, mostly strands, both


class Group(NamedTuple):
    """Whole domains of about one length: tokens [n, l], structures of them, classes [n]."""

    tokens: np.ndarray
    structures: dict[str, np.ndarray]
    classes: np.ndarray


@dataclasses.dataclass(frozen=True)
class Domains:
    """What is known besides of the domains of a split.

    lengths: [n] of the retrieved ones, whole; distinct: [n] whether none is like an earlier one.
    labelled: all of those that have a class.
    """

    lengths: np.ndarray
    distinct: np.ndarray
    labelled: list[Group]


@dataclasses.dataclass(frozen=True)
class About:
    """Domains of each split; `training` [n, ...] are whole matched and unmatched ones."""

    train: Domains
    validation: Domains
    test: Domains
    crop: int


def load_task(
    proteins: Proteins,
    *,
    seed: int,
    matched_fraction: float,
    unmatched: str,
    window: int,
    crop: int,
    stride: int,
    most_neighbours: int,
    cutoff: float,
) -> Task:
    """Windows of the training domains, some of them pairs; crops of the others.

    Args:
      proteins: rows of the splits train, valid and test hold both modalities; those of `sequence`
        and `structure`, if any, one each, and are unmatched.
      seed: decides which training domains are pairs.
      matched_fraction: of the training domains.
      unmatched: what `protein.draw` takes.
      window: residues of a training item.
      crop: residues that are retrieved, and that a view has.
      stride: residues from a window to the next, at most.
      most_neighbours, cutoff: see `neighbours`.

    Raises:
      ValueError: there are too few domains.
    """
    train = proteins.rows("train")
    number = round(matched_fraction * len(train))
    pairs, of_x, of_y = protein.draw(train, number, seed=seed, unmatched=unmatched)
    of_x = np.concatenate([of_x, proteins.rows("sequence")])
    of_y = np.concatenate([of_y, proteins.rows("structure")])
    near = {"most": most_neighbours, "cutoff": cutoff}

    def windows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        owners, starts = protein.tiles(proteins, rows, window, stride)
        tokens, backbones = protein.windows(proteins, owners, starts, window)
        lengths = np.minimum(proteins.lengths[owners] - starts, window).astype(np.int32)
        return owners, tokens, structures(backbones, near) | {"length": lengths}

    owners, tokens, backbones = windows(pairs)
    return Task(
        matched=Pairs(tokens, backbones, proteins.ids[owners]),
        unmatched_x=windows(of_x)[1],
        unmatched_y=windows(of_y)[2],
        validation=_crops(proteins, proteins.rows("valid"), crop, near),
        test=_crops(proteins, proteins.rows("test"), crop, near),
        about=About(
            *(_domains(proteins, proteins.rows(s), crop, near) for s in ("train", "valid", "test")),
            crop=crop,
        ),
    )


def structures(backbones: np.ndarray, near: dict) -> dict[str, np.ndarray]:
    """Backbones [n, l, 3, 3] with the neighbours of each residue."""
    if not len(backbones):
        places = np.zeros((0, backbones.shape[1], near["most"]), np.int32)
    else:
        places = np.stack([neighbours(one[:, 1], **near) for one in backbones])
    return {"backbone": backbones, "neighbours": places}


def _crops(proteins: Proteins, rows: np.ndarray, crop: int, near: dict) -> Pairs:
    kept, tokens, backbones = protein.crops(proteins, rows, crop)
    if not len(kept):
        raise ValueError(f"No held-out domain has {crop} residues: lower config.data.crop.")
    return Pairs(tokens, structures(backbones, near), proteins.ids[kept])


def _domains(proteins: Proteins, rows: np.ndarray, crop: int, near: dict) -> Domains:
    retrieved = rows[proteins.lengths[rows] >= crop]
    classified = rows[np.isin(proteins.cath_class[rows], _CLASSES)]
    groups = []
    for length, indices in group_by_length(proteins.lengths[classified], _BUCKETS):
        chosen = classified[indices]
        tokens, backbones = protein.windows(proteins, chosen, np.zeros(len(chosen), int), length)
        groups.append(Group(tokens, structures(backbones, near), proteins.cath_class[chosen]))
    return Domains(
        lengths=proteins.lengths[retrieved],
        distinct=np.isin(retrieved, protein.distinct(proteins, rows)),
        labelled=groups,
    )


def read(folder: str, fasta: str, structures: str, *, seed: int) -> Proteins:
    """The proteins of a folder like pdb-domains-3d, or of a FASTA file and a folder of structures.

    Raises:
      ValueError: neither is given, or what is given cannot be read.
    """
    if fasta and structures:
        from gentle_clip_jax.data import structures as files

        return files.read(fasta, structures, seed=seed)
    if fasta or structures or not folder:
        raise ValueError(
            "Give config.data.folder, or both config.data.fasta and config.data.structures."
        )
    return protein.read(folder)
