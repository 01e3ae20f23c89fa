"""Public sets of protein domains: sequences with backbones, or with strings of DSSP states."""

import pathlib
from typing import Any

import numpy as np

from gentle_clip_jax.data import tfds_source
from gentle_clip_jax.storage import reading
from gentle_clip_jax.tasks.proteins import domains
from gentle_clip_jax.tasks.proteins.domains import Proteins

# Test domains that contain a training domain or lie within one; the data set's README names them.
LEAKS = ("d3aaab_", "2pbdA04", "d3ssba_")
_CATH_CLASSES = ("1", "2", "3")  # mostly helices, mostly strands, both
_MISSING = -32768  # a missing atom
# Columns that identify the kind of data set, besides ids and splits.
_OF_BACKBONES = ("sequence", "backbone", "cath_class", "cath_topology")
_OF_SCOPE = ("sequence", "ss8", "train_ok", "scop_class", "hou_fold")
_OF_ENZYMES = ("sequence", "ss8", "ec")


def read(folder: str | pathlib.Path) -> Proteins:
    """Return the domains of a folder like pdb-domains-3d, scope-seq-ss or enzyme-reaction-ec.

    The folder may also be one that `gentle-clip data prepare` made, with the same splits.

    Raises:
      ValueError: a file or a column is missing, or two files have different domains.
    """
    folder = pathlib.Path(folder)
    if tfds_source.is_prepared(folder):
        return _of_prepared(folder)
    if (folder / "coords.npz").is_file():
        return _with_backbones(folder)
    if (folder / "domains.parquet").is_file():
        path, names = folder / "domains.parquet", ["sid", "hou_split", *_OF_SCOPE]
        return _scope(path, _columns(path, names, id="sid", split="hou_split"))
    if (folder / "chains.parquet").is_file():
        path, names = folder / "chains.parquet", ["chain", "split", *_OF_ENZYMES]
        return _enzymes(path, _columns(path, names, id="chain"))
    raise ValueError(
        f"{folder} has none of coords.npz, domains.parquet and chains.parquet: "
        "give the folder of pdb-domains-3d, scope-seq-ss or enzyme-reaction-ec."
    )


def _with_backbones(folder: pathlib.Path) -> Proteins:
    path = folder / "coords.npz"
    try:
        arrays = reading.read_arrays(path)
        ids, offsets = arrays["id"].astype(str), arrays["offsets"]
        letters, backbone = arrays["aa"].astype(np.uint8), arrays["bb"].astype(np.float32)
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path} cannot be read ({error}): copy it again.") from error
    if backbone.shape != (len(letters), 3, 3) or offsets.shape != (len(ids) + 1,):
        raise ValueError(f"{path}: the shapes of its arrays do not fit together: copy it again.")
    table = _columns(folder / "domains.parquet", ["id", "split", "cath_class", "cath_topology"])
    if not np.array_equal(table["id"], ids):
        raise ValueError(
            f"{folder}: coords.npz and domains.parquet list different ids: copy both again."
        )
    return _labelled(
        table,
        offsets=offsets,
        sequence=domains.tokens(letters),
        structure=np.where(backbone == _MISSING, np.float32(np.nan), backbone / 100),
    )


def _of_prepared(folder: pathlib.Path) -> Proteins:
    splits = tfds_source.splits(folder)
    present = {*tfds_source.open_source(folder, splits[0]).features}
    kinds = {_with_prepared_backbones: _OF_BACKBONES, _scope: _OF_SCOPE, _enzymes: _OF_ENZYMES}
    kind = next((kind for kind, names in kinds.items() if present >= {*names}), None)
    if kind is None:
        raise ValueError(
            f"{folder} has no protein structures: prepare pdb-domains-3d, scope-seq-ss or "
            "enzyme-reaction-ec."
        )
    rows = [
        row | {"split": split}
        for split in splits
        for row in tfds_source.open_source(folder, split, ["id", *kinds[kind]])
    ]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    backbones = columns.pop("backbone", [])
    table: dict[str, Any] = {name: np.array(values) for name, values in columns.items()}
    return kind(folder, table | ({"backbone": backbones} if backbones else {}))


def _with_prepared_backbones(path: pathlib.Path, table: dict[str, Any]) -> Proteins:
    lengths = [len(chain) for chain in table["backbone"]]
    if lengths != [len(letters) for letters in table["sequence"]]:
        raise ValueError(f"{path}: sequences and backbones differ in length: prepare it again.")
    letters = np.frombuffer("".join(table["sequence"]).encode("ascii", "replace"), np.uint8)
    return _labelled(
        table,
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        sequence=domains.tokens(letters),
        structure=np.concatenate(table["backbone"]).astype(np.float32),
    )


def _labelled(table: dict[str, Any], **arrays: np.ndarray) -> Proteins:
    """Return proteins with backbones and the labels of CATH."""
    classes = table["cath_class"]
    return Proteins(
        ids=table["id"],
        split=np.where(np.isin(table["id"], LEAKS), "left out", table["split"]),
        labels={
            "class": np.where(np.isin(classes, _CATH_CLASSES), classes, ""),
            "topology": table["cath_topology"],
        },
        **arrays,
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


def _columns(path: pathlib.Path, names: list[str], **renamed: str) -> dict[str, np.ndarray]:
    """Return columns of a table as arrays by name; missing values become "".

    renamed: the columns to rename, by their new names.
    """
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except Exception as error:  # the library raises many kinds
        raise ValueError(f"{path} cannot be read ({error}): copy it again.") from error
    if missing := sorted({*names} - {*table.column_names}):
        raise ValueError(f"{path} has no column {missing[0]}: give another file, or add it.")
    new = {old: name for name, old in renamed.items()}
    columns = ((new.get(name, name), table[name].to_pylist()) for name in names)
    return {name: np.array(["" if one is None else one for one in rows]) for name, rows in columns}
