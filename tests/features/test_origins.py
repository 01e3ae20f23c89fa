"""Origins of pairs, from the column of a table and from the review beside a file."""

import pandas
import pytest

from gentle_clip_jax.features.origins import Origins, read_origins
from gentle_clip_jax.storage.tables import write_workbook

X, Y = [f"p{i}.png" for i in range(6)], [f"t{i}" for i in range(6)]
TABLE = "x,y,origin\np0,t0,random\np1,t1,asked\np2,t2,\np3,,random\np4.png,t4, Random \n"
EXPECTED = Origins(
    (("p0.png", "t0", "random"), ("p1.png", "t1", "asked"), ("p4.png", "t4", "random"))
)


def origins(pairs, **others):
    return read_origins(pairs, X, Y, **others)


def test_a_column_of_a_file_says_which_pairs_were_drawn_at_random(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text(TABLE)
    assert origins(path) == origins(str(path)) == EXPECTED
    path.write_text(TABLE.replace("x,y,", "image,caption,"))
    assert origins(f"{path}:image,caption") == EXPECTED
    rows = [line.split(",") for line in TABLE.splitlines()]
    write_workbook(tmp_path / "pairs.xlsx", rows)
    assert origins(tmp_path / "pairs.xlsx") == EXPECTED


def test_a_table_has_the_same_column(tmp_path):
    (tmp_path / "pairs.csv").write_text(TABLE)
    frame = pandas.read_csv(tmp_path / "pairs.csv")
    assert origins(frame) == origins(frame.to_dict("list")) == EXPECTED
    assert origins(frame[["x", "y"]]) == Origins()


def test_matches_that_were_accepted_are_no_random_sample(tmp_path):
    path = tmp_path / "accepted.csv"
    lines = ["p0,t0,,given", "p1,t1,0.9,probable", "p2,t2,0.3,accepted", "p3,t3,0.8,rejected"]
    path.write_text("\n".join(["x,y,probability,decision", *lines]))
    probable, accepted = ("p1.png", "t1", "probable"), ("p2.png", "t2", "accepted")
    assert origins(path) == Origins((probable, accepted))


@pytest.mark.parametrize("text", ["x,y\np0,t0\n", "p0,t0\np1,t1\n", "x,y,origin\np0,t0,Ghana\n"])
def test_pairs_of_unknown_origin_are_neither(tmp_path, text):
    (tmp_path / "pairs.csv").write_text(text)
    assert origins(tmp_path / "pairs.csv") == Origins()
    assert origins([("p0", "t0")]) == origins(None) == Origins()


def test_a_review_has_the_origins_of_the_pairs_that_are_still_there(tmp_path):
    path, folder = tmp_path / "pairs.csv", tmp_path / "pairs.csv.review"
    # p1 was deleted by hand since, p2 got another partner, t5 was not found but got one.
    path.write_text("x,y,origin\np4,t4,asked\np5,t5,\np3.png,t3\np0.png,t0\np2.png,t2\n")
    folder.mkdir()
    answers = ["p0.png,t0,random", "p1.png,t1,random", "p2.png,t4,random", "p3.png,t3,reviewed"]
    answers += [",t1,random", ",t5,random", ""]
    (folder / "origins.csv").write_text("\n".join(["x,y,origin", *answers]))
    lines = [("p0.png", "t0", "random"), ("p3.png", "t3", "reviewed"), ("", "t1", "random")]
    expected = Origins((("p4.png", "t4", "asked"), *lines))
    assert origins(path) == expected
    path.write_text("p0.png,t0\np3.png,t3\n")  # without a heading
    assert origins(path) == Origins((*lines, ("", "t5", "random")))


def test_a_torn_line_of_a_review_says_nothing(tmp_path):
    path, folder = tmp_path / "pairs.csv", tmp_path / "pairs.csv.review"
    path.write_text("x,y\np0,t0\n")
    folder.mkdir()
    (folder / "origins.csv").write_text("x,y,origin\np0.png,t0\np1.png")
    assert origins(path) == Origins()


def test_the_review_decides_where_a_table_says_otherwise(tmp_path):
    path, folder = tmp_path / "pairs.csv", tmp_path / "pairs.csv.review"
    path.write_text("x,y,origin\np0.png,t0,asked\n")
    folder.mkdir()
    (folder / "origins.csv").write_text("x,y,origin\np0.png,t0,random\n")
    assert origins(path) == Origins((("p0.png", "t0", "random"),))


def test_an_aligner_remembers_origins():
    content = EXPECTED.metadata
    assert content[0] == ["p0.png", "t0", "random"]
    assert origins(None, remembered=content) == EXPECTED
    assert origins([("p0", "t0")], remembered=content) == Origins()
    assert origins(None, remembered=None) == Origins()
    assert EXPECTED.words["p1.png", "t1"] == "asked"


def test_a_copy_without_the_items_that_were_not_found_is_no_random_sample():
    copied = Origins((*EXPECTED.lines, ("", "t5", "random"))).words
    assert [*copied.values()] == ["reviewed", "asked", "reviewed"]
