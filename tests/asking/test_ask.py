"""Which items to describe: they stand for the others, and the same call asks the same."""

import re

import numpy as np
import pytest
from PIL import Image

from gentle_clip_jax.asking import ask
from gentle_clip_jax.asking.choose import asked_items, items_to_ask
from gentle_clip_jax.storage.tables import read_table

# 20 groups of different size around far apart directions.
SIZES = np.arange(3, 23)
GROUP = np.repeat(np.arange(20), SIZES)
ROWS = (np.eye(20) * 9)[GROUP] + 0.1 * np.random.default_rng(0).normal(size=(len(GROUP), 20))


def test_representative_items_come_first_and_every_tenth_at_random():
    asked = items_to_ask(ROWS, 20)
    assert len({*asked}) == 20
    assert items_to_ask(ROWS, 20) == asked != items_to_ask(ROWS, 20, seed=1)
    telling = [row for place, row in enumerate(asked) if place % 10 != 9]
    assert len({*GROUP[telling].tolist()}) >= 14
    assert np.mean(GROUP[telling[:5]]) > np.mean(GROUP[telling[-5:]])


def test_each_item_adds_the_most_to_those_before():
    """Against a loop over all items."""
    rows = np.random.default_rng(0).normal(size=(60, 6))
    pairs = [3, 7]
    asked = items_to_ask(rows, 9, pairs=pairs)
    unit = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    alike = np.exp(8 * (unit @ unit.T - 1))
    for place, item in enumerate(asked):
        known = pairs + asked[:place]
        total = [alike[[*known, more]].max(axis=0).sum() for more in range(60)]
        assert item == np.argmax(total)


def test_items_with_a_pair_and_their_groups_are_left_out():
    old = [int(np.flatnonzero(group == GROUP)[0]) for group in range(10, 20)]
    asked = items_to_ask(ROWS, 10, pairs=old)
    assert not {*asked} & {*old}
    telling = [row for place, row in enumerate(asked) if place % 10 != 9]
    assert np.mean(GROUP[telling] < 10) > 0.6


def test_from_300_pairs_on_all_are_drawn_at_random():
    rows = np.random.default_rng(0).normal(size=(500, 3))
    asked = items_to_ask(rows, 50, pairs=np.arange(320))
    assert len({*asked}) == 50
    assert min(asked) >= 320
    assert items_to_ask(rows[::-1], 50, pairs=np.arange(320)) == asked
    few = [items_to_ask(some, 50, pairs=np.arange(290))[:12] for some in (rows, rows[::-1])]
    assert few[0] != few[1]
    assert sorted(items_to_ask(rows[:310], 310)) == [*range(310)]


def test_equal_rows_and_too_many():
    assert sorted(items_to_ask(np.ones((6, 2)), 6)) == [*range(6)]
    with pytest.raises(ValueError, match="4 items have no pair yet: ask for 1 to 4 of them, not 5"):
        items_to_ask(np.ones((6, 2)), 5, pairs=[0, 1])
    with pytest.raises(ValueError, match="features holds numbers that are not finite"):
        items_to_ask(np.array([[0, 1], [np.nan, 1]]), 1)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(6):
        Image.new("RGB", (40, 30), (40 * number, 99, 0)).save(folder / f"<b>{number}.png")
    np.savez(
        tmp_path / "x.npz",
        features=np.random.default_rng(0).normal(size=(6, 3)),
        ids=np.array([f"<b>{number}" for number in range(6)]),
    )
    return tmp_path


def test_a_table_and_a_page_are_written(pictures):
    sheet = ask(pictures / "x.npz", 4, images=pictures / "pictures")
    every = ask(pictures / "x.npz", 6)
    assert repr(every) == f"Sheet(6 items to describe: {', '.join(every.ids[:5])}, ...)"
    sheet.save(pictures / "ask", xlsx=True)
    rows = [[*read_table(pictures / "ask" / f"ask.{kind}").rows] for kind in ("csv", "xlsx")]
    assert rows[0] == rows[1]
    table = (pictures / "ask" / "ask.csv").read_text().splitlines()
    assert table == ["x,y,origin", *(f"{id_},,asked" for id_ in sheet.ids)]
    page = (pictures / "ask" / "ask.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 4
    assert "<b>" not in page
    assert "&lt;b&gt;" in page


def test_a_sheet_says_which_items_are_random(pictures):
    sheet = ask(ROWS, 40)
    sheet.save(pictures / "ask")
    lines = (pictures / "ask" / "ask.csv").read_text().splitlines()[1:]
    assert [number for number, line in enumerate(lines, 1) if line.endswith(",,random")] == [
        *range(10, 41, 10)
    ]
    assert sheet.to_pandas()["origin"].tolist() == [line.split(",")[2] for line in lines]
    assert asked_items(ROWS, 40)[9][1] is True
    assert [row for row, _ in asked_items(ROWS, 40)] == items_to_ask(ROWS, 40)


def test_what_is_filled_in_is_not_asked_again(pictures):
    filled = pictures / "filled.csv"
    filled.write_text("x,y\n<b>0,text\n<b>1,\n<b>2,other\n")
    asked = ask(pictures / "x.npz", 4, filled).ids
    assert sorted(asked) == ["<b>1", "<b>3", "<b>4", "<b>5"]
    filled.write_text("7,text\n")
    with pytest.raises(ValueError, match=r"filled\.csv has no pair of these items"):
        ask(pictures / "x.npz", 3, filled)
    with pytest.raises(ValueError, match="has no pictures of the items"):
        ask(pictures / "x.npz", 2, images=pictures / "none").save(pictures / "ask")


# A spreadsheet may end lines in a comma, and a person may write beside an empty cell.
@pytest.mark.parametrize("cells", [",text,asked\n", ",text,asked,\n", ",,asked,a note\n"])
@pytest.mark.parametrize("has_origin", [True, False])
def test_answers_are_not_written_over(pictures, cells, has_origin):
    table = pictures / "ask" / "ask.csv"
    for _ in range(2):
        ask(pictures / "x.npz", 2).save(pictures / "ask")
    answered = table.read_text().replace(",,asked\n", cells, 1).replace("origin\n", "origin,\n")
    answered = answered if has_origin else re.sub(",(asked|origin)", "", answered)
    table.write_text(answered)
    with pytest.raises(ValueError, match=r"ask\.csv holds answers: use another --out"):
        ask(pictures / "x.npz", 2).save(pictures / "ask")
    assert table.read_text() == answered
