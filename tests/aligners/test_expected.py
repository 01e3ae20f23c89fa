"""The recall to expect of the fit to all pairs, from that of fits without the held-out ones."""

import numpy as np
import pytest

from gentle_clip_jax.aligners.expected import extrapolated_recall
from gentle_clip_jax.aligners.settings import Extrapolation
from gentle_clip_jax.evaluation.cross_validation import HeldOut


def held_out(fitted):
    hits = np.zeros((300, 2, 3))
    hits[:30], hits[30:60, :, 1:], hits[60:90, :, 2] = 1, 1, 1  # R@1 0.1, R@5 0.2, R@10 0.3
    names = ("cca", "gentle_transport", "joint")
    return HeldOut({}, dict.fromkeys(names, hits), fitted=fitted, gallery=1060, splits=10)


@pytest.mark.parametrize(
    ("method", "slope"), [("cca", Extrapolation.slope), ("gentle_transport", Extrapolation.planned)]
)
def test_more_pairs_find_more(method, slope):
    recall, same = (extrapolated_recall(held_out(fitted), method) for fitted in (240, 300))
    assert same["value"] == pytest.approx(same["held_out"])
    assert recall["held_out"] == pytest.approx(0.2)
    factor = (300 / 240) ** slope
    for top, held in (("1", 0.1), ("5", 0.2), ("10", 0.3)):
        odds = factor * held / (1 - held)
        assert recall["at"][top] == pytest.approx(odds / (1 + odds))
    assert recall["value"] == pytest.approx(np.mean([*recall["at"].values()]))
    assert recall["low"] < recall["value"] < recall["high"]
    assert recall["high"] - recall["low"] > same["high"] - same["low"]


def test_features_as_they_are_learn_nothing_from_pairs():
    recall = extrapolated_recall(held_out(150), "joint")
    assert recall["value"] == pytest.approx(recall["held_out"])
