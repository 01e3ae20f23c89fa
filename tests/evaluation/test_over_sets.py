"""Means over sets: of figures, and of intervals as of independent sets."""

import pytest

from gentle_clip_jax.evaluation import by_set, mean_intervals, means


def test_a_metric_is_averaged_over_the_sets_that_have_it():
    sets = {"a": {"recall": 0.2, "accuracy": 0.9}, "b": {"recall": 0.6}}
    assert means(sets) == pytest.approx({"recall": 0.4, "accuracy": 0.9})
    assert by_set(sets) == {"a/recall": 0.2, "a/accuracy": 0.9, "b/recall": 0.6}


def test_half_widths_add_up_as_deviations_do():
    sets = {
        "a": {"recall": {"value": 0.5, "low": 0.2, "high": 0.6}},
        "b": {"recall": {"value": 0.7, "low": 0.3, "high": 0.7}},
    }
    found = mean_intervals(sets)["recall"]
    assert found == pytest.approx({"value": 0.6, "low": 0.6 - 0.5 / 2, "high": 0.6 + 0.1 / 2})
