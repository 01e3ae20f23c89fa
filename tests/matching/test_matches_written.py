"""Files of matches: what is in them, whole or not there; and the command that writes them."""

import csv
import json

import numpy as np
import pytest
from match_data import pairs, sets

from gentle_clip_jax.aligners import METHODS, Problem
from gentle_clip_jax.matching import match_arrays, write, written
from gentle_clip_jax.storage.digests import sha256
from gentle_clip_jax.storage.tables import read_table

parquet = pytest.importorskip("pyarrow.parquet")

K, N = 64, 160
X_IDS, Y_IDS = [[f"{side}{i}" for i in range(N)] for side in "xy"]


@pytest.fixture(scope="module")
def made():
    return sets(N, noise=0.7, clusters=6)


@pytest.fixture(scope="module")
def aligner(made):
    problem = Problem(made.x[:K], made.y[:K], made.x[K:], made.y[K:])
    return METHODS["procrustes"].fit(problem)


@pytest.fixture(scope="module")
def found(made, aligner):
    return match_arrays(aligner, *made, pairs=pairs(K), share=0.8)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_tables(found, tmp_path):
    texts = ["", *(f"text {i},\nof y" for i in range(1, N))]
    write(found, tmp_path / "matches", X_IDS, Y_IDS, y_texts=texts)
    rows = rows_of(tmp_path / "matches" / "matches.csv")
    assert [row["x"] for row in rows] == X_IDS[K:]
    assert [row["y"] for row in rows] == [Y_IDS[i] for i in found.y]
    probability = [float(row["probability"]) for row in rows]
    np.testing.assert_allclose(probability, found.probability, rtol=1e-3)
    cosine = [float(row["cosine"]) for row in rows]
    np.testing.assert_allclose(cosine, found.of_x.cosine[:, 0], rtol=1e-3)
    assert {row["mutual"] for row in rows} == {"yes", "no"}
    groups = rows_of(tmp_path / "matches" / "groups.csv")
    assert sum(int(row["items"]) for row in groups) == N
    labels = {row["group"] for row in groups}
    assert len(labels) == len(groups)
    assert all(", of y" in label or label.startswith("y0") for label in labels)
    assert {row["group"] for row in rows} <= labels
    for row, members in zip(rows, found.group_sets):
        assert row["group_set"] == " ".join(map(str, np.flatnonzero(members)))


def test_file_names_and_texts_beside_the_ids_and_the_same_as_a_workbook(found, tmp_path):
    ids = ["=1+1", *X_IDS[1:-1], "007"]  # what a spreadsheet would compute, or shorten
    texts = [f"text of {id_}" for id_ in Y_IDS]
    shown = written.Shown([""] * N, [""] * N, [f"{id_}.txt" for id_ in Y_IDS], texts)
    write(found, tmp_path, ids, Y_IDS, shown=shown, xlsx=True)
    rows = rows_of(tmp_path / "matches.csv")
    assert [*rows[0]][:5] == ["x", "y", "y_file", "y_text", "probability"]
    assert rows[-1]["x"] == "007"
    for row in rows:
        assert (row["y_file"], row["y_text"]) == (f"{row['y']}.txt", f"text of {row['y']}")
    tables = [[*read_table(tmp_path / f"matches.{kind}").rows] for kind in ("csv", "xlsx")]
    assert tables[0] == tables[1]
    write(found, tmp_path, ids, Y_IDS)
    assert not (tmp_path / "matches.xlsx").exists()  # it would be of other matches


def test_candidates(found, tmp_path):
    write(found, tmp_path, X_IDS, Y_IDS)
    table = parquet.read_table(tmp_path / "candidates.parquet")
    assert table.column_names == ["side", "id", "rank", "candidate", "cosine", "probability"]
    rows = table.to_pylist()
    assert len(rows) == 2 * (N - K) * 48
    assert rows[1]["id"] == f"x{K}"
    assert rows[1]["rank"] == 2
    assert rows[1]["candidate"] == Y_IDS[found.runner_up[0]]
    assert {row["side"] for row in rows} == {"x", "y"}


def test_the_record_has_the_hashes_of_the_others(found, tmp_path):
    write(found, tmp_path, X_IDS, Y_IDS)
    record = json.loads((tmp_path / "matches.json").read_text())
    assert record["summary"] == found.summary
    assert record["share"] == 0.8
    assert record["sha256"] == {name: sha256(tmp_path / name) for name in written.TABLES}


def test_empty_cells_where_no_probability_is_shown(made, aligner, tmp_path):
    found = match_arrays(aligner, *made, pairs=pairs(K)[:30], share=1)
    write(found, tmp_path, X_IDS, Y_IDS)
    for row in rows_of(tmp_path / "matches.csv"):
        assert row["y"]
        assert row["group"]
        assert row["cosine"]
        assert not (row["probability"])
        assert not (row["runner_up_probability"])
        assert not (row["group_probability"])
    table = parquet.read_table(tmp_path / "candidates.parquet")
    assert table.column("probability").null_count == len(table)


def test_as_many_ids_as_items(found, tmp_path):
    with pytest.raises(ValueError, match="160 ids of x and 3 of y"):
        write(found, tmp_path, X_IDS, Y_IDS[:3])
    assert not list(tmp_path.iterdir())
