"""The page of a diagnosis, its lines for a terminal, and its representations."""

import json
import re

import numpy as np
import page_examples
import pytest
from page_parser import Page

from gentle_clip_jax.diagnosing import Diagnosis, finding
from gentle_clip_jax.storage.records import read_record

HELD_OUT = {
    "method": "gentle_transport",
    "fitted_on": {"pairs": 34},
    "expected": {
        "unmatched": {
            "value": 0.12,
            "low": 0.02,
            "high": 0.22,
            "verdict": "helped",
            "pairs_needed": None,
            "method": "gentle_transport",
            "against": "cca",
        }
    },
}


@pytest.fixture
def diagnosis():
    return page_examples.diagnosis()


def test_the_page_is_whole_and_loads_nothing(diagnosis, tmp_path):
    made = Diagnosis(diagnosis)
    made.save(tmp_path / "out")
    kept = read_record(tmp_path / "out" / "diagnosis.json")
    assert kept == kept | json.loads(json.dumps(diagnosis))
    html = (tmp_path / "out" / "diagnosis.html").read_text()
    page = Page(html)
    assert page.tags.count("svg") == 5
    assert not {"script", "link", "img"} & set(page.tags)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    for text in ("First <one>", "x < y.", "<b>", "y&1", "800 of 1,200 unmatched items of y"):
        assert text in page.text
    assert "NaN" not in html
    assert "✓ First <one>: 1.0; by chance 0.5" in made.lines
    assert made.summary[0] == "Unmatched items are unlikely to help: x < y."


def test_the_page_says_the_names_of_the_modalities(diagnosis, tmp_path):
    words = {"title": "Items of x", "sentence": "X-ray: y is above x, not xy.", "value": "x 1, y 2"}
    diagnosis["findings"][1] |= words
    named = diagnosis | {"modalities": ("cell $ <a>", "[bold]word")}
    made = Diagnosis(named)
    made.save(tmp_path)
    kept = json.loads((tmp_path / "diagnosis.json").read_text())
    assert kept["modalities"] == ["cell $ <a>", "[bold]word"]
    assert kept["findings"] == json.loads(json.dumps(diagnosis["findings"]))
    page = Page((tmp_path / "diagnosis.html").read_text())
    for text in (
        "1,234 items of cell $ <a> (4 dimensions)",
        "800 of 1,200 unmatched items of [bold]word",
        "Items of cell $ <a>",
        "cell $ <a> 1, [bold]word 2",
        "[bold]word is above cell $ <a>, not xy.",
        "Unmatched items are unlikely to help: cell $ <a> < [bold]word.",
    ):
        assert text in page.text
    assert "cell $ <a> < [bold]word." in made.summary[0]
    legends = [text for text in page.text.split("\n") if text.strip() == "[bold]word"]
    assert len(legends) >= 2  # of the bars and of the sets
    said = page.text.partition("What now")[0]  # then come commands, whose options are --x and --y
    assert not re.search(r"\b[xy]\b", said.replace("y&1", "").replace("X-ray", ""))


def test_the_verdict_of_held_out_pairs_comes_first(diagnosis):
    sentence = "Unmatched items help: +12 points against cca"
    decided = {**diagnosis["verdict"], "unmatched_data": "helped"}
    first, *rest = Diagnosis({**diagnosis, "held_out": HELD_OUT, "verdict": decided}).summary
    assert first.startswith(sentence)
    assert not any("likely to help" in one for one in rest)
    unmatched = {**HELD_OUT["expected"]["unmatched"], "verdict": "too early", "low": -0.02}
    open_ = {**HELD_OUT, "expected": {"unmatched": unmatched}}
    first, second, *_ = Diagnosis({**diagnosis, "held_out": open_}).summary
    assert first.startswith("Whether unmatched items help is not clear yet: +12 points")
    assert second.startswith("By the other figures, unmatched items are unlikely to help: ")


def test_it_is_short_and_a_table(diagnosis):
    made = Diagnosis(diagnosis)
    assert len(repr(made)) < 1500
    assert repr(made).startswith("Diagnosis(4 figures; Unmatched items are unlikely to help")
    assert made.verdict == "unlikely"
    assert made.to_pandas()["level"].tolist() == ["good", "warning", "bad", "unknown"]
    assert "First &lt;one&gt;" in made._repr_html_()


def test_a_file_in_the_way_is_one_sentence(diagnosis, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(ValueError, match="out holds something else"):
        Diagnosis(diagnosis).save(tmp_path / "out")


def test_equal_values_have_a_histogram():
    assert sum(finding.histogram("Same", "value", np.ones(5), {"here": 1.0})["counts"]) == 5


@pytest.mark.parametrize(
    ("verdict", "pairs", "command", "asks"),
    [
        ("likely", 34, "align", True),
        ("unlikely", 34, "compare", True),
        ("likely", 300, "align", False),
    ],
)
def test_it_ends_with_what_to_do_next(diagnosis, tmp_path, verdict, pairs, command, asks):
    diagnosis["verdict"]["unmatched_data"] = verdict
    diagnosis["counts"]["pairs"] = pairs
    Diagnosis(diagnosis).save(tmp_path)
    end = Page((tmp_path / "diagnosis.html").read_text()).text.partition("What now")[2]
    assert f"gentle-clip {command} --x=X --y=Y --pairs=PAIRS" in end
    assert ("gentle-clip ask" in end) == asks
    last = Diagnosis(diagnosis).summary[-1]
    assert last.startswith("So: run gentle-clip align, which")
    assert ("more unmatched items" in last) == (verdict == "unlikely")


def test_it_says_what_to_do_before_any_aligner(diagnosis):
    def last(**changes):
        return Diagnosis({**diagnosis, **changes}).summary[-1]

    constant = {**diagnosis["verdict"], "constant": ["x"]}
    assert last(verdict=constant).startswith("So: encode the items again")
    assert "a dozen pairs" in last(counts={**diagnosis["counts"], "pairs": 0})
    for name, words in (("held_out_pairs", "no column is shifted"), ("pair_noise", "correct")):
        bad = {**diagnosis["findings"][2], "name": name}
        assert words in last(findings=[bad])
