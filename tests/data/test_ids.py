"""Ids: of files that have none, and of rows that lack one."""

import json

import numpy as np
import pytest

from gentle_clip_jax.aligners.from_collections import align
from gentle_clip_jax.commands import main
from gentle_clip_jax.data import texts
from gentle_clip_jax.data.pairs import read_pairs
from gentle_clip_jax.diagnosing import diagnose
from gentle_clip_jax.features.read import read

ROWS = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)


@pytest.fixture
def files(tmp_path):
    for name in "xy":
        np.save(tmp_path / f"{name}.npy", ROWS)
        np.savez(tmp_path / f"{name}.npz", features=ROWS, ids=np.arange(20).astype(str))
    return tmp_path


def test_rows_without_ids_are_no_pairs_by_their_numbers(files):
    x, y = (read(files / f"{name}.npy") for name in "xy")
    with pytest.raises(ValueError, match=r"of x and y have no ids, .*--pairs=CSV.* 0,0 and 1,1"):
        read_pairs(None, x.ids, y.ids)
    with pytest.raises(ValueError, match="rows of y have no ids"):
        read_pairs(None, read(files / "x.npz").ids, y.ids)
    (files / "pairs.csv").write_text("0,0\n1,1\n")
    found = read_pairs(files / "pairs.csv", x.ids, y.ids)
    assert found.tolist() == [["0", "0"], ["1", "1"]]


def test_ids_that_are_numbers_are_ids(files):
    x, y = (read(files / f"{name}.npz") for name in "xy")
    assert len(read_pairs(None, x.ids, y.ids)) == 20


def test_every_command_asks_for_pairs(files, capsys):
    x, y = files / "x.npy", files / "y.npy"
    for call in (diagnose, align):
        with pytest.raises(ValueError, match="have no ids"):
            call(x, y, None)
    for line in (["align", f"--out={files}/a"], ["compare", f"--workdir={files}/w"], ["diagnose"]):
        assert main.main([*line, f"--x={x}", f"--y={y}"]) == 2
        errors = capsys.readouterr().err
        assert errors.count("\n") == 1
        assert "have no ids" in errors


@pytest.mark.parametrize("empty", ["", "  "])
def test_a_row_with_an_empty_id_is_named(empty, tmp_path):
    np.savez(tmp_path / "x.npz", features=ROWS[:3], ids=np.array(["a", empty, empty]))
    with pytest.raises(ValueError, match=r"x\.npz has no id for row 1 \(counted from 0\): give"):
        read(tmp_path / "x.npz")


def test_a_row_of_a_table_without_an_id_is_named(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pa.table({"id": ["a", None, "c"], "features": ROWS[:3].tolist()})
    parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="no id for row 1"):
        read(tmp_path / "x.parquet")


def test_empty_cells_of_texts_are_listed(tmp_path):
    (tmp_path / "a.csv").write_text("id,text\na,one\nb,\nc,three\n")
    found = texts.list_texts(tmp_path / "a.csv")
    assert [(one.id, one.flaw) for one in found] == [("a", None), ("b", "has no text"), ("c", None)]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_texts_with_and_without_ids_are_named(name, tmp_path):
    rows = [{"id": "a", "text": "one"}, {"id": "", "text": "two"}]
    table = ["id,text", *(f"{row['id']},{row['text']}" for row in rows)]
    lines = table if name == "a.csv" else map(json.dumps, rows)
    (tmp_path / name).write_text("\n".join(lines))
    line = 3 if name == "a.csv" else 2
    with pytest.raises(ValueError, match=rf"{name}, line {line} has no id: give it"):
        texts.list_texts(tmp_path / name)
