"""The page of matches: its table, decisions by keyboard, and the final table of pairs."""

import csv
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
from page_examples import PAIRS, Items, matches, page_of
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.matching import write
from gentle_clip_jax.matching.accepted import accepted_pairs, listed_pairs, methods_of
from gentle_clip_jax.matching.written import Shown

pytest.importorskip("pyarrow")


def data_of(page):
    return json.loads(page.partition('id="data">')[2].partition("</script>")[0])


def test_the_surest_come_first_with_picture_and_text(tmp_path):
    found = matches()
    page = page_of(found)
    assert "96 of 96 items of photo with a proposed partner in word, none confirmed" in page
    assert "Of 96 items of photo we expect" in page
    data = data_of(page)
    assert len(data["x"]) == len(data["partner"]) == 96
    assert data["probability"] == sorted(data["probability"], reverse=True)
    assert data["probability"][0] == pytest.approx(found.probability.max(), rel=1e-3)
    assert all(picture for _, _, picture in data["x"])
    id_, text, picture = data["y"][0]
    assert text == f"text of {id_}"
    assert not picture
    assert "<x" not in page
    assert "probability, per cent" in page
    assert page.count("<svg") == 2
    end = re.sub("<[^>]*>", "", page.partition("What now")[2])
    sides = "--x=&#39;my x.npz&#39; --y=y.npz --pairs=pairs.csv"
    assert f"gentle-clip review --aligner=aligner {sides}" in end
    write(found, tmp_path, Items("x").items, Items("y").items, page=page)
    assert (tmp_path / "matches.html").read_text() == page
    write(found, tmp_path, Items("x").items, Items("y").items)
    assert not (tmp_path / "matches.html").exists()


def test_the_page_begins_at_the_probability_that_accepted_matches_have():
    assert 'id="least" type="number" min="0" max="100" step="any" value="12.5"' in page_of(
        matches(), least=0.125
    )


def test_without_probabilities_there_are_cosines():
    page = page_of(matches(num_pairs=30, share=1))
    assert "<svg" not in page
    data = data_of(page)
    assert {*data["probability"]} == {None}
    assert data["cosine"] == sorted(data["cosine"], reverse=True)


def test_one_to_one_shows_each_item_of_y_once_at_most():
    page = page_of(matches(share=None, one_to_one=True), pairs=None)
    data = data_of(page)
    assert len({*data["partner"]}) == len(data["partner"]) > 90
    assert "--pairs=PAIRS" in re.sub("<[^>]*>", "", page)


def test_reliability_counts_all_held_out_pairs():
    found = matches()
    assert sum(one.pairs for one in found.reliability) == PAIRS
    assert all(one.low <= one.value <= one.high for one in found.reliability)
    assert found.metadata["reliability"][0]["pairs"] == found.reliability[0].pairs
    assert matches(share=None).reliability is None
    assert matches(one_to_one=True).reliability


def test_scores_of_lists_are_returned_only_where_asked_for():
    found, plain = (matches(share=0.5, one_to_one=True, with_outcomes=on) for on in (True, False))
    assert plain.outcomes is None
    assert found.outcomes.absent.shape == found.outcomes.held_out.shape == (PAIRS,)
    np.testing.assert_array_equal(found.probability, plain.probability)


def test_a_list_at_a_chosen_error_has_no_given_pair(tmp_path):
    found, ids = (
        matches(num_pairs=100, share=1, with_outcomes=True),
        (Items("x").items, Items("y").items),
    )
    assert found.outcomes is not None
    accepted = listed_pairs(found, *ids, "We did.", 0.4)
    count = len(accepted.rows)
    assert count > 5
    assert f"The list has {count} matches, of which at most" in accepted.summary
    assert "40 % was chosen" in accepted.summary
    assert accepted.methods == f"We did. {accepted.summary}"
    chosen = np.argsort(-found.probability)[:count]
    assert {row[0] for row in accepted.rows} == {*ids[0][found.x[chosen]].tolist()}
    assert {row[3] for row in accepted.rows} == {"probable"}
    files = [f"{id_}.png" for id_ in ids[0]]
    nothing = [""] * len(ids[1])
    write(found, tmp_path, *ids, accepted=accepted, shown=Shown(files, nothing, nothing, nothing))
    rows = [*csv.reader((tmp_path / "accepted.csv").read_text().splitlines())]
    assert rows[0] == ["x", "y", "x_file", "probability", "decision"]
    assert rows[1][2] == f"{rows[1][0]}.png"


def test_an_empty_list_has_a_heading_and_says_why(tmp_path):
    found, ids = (
        matches(num_pairs=100, share=1, with_outcomes=True),
        (Items("x").items, Items("y").items),
    )
    none = listed_pairs(found, *ids, "", 0.001)
    assert not none.rows
    assert "No list of which at most 0.1 % is wrong can be given: it needs" in none.summary
    assert "More pairs (100 held out now), several texts" in none.summary
    (needed,) = re.findall(r"needs ([\d,]+) held-out pairs", none.summary)
    screens = int(needed.replace(",", "")) - 100
    assert f"Answer {screens} screens that review shows at random" in none.summary
    assert none.summary.endswith(f"about {round(screens / 2)} minutes of review.")
    write(found, tmp_path, *ids, accepted=none)
    assert (tmp_path / "accepted.csv").read_text().split() == ["x,y,probability,decision"]
    biased = found._replace(calibration=found.calibration._replace(pair_bias=9.0))
    said = listed_pairs(biased, *ids, "", 0.4)
    assert not said.rows
    assert "the pairs differ from the items to match" in said.summary
    few = listed_pairs(matches(num_pairs=30, share=1), *ids, "", 0.4)
    assert few.summary == "No list at a chosen error: there are 30 pairs, and it needs 60."


def test_what_a_list_needs_is_said():
    ids = Items("x").items, Items("y").items
    for fdr in (0, 1, -0.1, float("nan")):
        with pytest.raises(ValueError, match="give the share of wrong matches, above 0 and below"):
            listed_pairs(matches(num_pairs=100, share=1), *ids, "", fdr)
    with pytest.raises(ValueError, match="fdr needs share"):
        listed_pairs(matches(num_pairs=100, share=None), *ids, "", 0.1)


def test_accepted_pairs_are_the_given_and_the_probable_ones(tmp_path):
    found, ids = matches(), (Items("x").items, Items("y").items)
    accepted = accepted_pairs(found, *ids, [("<x0>", "<y0>", "given")], "We did.", 0.6)
    probable = found.probability[found.probability >= 0.6]
    assert accepted.rows[0] == ("<x0>", "<y0>", "", "given")
    assert len(accepted.rows) == 1 + len(probable) > 5
    assert f"The table has {1 + len(probable)} pairs: 1 given and" in accepted.methods
    assert f"({100 * (1 - probable).mean():.0f} %) are expected to be wrong" in accepted.methods
    unlikely = found._replace(probability=0 * found.probability + 0.05)
    assert "(95 %) are expected" in accepted_pairs(unlikely, *ids, [], "We did.", 0.01).methods
    write(found, tmp_path, *ids, accepted=accepted)
    record = json.loads((tmp_path / "matches.json").read_text())
    assert record["accepted"]["methods"] == accepted.methods
    assert "accepted.csv" in record["sha256"]
    rows = [*csv.reader((tmp_path / "accepted.csv").read_text().splitlines())]
    assert rows[0] == ["x", "y", "probability", "decision"]
    write(found, tmp_path, *ids)
    assert not (tmp_path / "accepted.csv").exists()
    with pytest.raises(ValueError, match="accept is nan: give the least probability"):
        accepted_pairs(found, *ids, [], "We did.", float("nan"))


def test_the_methods_sentence_names_files_and_encoders_where_they_are_known():
    made = {"arguments": {"encoder": "minilm"}}
    x = Collection(np.ones((2, 3)), np.array(["a", "b"]), path=Path("in/a folder"), manifest=made)
    y = Collection(np.ones((1, 3)), np.array(["c"]))
    said = methods_of(matches(share=0.5), x, y, {"method": "cca"}, 64)
    assert said.startswith(
        "We aligned 2 items of x (a folder, features of minilm) and 1 items of y with 64 given "
        "pairs by the method cca of "
    )
    assert said.endswith("the other 96 items of x, of which 50 % were assumed to have a partner.")


@pytest.fixture
def table(browser, tmp_path):
    """The page in a browser that downloads into its folder."""
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    page = tmp_path / "matches.html"
    page.write_text(page_of(matches(), given=[("a,b", "c", "random")], methods="We did."))
    browser.get(page.as_uri())
    return browser


def downloaded(path):
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, "there is no download"
        time.sleep(0.05)
    return [*csv.reader(path.read_text().splitlines())]


@pytest.mark.slow
def test_decisions_by_keyboard_survive_a_reload_and_are_exported(table, tmp_path):
    find = lambda css: table.find_elements("css selector", css)  # noqa: E731
    first, second = (row.find_element("tag name", "b").text for row in find("#lines tr")[:2])
    ActionChains(table).send_keys(Keys.ARROW_DOWN, "r", "a").perform()
    assert "1 accepted, 1 rejected" in find("#state")[0].text
    table.refresh()
    assert "1 accepted, 1 rejected" in find("#state")[0].text
    assert [row.get_attribute("class") for row in find("#lines tr")[:2]] == ["rejected", "accepted"]
    ActionChains(table).send_keys(Keys.ARROW_DOWN, "u").perform()
    assert "1 accepted, 0 rejected" in find("#state")[0].text
    find("#lines tr")[0].find_element("css selector", ".reject").click()
    find("#accepted")[0].click()
    rows = downloaded(tmp_path / "accepted.csv")
    assert rows[:2] == [["x", "y", "probability", "decision"], ["a,b", "c", "", "random"]]
    assert [row[3] for row in rows if row[0] == second] == ["accepted"]
    assert first not in [row[0] for row in rows]
    text = find("#methods")[0].text
    assert text.startswith(f"We did. The table has {len(rows) - 1} pairs: 1 given, 1 matches")
    find("#decisions")[0].click()
    rows = downloaded(tmp_path / "decisions.csv")
    assert len(rows) == 97
    assert [row[3] for row in rows[1:4]] == ["rejected", "accepted", "undecided"]


@pytest.mark.slow
def test_the_table_sorts_and_filters(table):
    find = lambda css: table.find_elements("css selector", css)  # noqa: E731
    ids = lambda: [one.text for one in find("#lines th b")]  # noqa: E731
    before = ids()
    find("th[data-sort=sure] button")[0].click()
    assert ids() == before[::-1]
    assert find("th[data-sort=sure]")[0].get_attribute("aria-sort") == "ascending"
    Select(find("#order")[0]).select_by_value("random")
    assert sorted(ids()) == sorted(before)
    assert ids() not in (before, before[::-1])
    Select(find("#order")[0]).select_by_value("sure")
    find("#text")[0].send_keys("TEXT of " + before[3])
    assert ids() == [before[3]]
    find("#text")[0].clear()
    find("#text")[0].send_keys("a")
    find("#text")[0].send_keys(Keys.BACKSPACE)
    find("#low")[0].send_keys("60")
    assert 0 < len(ids()) < len(before)
    assert ids() == before[: len(ids())]
