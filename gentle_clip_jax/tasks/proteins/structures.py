"""A user's own sequences and structures: a FASTA file, and a folder of PDB or mmCIF files.

This module needs the extra `protein`.
"""

import io
import pathlib
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.data import sequences
from gentle_clip_jax.data.pairing import hold_out_fifths
from gentle_clip_jax.data.pairs import read_pairs
from gentle_clip_jax.tasks.proteins import domains
from gentle_clip_jax.tasks.proteins.domains import Proteins

_ENDINGS = (".pdb", ".ent", ".cif", ".mmcif")
_ATOMS = ("N", "CA", "C")


class Chain(NamedTuple):
    """A protein chain: a letter per observed residue, and its N, CA, C [n, 3, 3] in Angstrom."""

    letters: str
    backbone: np.ndarray


def read(
    fasta: str | pathlib.Path, folder: str | pathlib.Path, pairs: str = "", *, seed: int
) -> Proteins:
    """Return sequences and structures: equal ids are pairs, all other items are unmatched.

    A file `pairs`, with the ids of a sequence and of its structure on each line, replaces equal
    ids. A random fifth of the pairs is held out for validation and another for test, regardless of
    similarity. A pair has the residues of its sequence; those its structure lacks are unknown.

    Raises:
      ValueError: a file cannot be read or has an unknown id, or there are fewer than five pairs.
    """
    letters, chains = sequences.read_fasta(fasta), read_folder(folder)
    partner = _partners(letters, chains, pairs)
    if len(partner) < 5:
        raise ValueError(
            f"{fasta} and {folder} share {len(partner)} {'pairs' if pairs else 'ids'} (such as "
            f"{', '.join(list(letters)[:2])} and {', '.join(list(chains)[:2])}): add more; "
            "training and evaluation need at least five."
        )
    splits = np.full(len(partner), "train", object)
    for split, rows in zip(("valid", "test"), hold_out_fifths(len(partner), seed=seed)):
        splits[rows] = split
    items = [
        (name, split, letters[name], aligned(letters[name], chains[other]))
        for (name, other), split in zip(partner.items(), splits)
    ]
    for name, sequence in letters.items():
        if name not in partner:
            items.append((name, "sequence", sequence, np.full((len(sequence), 3, 3), np.nan)))
    taken = {*partner.values()}
    for name, chain in chains.items():
        if name not in taken:
            items.append((name, "structure", chain.letters, chain.backbone))
    names, splits, texts, backbones = zip(*items)
    return Proteins(
        ids=np.array(names),
        offsets=np.concatenate([[0], np.cumsum([len(text) for text in texts])]),
        sequence=domains.tokens(np.frombuffer("".join(texts).encode(), np.uint8)),
        structure=np.concatenate(backbones).astype(np.float32),
        split=np.array(splits, str),
        labels={},
    )


def _partners(letters: dict[str, str], chains: dict[str, Chain], pairs: str) -> dict[str, str]:
    """Return the structure's id for each matched sequence, sorted by sequence."""
    if pairs:
        return dict(sorted(map(tuple, read_pairs(pairs, letters, chains).tolist())))
    return {name: name for name in sorted(letters.keys() & chains.keys())}


def read_folder(folder: str | pathlib.Path) -> dict[str, Chain]:
    """Return the protein chains of all structure files of a folder, by id.

    The id is the file's name without its ending; if a file has several protein chains, _ and the
    chain's name follow. Files may be compressed (.gz).

    Raises:
      ValueError: the folder has no such file, one cannot be read, or two chains get the same id.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise ValueError(f"There is no folder {folder}.")
    chains: dict[str, Chain] = {}
    for path in sorted(folder.iterdir()):
        name = path.name.removesuffix(".gz")
        if not name.lower().endswith(_ENDINGS):
            continue
        stem, file_chains = pathlib.Path(name).stem, read_chains(path)
        for chain_name, chain in file_chains.items():
            own = stem if len(file_chains) == 1 else f"{stem}_{chain_name}"
            if own in chains:
                raise ValueError(f"{path}: the id {own} occurs twice in {folder}: rename one.")
            chains[own] = chain
    if not chains:
        raise ValueError(f"{folder} has no structures: add files in {', '.join(_ENDINGS)}.")
    return chains


def read_chains(path: pathlib.Path) -> dict[str, Chain]:
    """Return the protein chains of the first model of a PDB or mmCIF file, by name.

    If an atom has alternative locations, the one with the highest occupancy is used. Residues with
    different insertion codes are different residues. Residues without backbone atoms and molecules
    other than amino acids are left out. An amino acid without a letter becomes X.

    Raises:
      ValueError: the file cannot be read or has no protein.
    """
    atoms = _atoms(path)
    import biotite.structure as bio
    from biotite.structure.info import one_letter_code

    chains: dict[str, Chain] = {}
    atoms = atoms[np.isin(atoms.atom_name, _ATOMS) & bio.filter_amino_acids(atoms)]
    for name in dict.fromkeys(atoms.chain_id.tolist()):
        chain = atoms[atoms.chain_id == name]
        starts = bio.get_residue_starts(chain, add_exclusive_stop=True)
        backbone = np.full((len(starts) - 1, 3, 3), np.nan, np.float32)
        for row, start, stop in zip(backbone, starts[:-1], starts[1:]):
            for atom in chain[start:stop]:
                row[_ATOMS.index(atom.atom_name)] = atom.coord
        letters = (one_letter_code(residue) or "X" for residue in chain.res_name[starts[:-1]])
        chains[str(name) or "A"] = Chain("".join(letters), backbone)
    if not chains:
        raise ValueError(f"{path} has no protein residues: remove it.")
    return chains


def aligned(sequence: str, chain: Chain) -> np.ndarray:
    """Return the backbone of a chain at the residues of its whole sequence [len(sequence), 3, 3].

    Residues that only the sequence has are unknown; those that only the structure has are dropped.
    """
    if sequence == chain.letters:
        return chain.backbone
    from biotite.sequence import ProteinSequence, align

    tools: Any = align
    standard = set("ACDEFGHIKLMNPQRSTVWY")
    one, two = (
        ProteinSequence("".join(c if c in standard else "X" for c in text))
        for text in (sequence, chain.letters)
    )
    matrix = tools.SubstitutionMatrix.std_protein_matrix()
    trace = tools.align_optimal(one, two, matrix, gap_penalty=(-12, -1), max_number=1)[0].trace
    trace = trace[(trace >= 0).all(axis=1)]
    backbone = np.full((len(sequence), 3, 3), np.nan, np.float32)
    backbone[trace[:, 0]] = chain.backbone[trace[:, 1]]
    return backbone


def _atoms(path: pathlib.Path) -> Any:
    """Return the atoms of the first model."""
    try:
        from biotite.structure.io import pdb, pdbx
    except ImportError as error:
        raise ValueError(
            'Structures need the package biotite: run pip install "gentle-clip-jax[protein]".'
        ) from error
    content = sequences.read_bytes(path)
    options: dict[str, Any] = {"model": 1, "altloc": "occupancy"}
    try:
        text = io.StringIO(content.decode("utf-8", "replace"))
        if pathlib.Path(path.name.removesuffix(".gz")).suffix.lower() in (".pdb", ".ent"):
            return pdb.PDBFile.read(text).get_structure(**options)
        return pdbx.get_structure(pdbx.CIFFile.read(text), **options)
    except Exception as error:  # biotite raises many kinds
        raise ValueError(
            f"{path} cannot be read as a structure ({error}): fix it or remove it."
        ) from error
