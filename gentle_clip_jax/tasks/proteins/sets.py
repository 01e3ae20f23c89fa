"""Public sets of protein domains: sequences with backbones, or with strings of DSSP states."""

import pathlib
from typing import Any

import numpy as np

from gentle_clip_jax.tasks.proteins import domains
from gentle_clip_jax.tasks.proteins.domains import Proteins

# Test rows that are part of a train row, or have one as a part; the data set's README names them.
LEAKS = ("d3aaab_", "2pbdA04", "d3ssba_")
_CATH_CLASSES = ("1", "2", "3")  # mostly helices, mostly strands, both
_MISSING = -32768  # an atom that is not known


def read(folder: str | pathlib.Path) -> Proteins:
    """The domains of a folder like pdb-domains-3d, scope-seq-ss or enzyme-reaction-ec.

    Raises:
      ValueError: a file or a column is missing, or two files are not of the same domains.
    """
    folder = pathlib.Path(folder)
    if (folder / "coords.npz").is_file():
        return _with_backbones(folder)
    if (folder / "domains.parquet").is_file():
        return _scope(folder / "domains.parquet")
    if (folder / "chains.parquet").is_file():
        return _enzymes(folder / "chains.parquet")
    raise ValueError(
        f"{folder} has none of coords.npz, domains.parquet and chains.parquet: "
        "give the folder of pdb-domains-3d, scope-seq-ss or enzyme-reaction-ec."
    )


def _with_backbones(folder: pathlib.Path) -> Proteins:
    path = folder / "coords.npz"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            ids, offsets = arrays["id"].astype(str), arrays["offsets"]
            letters, backbone = arrays["aa"].astype(np.uint8), arrays["bb"].astype(np.float32)
    except Exception as error:  # of any kind where a zip file is broken
        raise ValueError(f"{path} cannot be read ({error}): copy it again.") from error
    if backbone.shape != (len(letters), 3, 3) or offsets.shape != (len(ids) + 1,):
        raise ValueError(f"{path} has arrays of other shapes than it should: copy it again.")
    names = ["id", "split", "cath_class", "cath_topology"]
    table = _columns(folder / "domains.parquet", names)
    if not np.array_equal(table["id"], ids):
        raise ValueError(
            f"{folder}: coords.npz and domains.parquet list other ids: copy both again."
        )
    classes = table["cath_class"]
    return Proteins(
        ids=ids,
        offsets=offsets,
        sequence=domains.tokens(letters),
        structure=np.where(backbone == _MISSING, np.float32(np.nan), backbone / 100),
        split=np.where(np.isin(ids, LEAKS), "left out", table["split"]),
        labels={
            "class": np.where(np.isin(classes, _CATH_CLASSES), classes, ""),
            "topology": table["cath_topology"],
        },
    )


def _scope(path: pathlib.Path) -> Proteins:
    names = ["sid", "sequence", "ss8", "hou_split", "train_ok", "scop_class", "hou_fold"]
    table = _columns(path, names)
    leaks = (table["hou_split"] == "train") & ~table["train_ok"].astype(bool)
    return _with_strings(
        path,
        table,
        ids=table["sid"],
        split=np.where(leaks, "left out", table["hou_split"]),
        labels={"class": table["scop_class"], "fold": table["hou_fold"]},
    )


def _enzymes(path: pathlib.Path) -> Proteins:
    table = _columns(path, ["chain", "sequence", "ss8", "split", "ec"])
    return _with_strings(
        path,
        table,
        ids=table["chain"],
        split=table["split"],
        labels={
            "reaction": np.array([number.partition(".")[0] for number in table["ec"]]),
            "ec": table["ec"],
        },
    )


def _with_strings(path: pathlib.Path, table: dict[str, np.ndarray], **about: Any) -> Proteins:
    sequences, states = table["sequence"], table["ss8"]
    for name, one, other in zip(about["ids"], sequences, states):
        if len(one) != len(other):
            raise ValueError(
                f"{path}: {name} has {len(one)} residues and {len(other)} states: mend its row."
            )
    letters, letters_of_states = (
        np.frombuffer("".join(column).encode("ascii", "replace"), np.uint8)
        for column in (sequences, states)
    )
    return Proteins(
        offsets=np.concatenate([[0], np.cumsum([len(one) for one in sequences])]),
        sequence=domains.tokens(letters),
        structure=domains.tokens(letters_of_states, domains.STATES),
        **about,
    )


def _columns(path: pathlib.Path, names: list[str]) -> dict[str, np.ndarray]:
    """Columns of a table, as strings where they are; what a row lacks is "" there."""
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except Exception as error:  # the library raises many kinds
        raise ValueError(f"{path} cannot be read ({error}): copy it again.") from error
    if missing := sorted({*names} - {*table.column_names}):
        raise ValueError(f"{path} has no column {missing[0]}: give another file, or add it.")
    columns = ((name, table[name].to_pylist()) for name in names)
    return {name: np.array(["" if one is None else one for one in rows]) for name, rows in columns}
