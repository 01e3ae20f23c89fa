"""Protein domains with sequence and backbone: splits, labels, windows of residues."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
UNKNOWN, PADDING = 20, 21
NUM_TOKENS = 22
# Test rows that are part of a train row, or have one as a part; the data set's README names them.
LEAKS = ("d3aaab_", "2pbdA04", "d3ssba_")
_MISSING = -32768  # an atom that is not known


@dataclasses.dataclass(frozen=True)
class Proteins:
    """n domains, their residues in one row after another: domain k has offsets[k]:offsets[k + 1].

    sequence: [residues] int8, a place in AMINO_ACIDS or UNKNOWN.
    backbone: [residues, 3, 3] float32, atoms N, CA, C in Angstrom; NaN where unknown.
    cath_class: [n] int, 0 where there is none; ec: [n] first EC number or "".
    """

    ids: np.ndarray
    offsets: np.ndarray
    sequence: np.ndarray
    backbone: np.ndarray
    split: np.ndarray
    cath_class: np.ndarray
    ec: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Residues of each domain [n]."""
        return np.diff(self.offsets)

    def rows(self, split: str) -> np.ndarray:
        """Domains of a split, without the leaks."""
        return np.flatnonzero((self.split == split) & ~np.isin(self.ids, LEAKS))


def read(folder: str | pathlib.Path) -> Proteins:
    """The data set pdb-domains-3d: coords.npz and domains.parquet.

    Raises:
      ValueError: a file is missing, or the two are not of the same domains.
    """
    import pyarrow.parquet

    folder = pathlib.Path(folder)
    for name in ("coords.npz", "domains.parquet"):
        if not (folder / name).is_file():
            raise ValueError(f"There is no {folder / name}: give the folder of pdb-domains-3d.")
    with np.load(folder / "coords.npz", allow_pickle=False) as arrays:
        ids, offsets = arrays["id"], arrays["offsets"]
        letters, backbone = arrays["aa"], arrays["bb"]
    names = ["id", "split", "cath_class", "ec"]
    table = pyarrow.parquet.read_table(folder / "domains.parquet", columns=names).to_pydict()
    if not np.array_equal(np.array(table["id"], str), ids.astype(str)):
        raise ValueError(
            f"{folder}: coords.npz and domains.parquet list other ids: copy both again."
        )
    classes = [int(label) if str(label).isdigit() else 0 for label in table["cath_class"]]
    return Proteins(
        ids=ids.astype(str),
        offsets=offsets,
        sequence=tokens(letters),
        backbone=np.where(backbone == _MISSING, np.nan, backbone.astype(np.float32) / 100),
        split=np.array(table["split"]),
        cath_class=np.array(classes),
        ec=np.array([(numbers or "").split(";")[0] for numbers in table["ec"]]),
    )


def tokens(letters: np.ndarray) -> np.ndarray:
    """ASCII codes of one-letter residues, uint8 -> int8, of the same shape."""
    places = np.full(256, UNKNOWN, np.int8)
    places[np.frombuffer(AMINO_ACIDS.encode(), np.uint8)] = np.arange(len(AMINO_ACIDS))
    return places[letters]


def windows(
    proteins: Proteins,
    rows: Sequence[int] | np.ndarray,
    starts: Sequence[int] | np.ndarray,
    length: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Sequences [b, length] int32 and backbones [b, length, 3, 3] float32 in Angstrom.

    Window i holds up to `length` residues of domain rows[i] from its residue starts[i] on. Behind
    the last residue the sequence is PADDING and the backbone NaN, as it is for an unknown atom.
    """
    sequences = np.full((len(rows), length), PADDING, np.int32)
    backbones = np.full((len(rows), length, 3, 3), np.nan, np.float32)
    for i, (row, start) in enumerate(zip(rows, starts, strict=True)):
        first = proteins.offsets[row] + start
        here = slice(first, min(first + length, proteins.offsets[row + 1]))
        size = here.stop - here.start
        sequences[i, :size] = proteins.sequence[here]
        backbones[i, :size] = proteins.backbone[here]
    return sequences, backbones


def crops(
    proteins: Proteins, rows: np.ndarray, length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The central `length` residues of those rows that have as many: rows [m], and `windows`.

    Lengths give pairs away, and where a chain begins and ends; crops of one length do not.
    """
    kept = rows[proteins.lengths[rows] >= length]
    starts = (proteins.lengths[kept] - length) // 2
    return kept, *windows(proteins, kept, starts, length)


def tiles(
    proteins: Proteins, rows: np.ndarray, length: int, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows [m] and starts [m] of windows that cover domains, at most `stride` residues apart.

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
    """The rows of which no earlier kept row shares more than `most` of their 5-mers.

    Containment of two sequences is the number of 5-mers they share over the fewer of the two.
    """
    kept: list[int] = []
    words: list[set[bytes]] = []
    for row in rows:
        own = proteins.sequence[proteins.offsets[row] : proteins.offsets[row + 1]].tobytes()
        new = {own[i : i + 5] for i in range(len(own) - 4)}
        if all(len(new & old) <= most * min(len(new), len(old)) for old in words):
            kept.append(int(row))
            words.append(new)
    return np.array(kept, int)


def draw(
    rows: np.ndarray, num_pairs: int, *, seed: int, unmatched: str = "shuffled"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the pairs, of the unmatched sequences and of the unmatched structures.

    shuffled: both unmatched sets are all other rows; disjoint: a half of them each, so that no
    unmatched sequence has its structure in the other set.

    Raises:
      ValueError: there are fewer rows than pairs, or `unmatched` is neither.
    """
    if num_pairs > len(rows):
        raise ValueError(f"There are {len(rows)} domains, fewer than {num_pairs} pairs: ask fewer.")
    if unmatched not in ("shuffled", "disjoint"):
        raise ValueError(f"unmatched must be shuffled or disjoint, not {unmatched}.")
    rng = np.random.default_rng(seed)
    order = rows[rng.permutation(len(rows))]
    pairs, rest = order[:num_pairs], order[num_pairs:]
    if unmatched == "disjoint":
        return pairs, rest[: len(rest) // 2], rest[len(rest) // 2 :]
    return pairs, rest, rest[rng.permutation(len(rest))]
