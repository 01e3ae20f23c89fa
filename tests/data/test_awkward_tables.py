"""Tables as people have them: read rightly, or refused by one sentence that says what to do."""

import json
import pathlib
import tempfile

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gentle_clip_jax.data.pairs import read_pairs
from gentle_clip_jax.data.texts import Columns, list_texts
from gentle_clip_jax.features.read import read
from gentle_clip_jax.storage import tables

PICTURES, NOTES = ["Käfer_000", "Käfer_001", "IMG_012"], ["n0", "n1", "007"]
PAIRS = [["Käfer_000", "n0"], ["Käfer_001", "n1"]]
SWAPPED = r"pairs.csv, line 2: there is no item 'n0' in x; it is an item of y: swap the two columns"
SEMICOLONS = "Bild;Notiz\nKäfer_000;n0\nKäfer_001;n1\n"


def workbook(*rows, cells=()):
    with tempfile.TemporaryDirectory() as folder:
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        for name, number_format in cells:
            book.active[name].number_format = number_format
        book.save(path := pathlib.Path(folder) / "book.xlsx")
        return path.read_bytes()


OWN = ("note", "left", "right")
ROWS = ((1, "Käfer_000", "n0"), (2, "Käfer_001", "n1"))
NAMED = workbook(OWN, *ROWS)
ENCODED = {
    "semicolons and Windows-1252": SEMICOLONS.encode("cp1252"),
    "tabs": SEMICOLONS.replace(";", "\t").encode(),
    "UTF-16": SEMICOLONS.encode("utf-16"),
    "UTF-16 BE without a mark": SEMICOLONS.encode("utf-16-be"),
    "a byte order mark": SEMICOLONS.encode("utf-8-sig"),
    "a declared delimiter": b"sep=;\r\n" + SEMICOLONS.encode(),
    "file names": SEMICOLONS.replace("_000", "_000.JPG").replace("n1", "n1.txt").encode(),
    "outer spaces and empty columns": b"x,y,,\n K\xc3\xa4fer_000, n0 ,,\nK\xc3\xa4fer_001,n1,,\n",
}


@pytest.mark.parametrize("content", ENCODED.values(), ids=ENCODED)
def test_pairs_of_a_spreadsheet(content, tmp_path):
    (tmp_path / "pairs.csv").write_bytes(content)
    assert read_pairs(tmp_path / "pairs.csv", PICTURES, NOTES).tolist() == PAIRS


def test_columns_are_named_after_the_file(tmp_path):
    (tmp_path / "pairs.xlsx").write_bytes(NAMED)
    (tmp_path / "pairs.jsonl").write_text(
        "".join(json.dumps(dict(zip(OWN, row))) + "\n" for row in ROWS)
    )
    for name in ("pairs.xlsx", "pairs.jsonl"):
        found = read_pairs(f"{tmp_path}/{name}:left,right", PICTURES, NOTES)
        assert found.tolist() == PAIRS
        with pytest.raises(ValueError, match=r"has no column 'x': it has 'note', 'left', 'right'"):
            read_pairs(f"{tmp_path}/{name}:x,y", PICTURES, NOTES)
        with pytest.raises(ValueError, match=r"has 3 columns .* --pairs=\S+:note,left"):
            read_pairs(f"{tmp_path}/{name}", PICTURES, NOTES)


def test_numbers_stay_as_a_spreadsheet_shows_them(tmp_path):
    rows = (("x", "y"), ("IMG_012", 7), (12.0, "n0"))
    (tmp_path / "pairs.xlsx").write_bytes(workbook(*rows, cells=[("B2", "000")]))
    found = read_pairs(tmp_path / "pairs.xlsx", [*PICTURES, "12"], NOTES)
    assert found.tolist() == [["IMG_012", "007"], ["12", "n0"]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,y\nn0,Käfer_000\n", SWAPPED),
        ("x,y\nIMG_12,n0\n", r"line 2: there is no item 'IMG_12' in x; did you mean 'IMG_012'\?"),
        ("IMG_12,n00\nKäfer_000,n0\n", r"line 1: .* did you mean 'IMG_012'\?"),
        ("x,y\nKäfer_000,n0,\n\nKäfer_001\n", None),
        ('x,y\n"Käfer_000,n0\n', r"line 2 is not valid CSV \(unexpected end"),
    ],
)
def test_pairs_that_are_refused_or_left_out(text, words, tmp_path):
    (tmp_path / "pairs.csv").write_text(text, encoding="utf-8")
    if words is None:
        assert read_pairs(tmp_path / "pairs.csv", PICTURES, NOTES).tolist() == PAIRS[:1]
        return
    with pytest.raises(ValueError, match=words) as caught:
        read_pairs(tmp_path / "pairs.csv", PICTURES, NOTES)
    assert "\n" not in str(caught.value)


def test_extensions_are_no_part_of_an_id_only_if_one_id_is_meant(tmp_path):
    (tmp_path / "pairs.csv").write_text("x,y\na,n0\n")
    assert read_pairs(tmp_path / "pairs.csv", ["a.jpg", "b.jpg"], NOTES).tolist() == [
        ["a.jpg", "n0"]
    ]
    assert read_pairs(tmp_path / "pairs.csv", ["a", "a.jpg"], NOTES).tolist() == [["a", "n0"]]
    with pytest.raises(ValueError, match=r"'a' may be 'a.jpg' or 'a.png': write the whole id"):
        read_pairs(tmp_path / "pairs.csv", ["a.jpg", "a.png"], NOTES)
    (tmp_path / "pairs.csv").write_text("x,y\na.v2,n0\n")  # no extension of a file
    with pytest.raises(ValueError, match=r"no item 'a.v2' in x"):
        read_pairs(tmp_path / "pairs.csv", ["a", "b"], NOTES)


def test_what_is_taken_as_a_heading_is_said(tmp_path, notices):
    (tmp_path / "pairs.csv").write_text(SEMICOLONS, encoding="utf-8")
    read_pairs(tmp_path / "pairs.csv", PICTURES, NOTES)
    assert "pairs.csv: the first line (Bild, Notiz) is taken as the heading." in notices()


TEXTS = 'Nr;Beschreibung\n7_0;"Ein Käfer;\nzwei"\n08;Drei\n'


def test_columns_of_texts_are_named(tmp_path):
    (tmp_path / "texts.csv").write_bytes(TEXTS.encode("cp1252"))
    found = list_texts(tmp_path, columns=Columns("Beschreibung", "Nr"))  # the folder's only table
    assert [(text.id, text.text) for text in found] == [("7_0", "Ein Käfer;\nzwei"), ("08", "Drei")]
    with pytest.raises(ValueError, match=r"--text-column=NAME \(Nr, Beschreibung\)"):
        list_texts(tmp_path / "texts.csv")
    with pytest.raises(
        ValueError, match=r"no column 'Text', which --text-column names: .* Nr, Bes"
    ):
        list_texts(tmp_path / "texts.csv", columns=Columns("Text"))
    (tmp_path / "more.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(ValueError, match=r"has 2 tables \(more.jsonl, texts.csv\): give the path"):
        list_texts(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,text\n1,A boat, a pier\n", r"line 2 has 3 cells, the heading 2: put quotes around"),
        ("text,text\na,b\n", "has two columns 'text': rename one"),
        ("id,text\na\0,b\n", r"line 2 has an id, .* with a null character"),
    ],
)
def test_texts_that_are_refused(text, words, tmp_path):
    (tmp_path / "texts.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        list_texts(tmp_path / "texts.csv")


def test_a_date_is_no_id(tmp_path):
    import datetime

    rows = (("id", "text"), (datetime.date(2026, 3, 1), "March 1"))
    (tmp_path / "texts.xlsx").write_bytes(workbook(*rows))
    with pytest.raises(ValueError, match=r"line 2 has an id, .* turned into a date"):
        list_texts(tmp_path / "texts.xlsx")


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0\0", b"\0" * 9])
def test_workbooks_that_are_none(content, tmp_path):
    (tmp_path / "x.xlsx").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.xlsx is .* save it"):
        list_texts(tmp_path / "x.xlsx")


def test_decimal_commas_and_no_numbers_of_ids(tmp_path):
    (tmp_path / "x.csv").write_text("id;f0;f1\na;0,5;1\nb;2;3,25\n")
    assert read(tmp_path / "x.csv").features.tolist() == [[0.5, 1], [2, 3.25]]
    for text, cell in (("id;f0\na;0,5\nb;1.234\n", "1.234"), ("id,f0\na,1_0\n", "1_0")):
        (tmp_path / "x.csv").write_text(text)
        with pytest.raises(ValueError, match=rf"column f0 holds '{cell}', which is no number"):
            read(tmp_path / "x.csv")


IDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
IDS = IDS | st.sampled_from(
    ["=cmd", "+1", "-1", "@a", "007", "1e5", "1_0", "_x0007_", "a;b\tc", "0\r"]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(IDS.filter(str.strip), min_size=1, max_size=6, unique=True), st.data())
def test_ids_that_are_written_are_read_again(ids, data):
    partners = data.draw(st.permutations(ids))
    rows = [("x", "y"), *zip(ids, partners)]
    with tempfile.TemporaryDirectory() as folder:
        for name, write in (("a.csv", tables.write_csv), ("a.xlsx", tables.write_workbook)):
            path = pathlib.Path(folder) / name
            write(path, rows)
            assert read_pairs(path, ids, ids).tolist() == [*map(list, rows[1:])]


def test_a_workbook_of_ids_that_are_no_text_is_read_and_a_damaged_one_named_once(tmp_path):
    tables.write_workbook(tmp_path / "a.xlsx", [("x", "y"), ("\ud800", "b")])
    assert [row for _, row in tables.read_table(tmp_path / "a.xlsx").rows][1] == ["\ud800", "b"]
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ValueError, match=r"a\.xlsx is not a valid workbook") as raised:
        tables.read_table(tmp_path / "a.xlsx")
    assert str(raised.value).count("a.xlsx") == 1
