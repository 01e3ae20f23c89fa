"""Exact search equals comparing everything."""

from typing import Any

import numpy as np
import pytest

from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.searching import exact, nearest
from gentle_clip_jax.searching.hits import Hits
from gentle_clip_jax.searching.index import open_index, write_index
from gentle_clip_jax.searching.search import Hit, Searcher


@pytest.mark.parametrize("block", [64, 700, 65536])
def test_it_equals_brute_force(monkeypatch, block):
    monkeypatch.setattr(exact, "_BLOCK", block)
    rng = np.random.default_rng(0)
    rows = rng.integers(-3, 4, size=(2010, 8)).astype(np.float32)  # many equal cosines
    scores = rows[:10] @ rows[10:].T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :20]
    found, cosines = nearest(rows[:10], rows[10:], 20)
    np.testing.assert_array_equal(found, order)
    np.testing.assert_array_equal(cosines, np.take_along_axis(scores, order, axis=1))


def test_a_small_gallery_is_ranked_whole():
    found, _ = nearest(np.eye(3), np.eye(3), 20)
    assert found.shape == (3, 3)
    assert found[:, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("num", [0, -1, 2.5, "two"])
def test_a_number_of_results_below_1_is_one_sentence(num, tmp_path):
    message = f"^num is {num!r}: give the number of results, 1 or more[.]$"
    write_index(tmp_path, "exact", {}, [np.eye(3, dtype=np.float32)], None, num_rows=3)
    index = open_index(tmp_path, {})
    opened: Any = None  # the number is checked first
    searcher = Searcher(opened, Collection(np.eye(3), np.array(["a", "b", "c"])), "x")
    for rank in (
        lambda: nearest(np.eye(3), np.eye(3), num),
        lambda: index.nearest(np.eye(3)[:1], num),
        lambda: searcher.words("a boat", num),
        lambda: searcher.like("a", num),
    ):
        with pytest.raises(ValueError, match=message):
            rank()


def test_long_ids_and_queries_are_cut_where_results_are_shown():
    hits = Hits([Hit("i" * 70, "", 0.5, "")] * 6, "q" * 120)
    first = ", ".join(["i" * 60 + " 0.500"] * 5)
    assert repr(hits) == f"Hits(6 for {'q' * 100!r}: {first}, ...)"
