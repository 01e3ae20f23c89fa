"""Columns of tables: equal to those of rows, whichever way they are read."""

import itertools

import hypothesis
import pytest
from hypothesis import strategies as st

from gentle_clip_jax.storage.columns import decimal_point, read_columns
from gentle_clip_jax.storage.tables import read_table

CELLS = st.text("ab,;\t\" é0.'", max_size=4)
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", " \n"])
NAMES = ("x", "y", "score")


def of_rows(path):
    rows = [row for _, row in read_table(path).records()]
    names = [name for name in NAMES if rows and name in rows[0]]
    return {name: [row[name] for row in rows] for name in names}


def outcome(read, path):
    try:
        return read(path)
    except ValueError as error:
        return str(error)


@hypothesis.settings(max_examples=400, deadline=None, derandomize=True, database=None)
@hypothesis.given(
    st.permutations(["x", " y", "score", "note"]),
    st.lists(st.lists(CELLS, min_size=1, max_size=5), max_size=5),
    st.sampled_from(",;\t"),
    ENDS,
)
def test_columns_are_those_of_rows(tmp_path_factory, heading, rows, delimiter, end):
    path = tmp_path_factory.getbasetemp() / "columns.csv"
    text = end.join(map(delimiter.join, [heading, *rows])) + end
    path.write_text(text, "utf-8", newline="")
    found = outcome(lambda path: read_columns(path, NAMES)[0], path)
    assert found == outcome(of_rows, path)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("regular", [True, False])
def test_a_declared_delimiter_and_lines_in_messages(tmp_path, end, regular):
    lines = ["sep=;", "x;y;score", "a;b;1", "c;d;2" if regular else "c;d;2;3"]
    (tmp_path / "a.csv").write_text(end.join(lines), newline="")
    if regular:
        columns, delimiter = read_columns(tmp_path / "a.csv", ("y", "score"))
        assert (columns, delimiter) == ({"y": ["b", "d"], "score": ["1", "2"]}, ";")
    else:
        with pytest.raises(ValueError, match=r"a\.csv, line 4 has 4 cells, the heading 3"):
            read_columns(tmp_path / "a.csv", NAMES)


@pytest.mark.parametrize(
    ("delimiter", "first", "text", "number"),
    [(";", "0,5", "1,25", "1.25"), (";", "0.5", "1,25", "1,25"), (",", "0,5", "1,25", "1,25")],
)
def test_decimal_commas_need_semicolons(delimiter, first, text, number):
    assert decimal_point(delimiter, [first])(text) == number


def test_a_table_of_a_million_cells_is_split_at_once(tmp_path, monkeypatch):
    rows = (f"a{k // 600},b{k % 600},{k}" for k in range(360_000))
    (tmp_path / "a.csv").write_text("\n".join(itertools.chain(["x,y,score"], rows)))
    monkeypatch.setattr("gentle_clip_jax.storage.tables.Table.records", None)
    columns, _ = read_columns(tmp_path / "a.csv", NAMES)
    assert [columns[name][-1] for name in NAMES] == ["a599", "b599", "359999"]
