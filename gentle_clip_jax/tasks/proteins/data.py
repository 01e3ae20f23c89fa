"""Dataset of proteins: windows for training, crops for retrieval, domains for classification."""

import dataclasses
from typing import NamedTuple

import numpy as np

from gentle_clip_jax.data.batches import Dataset, Items, Pairs
from gentle_clip_jax.data.pairing import separate
from gentle_clip_jax.tasks.proteins import domains
from gentle_clip_jax.tasks.proteins import sets as public_sets
from gentle_clip_jax.tasks.proteins.buckets import group_by_length
from gentle_clip_jax.tasks.proteins.domains import Proteins
from gentle_clip_jax.tasks.proteins.residue_neighbours import neighbours

_BUCKETS = 3


class Labelled(NamedTuple):
    """Whole labelled domains, grouped by similar lengths.

    tokens, structures: an array [n_i, l_i] for each group; labels: for each kind of label, the
    label [n] of each domain, "" if it has none of this kind.
    """

    tokens: list[np.ndarray]
    structures: list[Items]
    labels: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Domains:
    """The metadata of the domains of a split.

    retrieved: row numbers [n] of their crops; lengths: [n] lengths of the whole domains; distinct:
    [n] bool, whether a domain is dissimilar to all earlier ones.
    """

    retrieved: np.ndarray
    lengths: np.ndarray
    distinct: np.ndarray
    labelled: Labelled


@dataclasses.dataclass(frozen=True)
class Metadata:
    """The metadata of the task.

    train: the domains that class prototypes are made from. validation, test: the held-out domains,
    by the name of their set. crop: the length of the retrieved crops in residues.
    """

    train: Labelled
    validation: dict[str, Domains]
    test: dict[str, Domains]
    crop: int


def load_data(
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
) -> Dataset:
    """Return windows of the training domains, some of them pairs, and crops of the held-out ones.

    Args:
      proteins: the domains; those of the splits `sequence` and `structure`, if any, are unmatched.
      seed: seed of the choice of matched domains.
      matched_fraction: share of the training domains that are matched.
      unmatched: choice of the unmatched x and y, shuffled or disjoint; see `separate`.
      window: length of a training item in residues.
      crop: length of a view and of a retrieved crop in residues.
      stride: largest distance in residues between the starts of successive windows.
      most_neighbours, cutoff: see `neighbours`.

    Raises:
      ValueError: there are too few domains.
    """
    train = proteins.rows("train")
    number = round(matched_fraction * len(train))
    parts = separate(len(train), number, seed=seed, unmatched=unmatched)
    pairs, of_x, of_y = (train[rows] for rows in parts)
    of_x = np.concatenate([of_x, proteins.rows("sequence")])
    of_y = np.concatenate([of_y, proteins.rows("structure")])
    near = {"most": most_neighbours, "cutoff": cutoff}

    def windows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, Items]:
        owners, starts = domains.tiles(proteins, rows, window, stride)
        tokens, structures = domains.windows(proteins, owners, starts, window)
        items = with_neighbours(structures, near)
        if isinstance(items, dict):  # a string's padding shows its end, a backbone's does not
            items["length"] = np.minimum(proteins.lengths[owners] - starts, window).astype(np.int32)
        return owners, tokens, items

    owners, tokens, structures = windows(pairs)
    (validation, of_validation), (test, of_test) = (
        _held_out(proteins, splits, crop, near) for splits in (["valid"], proteins.test_splits)
    )
    return Dataset(
        matched=Pairs(tokens, structures, proteins.ids[owners]),
        unmatched_x=windows(of_x)[1],
        unmatched_y=windows(of_y)[2],
        validation=validation,
        test=test,
        metadata=Metadata(
            train=_labelled(proteins, train, None),
            validation=of_validation,
            test=of_test,
            crop=crop,
        ),
    )


def with_neighbours(structures: np.ndarray, near: dict) -> Items:
    """Return backbones [n, l, 3, 3] with the neighbours of each residue.

    Strings of states [n, l] are returned unchanged.
    """
    if structures.ndim == 2:
        return structures
    places = np.zeros((0, structures.shape[1], near["most"]), np.int32)
    if len(structures):
        places = np.stack([neighbours(one[:, 1], **near) for one in structures])
    return {"backbone": structures, "neighbours": places}


def _held_out(
    proteins: Proteins, splits: list[str], crop: int, near: dict
) -> tuple[Pairs, dict[str, Domains]]:
    """Return the crops of some splits, one after another, and the metadata of their domains."""
    rows = {split: proteins.rows(split) for split in splits}
    cropped, tokens, structures = domains.crops(
        proteins, np.concatenate([np.zeros(0, int), *rows.values()]), crop
    )
    if not len(cropped):
        raise ValueError(f"No held-out domain has {crop} residues: lower config.data.crop.")
    sets = {}
    for split, own in rows.items():
        retrieved = np.flatnonzero(proteins.split[cropped] == split)
        sets[split] = Domains(
            retrieved=retrieved,
            lengths=proteins.lengths[cropped[retrieved]],
            distinct=np.isin(cropped[retrieved], domains.distinct(proteins, own)),
            labelled=_labelled(proteins, own, near),
        )
    return Pairs(tokens, with_neighbours(structures, near), proteins.ids[cropped]), sets


def _labelled(proteins: Proteins, rows: np.ndarray, near: dict | None) -> Labelled:
    """Return the labelled ones of `rows`; structures are left out if `near` is None."""
    every = [labels[rows] != "" for labels in proteins.labels.values()]
    rows = rows[np.any(every, axis=0)] if every else rows[:0]
    order, tokens, structures = [], [], []
    for length, indices in group_by_length(proteins.lengths[rows], _BUCKETS):
        chosen = rows[indices]
        strings, backbones = domains.windows(proteins, chosen, np.zeros(len(chosen), int), length)
        order.append(chosen)
        tokens.append(strings)
        if near is not None:
            structures.append(with_neighbours(backbones, near))
    order = np.concatenate(order) if order else rows
    labels = {name: labels[order] for name, labels in proteins.labels.items()}
    return Labelled(tokens, structures, labels)


def read(folder: str, fasta: str, structures: str, pairs: str, *, seed: int) -> Proteins:
    """Return the proteins of a public set's folder, or of a FASTA file and a folder of structures.

    pairs: a file with the ids of each pair, or "" if equal ids are pairs.

    Raises:
      ValueError: neither is given, or a file cannot be read.
    """
    if fasta and structures:
        from gentle_clip_jax.tasks.proteins import structures as files

        return files.read(fasta, structures, pairs, seed=seed)
    if fasta or structures or not folder:
        raise ValueError(
            "Set config.data.folder, or both config.data.fasta and config.data.structures."
        )
    return public_sets.read(folder)
