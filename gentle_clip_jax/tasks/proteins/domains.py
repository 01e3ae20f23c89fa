"""Protein domains with sequences and structures: splits, labels, windows of residues."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.sparse

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
STATES = "HGIEBTSL"  # of DSSP: three helices, two strands, turn, bend, and none of these
UNKNOWN, PADDING = 20, 21
NUM_TOKENS = 22


@dataclasses.dataclass(frozen=True)
class Proteins:
    """n domains whose residues are concatenated: domain k has offsets[k]:offsets[k + 1].

    sequence: [residues] int8, indices into AMINO_ACIDS, or UNKNOWN.
    structure: backbones, [residues, 3, 3] float32, atoms N, CA, C in Angstrom, NaN where unknown;
      or strings, [residues] int8, indices of each residue's state in STATES, or UNKNOWN.
    split: [n]; domains of train, valid and test* have both modalities, those of `sequence` and
      `structure` only one; other splits are not used.
    labels: for each kind of label [n] strings, "" for a domain without a label.
    """

    ids: np.ndarray
    offsets: np.ndarray
    sequence: np.ndarray
    structure: np.ndarray
    split: np.ndarray
    labels: dict[str, np.ndarray]

    @property
    def lengths(self) -> np.ndarray:
        """Number of residues of each domain [n]."""
        return np.diff(self.offsets)

    def rows(self, split: str) -> np.ndarray:
        """Return the row numbers of the domains of a split."""
        return np.flatnonzero(self.split == split)

    @property
    def test_splits(self) -> list[str]:
        """Names of the test splits."""
        return sorted(name for name in set(self.split.tolist()) if name.startswith("test"))


def tokens(letters: np.ndarray, alphabet: str = AMINO_ACIDS) -> np.ndarray:
    """Return the int8 index in the alphabet of each ASCII code, uint8 of any shape, or UNKNOWN."""
    places = np.full(256, UNKNOWN, np.int8)
    places[np.frombuffer(alphabet.encode(), np.uint8)] = np.arange(len(alphabet))
    return places[letters]


def windows(
    proteins: Proteins,
    rows: Sequence[int] | np.ndarray,
    starts: Sequence[int] | np.ndarray,
    length: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return sequences [b, length] int32 and structures: [b, length, 3, 3], or int32 [b, length].

    Window i has up to `length` residues of domain rows[i] from its residue starts[i] on. After the
    last residue, strings are padded with PADDING and backbones with NaN, as for unknown atoms.
    """
    sequences = np.full((len(rows), length), PADDING, np.int32)
    atoms = proteins.structure.shape[1:]
    empty = (np.nan, np.float32) if atoms else (PADDING, np.int32)
    structures = np.full((len(rows), length, *atoms), *empty)
    for i, (row, start) in enumerate(zip(rows, starts, strict=True)):
        first = proteins.offsets[row] + start
        here = slice(first, min(first + length, proteins.offsets[row + 1]))
        size = here.stop - here.start
        sequences[i, :size] = proteins.sequence[here]
        structures[i, :size] = proteins.structure[here]
    return sequences, structures


def crops(
    proteins: Proteins, rows: np.ndarray, length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows [m] with at least `length` residues, and the `windows` of their centres.

    Lengths and the ends of chains would give pairs away; crops of one length hide both.
    """
    long_enough = rows[proteins.lengths[rows] >= length]
    starts = (proteins.lengths[long_enough] - length) // 2
    return long_enough, *windows(proteins, long_enough, starts, length)


def tiles(
    proteins: Proteins, rows: np.ndarray, length: int, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows [m] and starts [m] of windows over whole domains, at most `stride` apart.

    The windows of a domain are spread evenly; a domain no longer than `length` has one.
    """
    owners, starts = [], []
    for row in rows:
        beyond = max(int(proteins.lengths[row]) - length, 0)
        own = np.round(np.linspace(0, beyond, -(-beyond // stride) + 1)).astype(int)
        owners += [row] * len(own)
        starts += own.tolist()
    return np.array(owners, int), np.array(starts, int)


def distinct(proteins: Proteins, rows: np.ndarray, most: float = 0.3) -> np.ndarray:
    """Return the rows that share at most `most` of their 5-mers with any earlier selected row.

    The share is the number of common 5-mers over the smaller of both numbers of 5-mers.
    """
    starts, lengths = proteins.offsets[rows], proteins.lengths[rows]
    owners = np.repeat(np.arange(len(rows)), np.maximum(lengths - 4, 0))
    places = np.concatenate([np.arange(s, s + max(n - 4, 0)) for s, n in zip(starts, lengths)])
    letters = proteins.sequence[places[:, None] + np.arange(5)].astype(np.int64)
    words = np.unique(np.stack([owners, letters @ NUM_TOKENS ** np.arange(5)]), axis=1)
    shape = len(rows), NUM_TOKENS**5
    has = scipy.sparse.csr_matrix((np.ones(words.shape[1], np.int32), (*words,)), shape)
    shared = (has @ has.T).toarray()
    counts = np.diagonal(shared)
    alike = shared > most * np.minimum(counts[:, None], counts[None])
    chosen: list[int] = []
    for row in range(len(rows)):
        if not alike[row, chosen].any():
            chosen.append(row)
    return rows[chosen]
