"""The page of matches: the surest and some at random, by their sides' names."""

import re

import pytest
from page_examples import ITEMS, PAIRS, Items, matches, page_of

from gentle_clip_jax.matching import write

pytest.importorskip("pyarrow")


def test_the_surest_come_first_with_picture_and_text(tmp_path):
    found = matches()
    page = page_of(found)
    assert f"{ITEMS - PAIRS} of {ITEMS - PAIRS} items of photo with a partner in word" in page
    assert "Of 96 items of photo we expect" in page
    shown = [float(one) for one in re.findall("([0-9]+)\u202f% probable", page)]
    assert len(shown) == 24
    assert shown[:12] == sorted(shown[:12], reverse=True)
    assert shown[0] == round(100 * found.probability.max())
    assert page.count("data:image/jpeg;base64,") == 24
    assert "<x" not in page
    assert "text of &lt;y" in page
    assert "probability, per cent" in page
    assert page.count("<svg") == 1
    end = re.sub("<[^>]*>", "", page.partition("What now")[2])
    sides = "--x=&#39;my x.npz&#39; --y=y.npz --pairs=pairs.csv"
    assert f"gentle-clip review --aligner=aligner {sides}" in end
    write(found, tmp_path, Items("x").items, Items("y").items, page=page)
    assert (tmp_path / "matches.html").read_text() == page
    write(found, tmp_path, Items("x").items, Items("y").items)
    assert not (tmp_path / "matches.html").exists()


def test_without_probabilities_there_are_cosines():
    page = page_of(matches(num_pairs=30, share=1))
    assert "probable" not in page.partition("<main>")[2].partition("What now")[0]
    assert "<svg" not in page
    assert len(re.findall(r"cosine 0\.\d\d", page)) == 24


def test_one_to_one_shows_each_item_of_y_once_at_most():
    found = matches(share=None, one_to_one=True)
    page = page_of(found, pairs=None)
    surest = page.partition("<h2>The surest")[2].partition("<h2>Some at random")[0]
    shown = re.findall(r'dot y"></i>&lt;(y\d+)&gt;', surest)
    assert len({*shown}) == len(shown) == 12
    cosines = [float(one) for one in re.findall(r"cosine (-?0\.\d+)", surest)]
    assert cosines == sorted(cosines, reverse=True)
    assert "--pairs=PAIRS" in re.sub("<[^>]*>", "", page)
