"""Public sets of protein domains: sequences with backbones, or with strings of DSSP states."""

import pathlib
from typing import Any

import numpy as np

from gentle_clip_jax.data import tfds_source
from gentle_clip_jax.data.tfds_builders import catalogue
from gentle_clip_jax.tasks.proteins import domains
from gentle_clip_jax.tasks.proteins.domains import Proteins

# Test domains that contain a training domain or lie within one; the data set's README names them.
LEAKS = ("d3aaab_", "2pbdA04", "d3ssba_")
_CATH_CLASSES = ("1", "2", "3")  # mostly helices, mostly strands, both
# By set, the file that only it has, and the columns that are read besides ids and splits.
_SETS = {
    "pdb-domains-3d": ("coords.npz", {"sequence", "backbone", "cath_class", "cath_topology"}),
    "scope-seq-ss": (
        "domains.parquet",
        {"sequence", "ss8", "train_ok", "scop_class", "hou_fold"},
    ),
    "enzyme-reaction-ec": ("chains.parquet", {"sequence", "ss8", "ec"}),
}


def read(folder: str | pathlib.Path) -> Proteins:
    """Return the domains of a folder like pdb-domains-3d, scope-seq-ss or enzyme-reaction-ec.

    The folder may also be one that `gentle-clip data prepare` made, with the same splits.

    Raises:
      ValueError: a file, a column or a value is missing, or two files have different domains.
    """
    folder = pathlib.Path(folder)
    name, rows = (_prepared if tfds_source.is_prepared(folder) else _published)(folder)
    lists = {column: [row[column] for row in rows] for column in rows[0]}
    backbones = lists.pop("backbone", [])
    table = {column: np.array(values) for column, values in lists.items()}
    if name == "pdb-domains-3d":
        return _with_backbones(folder, table, backbones)
    return (_scope if name == "scope-seq-ss" else _enzymes)(folder, table)


def _published(folder: pathlib.Path) -> tuple[str, list[dict[str, Any]]]:
    """Return which set a folder as published holds, and its rows."""
    name = next((name for name, (file, _) in _SETS.items() if (folder / file).is_file()), None)
    if name is None:
        raise ValueError(
            f"{folder} has none of coords.npz, domains.parquet and chains.parquet: "
            "give the folder of pdb-domains-3d, scope-seq-ss or enzyme-reaction-ec."
        )
    contents, columns = catalogue.find(name).read(folder), _SETS[name][1]
    if missing := sorted(columns - {*contents.columns}):
        raise ValueError(f"{folder} has no column {missing[0]}: give another folder, or add it.")
    rows = []
    for split, items in contents.splits.items():
        for item in items:
            try:
                row = item.read()
            except ValueError as error:
                raise ValueError(f"{folder}: {item.id} {error}: fix its row.") from error
            rows.append({"id": item.id, "split": split, **{c: row[c] for c in columns}})
    return name, rows


def _prepared(folder: pathlib.Path) -> tuple[str, list[dict[str, Any]]]:
    """Return which set a prepared folder holds, and its rows."""
    splits = tfds_source.splits(folder)
    present = {*tfds_source.open_source(folder, splits[0]).features}
    name = next((name for name, (_, columns) in _SETS.items() if present >= columns), None)
    if name is None:
        raise ValueError(
            f"{folder} has no protein structures: prepare pdb-domains-3d, scope-seq-ss or "
            "enzyme-reaction-ec."
        )
    columns = ["id", *_SETS[name][1]]
    sources = {split: tfds_source.open_source(folder, split, columns) for split in splits}
    return name, [row | {"split": split} for split, source in sources.items() for row in source]


def _with_backbones(path: pathlib.Path, table: dict[str, Any], chains: list) -> Proteins:
    lengths = [len(chain) for chain in chains]
    if lengths != [len(letters) for letters in table["sequence"]]:
        raise ValueError(f"{path}: sequences and backbones differ in length: copy it again.")
    letters = np.frombuffer("".join(table["sequence"]).encode("ascii", "replace"), np.uint8)
    classes = table["cath_class"]
    return Proteins(
        ids=table["id"],
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        sequence=domains.tokens(letters),
        structure=np.concatenate(chains).astype(np.float32),
        split=np.where(np.isin(table["id"], LEAKS), "left out", table["split"]),
        labels={
            "class": np.where(np.isin(classes, _CATH_CLASSES), classes, ""),
            "topology": table["cath_topology"],
        },
    )


def _scope(path: pathlib.Path, table: dict[str, np.ndarray]) -> Proteins:
    leaks = (table["split"] == "train") & ~table["train_ok"].astype(bool)
    return _with_strings(
        path,
        table,
        ids=table["id"],
        split=np.where(leaks, "left out", table["split"]),
        labels={"class": table["scop_class"], "fold": table["hou_fold"]},
    )


def _enzymes(path: pathlib.Path, table: dict[str, np.ndarray]) -> Proteins:
    return _with_strings(
        path,
        table,
        ids=table["id"],
        split=table["split"],
        labels={
            "reaction": np.array([number.partition(".")[0] for number in table["ec"]]),
            "ec": table["ec"],
        },
    )


def _with_strings(path: pathlib.Path, table: dict[str, np.ndarray], **columns: Any) -> Proteins:
    sequences, states = table["sequence"], table["ss8"]
    for name, one, other in zip(columns["ids"], sequences, states):
        if len(one) != len(other):
            raise ValueError(
                f"{path}: {name} has {len(one)} residues and {len(other)} states: fix its row."
            )
    letters, letters_of_states = (
        np.frombuffer("".join(column).encode("ascii", "replace"), np.uint8)
        for column in (sequences, states)
    )
    return Proteins(
        offsets=np.concatenate([[0], np.cumsum([len(one) for one in sequences])]),
        sequence=domains.tokens(letters),
        structure=domains.tokens(letters_of_states, domains.STATES),
        **columns,
    )
