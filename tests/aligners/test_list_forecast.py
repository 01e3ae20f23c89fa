"""Forecast of lists at a chosen error, beside the lists that `match` gives."""

import jax
import numpy as np
import pytest

import gentle_clip_jax as gc
from gentle_clip_jax.aligners import METHODS
from gentle_clip_jax.aligners.fair_pairs import Fair
from gentle_clip_jax.aligners.list_forecast import ListForecast, list_forecast
from gentle_clip_jax.aligners.refits import held_out_pairs
from gentle_clip_jax.aligners.sentences import of_list, sentences
from gentle_clip_jax.evaluation.listed import listed
from gentle_clip_jax.matching import match_arrays

PAIRS, ITEMS = 200, 800


def fair_of(drawn: int, chosen: int = 0, missed: int = 0, known: bool = True) -> Fair:
    rows = np.repeat([True, False], [drawn, chosen])
    later, of_missed = np.zeros(drawn + chosen, int), np.zeros(missed, int)
    return Fair(rows, ~rows, later, of_missed, drawn if known else 0)


def evidence_and_list(noise: float, error: float):
    """Evidence of pairs of a synthetic set, and the list of `match` at an error."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(ITEMS, 12))
    x, y = (
        (truth @ rng.normal(size=(12, 16)) + noise * rng.normal(size=(ITEMS, 16))).astype("f4")
        for _ in range(2)
    )
    problem = gc.Problem(x[:PAIRS], y[:PAIRS], x[PAIRS:], y[PAIRS:])
    fitted = METHODS["cca"].fit(problem)
    unmatched = np.arange(PAIRS, ITEMS)
    evidence = held_out_pairs(fitted, problem, jax.random.key(0))
    known = np.stack([np.arange(PAIRS)] * 2, axis=1)
    found = match_arrays(
        fitted,
        x,
        y,
        pairs=known,
        share=1.0,
        with_outcomes=True,
        held_out=evidence.numbered(unmatched, unmatched),
    )
    return evidence, listed(found.outcomes, 1.0, error)


AMONG = ITEMS - PAIRS, ITEMS - PAIRS


@pytest.mark.parametrize(("noise", "error"), [(0.8, 0.1), (1.3, 0.5)])
def test_the_forecast_is_about_as_long_as_the_list_of_match(noise, error):
    evidence, found = evidence_and_list(noise, error)
    forecast = list_forecast(evidence, fair_of(PAIRS), AMONG)
    assert forecast.error == error
    assert forecast.lacking == 0
    assert len(found.rows) > 50
    assert forecast.length == pytest.approx(len(found.rows), rel=0.35)


def test_where_most_are_wrong_there_is_no_list_and_no_number_of_screens():
    evidence, found = evidence_and_list(8.0, 0.5)
    assert len(found.rows) == 0
    assert list_forecast(evidence, fair_of(PAIRS), AMONG) == ListForecast(None, 0, 0)


def test_random_pairs_that_are_missing_are_counted():
    evidence, _ = evidence_and_list(0.8, 0.1)
    assert list_forecast(evidence, fair_of(20, PAIRS - 20), AMONG) == ListForecast(None, 0, 40)
    assert list_forecast(None, fair_of(12, known=False), AMONG) == ListForecast(None, 0, 48)
    assert list_forecast(None, fair_of(12, missed=8), AMONG) == ListForecast(None, 0, 40)
    assert list_forecast(None, fair_of(12), (0, 30)) is None
    assert list_forecast(None, fair_of(80), AMONG) is None  # a method that is not refitted


def test_items_without_a_partner_found_count_as_wrong():
    evidence, _ = evidence_and_list(0.8, 0.1)
    every = list_forecast(evidence, fair_of(PAIRS), AMONG)
    fewer = list_forecast(evidence, fair_of(PAIRS, missed=30), AMONG)
    assert fewer.error > every.error


def test_pairs_that_differ_from_the_items_to_match_allow_no_list():
    evidence, _ = evidence_and_list(0.8, 0.1)
    # Each of them is first among the unmatched items, and behind all others of its fold.
    first = evidence.to_y._replace(above=np.zeros(PAIRS, int), ties=np.zeros(PAIRS, int))
    others = (evidence.fold[:, None] == evidence.fold) & ~np.eye(PAIRS, dtype=bool)
    rivals = np.stack([np.packbits(others, axis=1)] * 2)
    easy = evidence._replace(to_y=first, rivals=rivals)
    assert easy.pair_bias > 3
    assert list_forecast(easy, fair_of(PAIRS, known=False), AMONG) == ListForecast(None, 0, 60)
    assert list_forecast(easy, fair_of(PAIRS), AMONG).error == 0.1  # known to be drawn at random


def test_the_sentences():
    assert of_list(0.1, 1234, 0) == (
        "match --fdr=0.1 should list about 1,234 matches, of which at most 10 % are wrong, if "
        "every item has a partner."
    )
    assert of_list(None, 0, 20) == (
        "match cannot list matches at a chosen error yet. Answer 20 screens that review shows at "
        "random, one in five: about 10 minutes of review."
    )
    assert "too many of the surest held-out ones are wrong" in of_list(None, 0, 0)


def test_align_says_it_unless_partners_rank_as_by_chance():
    recall = {"value": 0.3, "low": 0.2, "high": 0.4, "at": {"1": 0.1, "10": 0.4}}
    expected = {"recall": recall, "among": 900, "splits": 10, "chance": 0.01, "unmatched": None}
    forecast = {"error": None, "length": 0, "lacking": 30}
    metadata = {
        "method": "cca",
        "fitted_on": {"pairs": 30},
        "to_match": {"among": [900, 900], "first": None, "list": forecast},
        "modalities": ["x", "y"],
    }
    said = sentences({**metadata, "expected": expected})
    assert of_list(**forecast) in said
    said = sentences({**metadata, "expected": {**expected, "above_chance": "not yet"}})
    assert of_list(**forecast) not in said
