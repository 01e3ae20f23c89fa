"""Pairs from files, tables, lists and numbers, and one sentence for what cannot be used."""

import numpy as np
import pytest

from gentle_clip_jax.data.pairs import read_pairs

IDS = np.array(["a", "b", "c", "d"])


def pairs(tmp_path, text, name="pairs.csv", x_ids="abcd", y_ids="1234"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return read_pairs(tmp_path / name, x_ids, y_ids).tolist()


@pytest.mark.parametrize(
    "text", ["a,2\nc,1\n", "image,text\na,2\nc,1", "\ufeffa, 2\r\n\r\nc,1\r\n", '"a","2"\nc,1']
)
def test_pairs_of_two_columns(text, tmp_path):
    assert pairs(tmp_path, text) == [["a", "2"], ["c", "1"]]


def test_pairs_with_tabs(tmp_path):
    assert pairs(tmp_path, "a\t2\n", name="pairs.tsv") == [["a", "2"]]


@pytest.mark.parametrize("text", ["b\nd\n", "id\nb\nd\n"])
def test_pairs_of_one_column(text, tmp_path):
    assert pairs(tmp_path, text, y_ids="dcb") == [["b", "b"], ["d", "d"]]


def test_without_a_file_equal_ids_are_pairs():
    found = read_pairs(None, ["c", "a", "b", "c"], ["a", "c", "x", "a"])
    assert found.tolist() == [["c", "c"], ["a", "a"]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "pairs.csv has no pairs"),
        ("image,text\n", "line 1: there is no item 'image' in x; its ids look like 'a'"),
        ("x;y\na;1\n;2\n", "with a comma, a semicolon or a tab between them, not '2' alone"),
        ("a,1\ne,2\n", "line 2: there is no item 'e' in x; its ids look like 'a'"),
        ("a,1\nb,7\n", "line 2: there is no item '7' in y; its ids look like '1'"),
        ("a,1.doc\n", r"line 1: there is no item '1.doc' in y; its ids look like '1'\."),
        ("a,1\nb,2\na,3\n", r"line 3: the item 'a' of x already has a partner \(line 1\)"),
        ("a,1\nb,1\n", r"line 2: the item '1' of y already has a partner \(line 1\)"),
        ("a,1,2\n", r"has 3 columns \(a, 1, 2\): a pair must be two ids, .* --pairs=\S+:a,1"),
        ("a,1\nb,\n", "line 2: a pair must be two ids"),
    ],
)
def test_pairs_that_cannot_be_used(text, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        pairs(tmp_path, text)


def test_pairs_that_are_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"no file of pairs .*none.csv\.$"):
        read_pairs(tmp_path / "none.csv", IDS, IDS)
    with pytest.raises(ValueError, match=r" is a folder: give the file of pairs in it\."):
        read_pairs(tmp_path, IDS, IDS)
    with pytest.raises(ValueError, match="No id is in both sets"):
        read_pairs(None, "ab", "cd")
    (tmp_path / "pairs.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="save it as CSV"):
        read_pairs(tmp_path / "pairs.csv", IDS, IDS)


def test_a_sheet_of_ask_may_be_half_filled(tmp_path):
    ids = ["a", "b", "c"]
    (tmp_path / "ask.csv").write_text("x,y\na,\nb,c\nc,\n")
    assert read_pairs(tmp_path / "ask.csv", ids, ids).tolist() == [["b", "c"]]
    (tmp_path / "pairs.csv").write_text("a,\nb,c\n")  # elsewhere an empty cell is a mistake
    with pytest.raises(ValueError, match="line 1: a pair must be two ids"):
        read_pairs(tmp_path / "pairs.csv", ids, ids)
    (tmp_path / "none.csv").write_text("x,y\na,\n")
    with pytest.raises(ValueError, match=r"none.csv has no pairs"):
        read_pairs(tmp_path / "none.csv", ids, ids)


def read_abcd(pairs):
    return read_pairs(pairs, ["a", "b", "b", "c", "d"], "1234").tolist()


@pytest.mark.parametrize(
    "pairs",
    [
        [("b", "2"), ("a", "1")],
        np.array([["b", "2"], ["a", "1"]]),
        {"x": ["b", "a"], "y": [2, 1]},
        {"y": [2, 1, 4], "score": [0, 1, 2], "x": ["b", "a", "c"]} | {"y": [2, 1, None]},
        {"item": ["b", "a", "c"], "partner": ["2", "1", ""]},
        np.array([[1, 1], [0, 0]]),
    ],
)
def test_pairs_that_are_no_file(pairs):
    assert read_abcd(pairs) == [["b", "2"], ["a", "1"]]


def test_pairs_of_a_data_frame():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"y": ["2", "1", None], "x": ["b", "a", "c"]})
    assert read_abcd(table) == [["b", "2"], ["a", "1"]]


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([], "There are no pairs"),
        ([("a", "1"), ("a",)], r"row 1: a pair must be two ids, not \('a',\)"),
        (["a1"], "row 0: a pair must be two ids, not 'a1'"),
        ([("a", "1"), ("e", "2")], "row 1: there is no item 'e' in x; its ids look like 'a'"),
        ([("a", "1"), ("a", "2")], r"row 1: the item 'a' of x already has a partner \(row 0\)"),
        ({"x": ["a"]}, "needs two columns, x and y, but has 1"),
        (np.array([[0, 0], [1, 4]]), "row 1: there is no item 4 in y, which has 4 items"),
        (np.array([[0, 0], [-1, 1]]), "row 1: there is no item -1 in x, which has 4 items"),
        (np.array([0, 1]), r"must be item numbers \[k, 2\], not \(2,\)"),
    ],
)
def test_pairs_that_are_no_file_and_cannot_be_used(pairs, words):
    with pytest.raises(ValueError, match=words):
        read_abcd(pairs)


def test_decisions_of_the_page_of_matches_are_pairs_where_they_are_accepted(tmp_path):
    file = tmp_path / "decisions.csv"
    lines = ["a,1,0.9,accepted", "b,2,0.8,rejected", "c,3,0.7,undecided", "d,4,,given"]
    file.write_text("\n".join(["x,y,probability,decision", *lines]))
    assert read_pairs(file, "abcd", "1234").tolist() == [["a", "1"], ["d", "4"]]
