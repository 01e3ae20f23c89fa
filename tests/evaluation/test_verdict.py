"""What may be said of a few held-out pairs: seldom too much, and a large gain is seen."""

import numpy as np
import pytest

from gentle_clip_jax.evaluation import verdict
from gentle_clip_jax.evaluation.intervals import mean_interval

SPLITS = 4  # that a pair is held out in


def recalls(rng, n, chance):
    """[n] mean of R@1, 5 and 10, both ways, over the splits; pairs are more or less easy."""
    easy = rng.normal(size=(n, 1, 1)) * 1.5
    rank = np.exp(rng.normal(size=(n, SPLITS, 2)) * 0.7 + easy + chance)
    return np.mean([rank <= top for top in (1, 5, 10)], axis=(0, 2, 3))


def share_of_claims(n, ours, theirs, sets=400):
    rng, claims = np.random.default_rng(0), []
    for _ in range(sets):
        a, b = recalls(rng, n, ours), recalls(rng, n, theirs)
        claims.append(verdict.gain(a, b, fitted=n - -(-n // 5))["verdict"] in ("helped", "hurt"))
    return np.mean(claims)


@pytest.mark.parametrize("level", [0.5, 1.5, 3.0])
def test_of_twelve_pairs_little_is_claimed_of_equal_methods(level):
    assert share_of_claims(12, level, level) <= 0.05


def test_a_large_gain_is_seen_with_a_hundred_pairs():
    rng = np.random.default_rng(1)
    gap = np.mean(recalls(rng, 20_000, 1.6) - recalls(rng, 20_000, 2.75))
    assert gap == pytest.approx(0.2, abs=0.02)
    assert share_of_claims(100, 1.6, 2.75, sets=100) >= 0.8


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_equal_values_of_a_few_pairs_are_not_certain(value):
    found = mean_interval(np.full(6, value), fitted=5, level=0.95, bounds=(0, 1))
    assert found["value"] == value
    assert found["low"] <= value <= found["high"]
    assert found["high"] - found["low"] > 0.3


def test_the_other_verdicts():
    rng = np.random.default_rng(0)
    theirs = rng.uniform(size=200)
    assert verdict.gain(theirs - 0.3, theirs, fitted=160)["verdict"] == "hurt"
    alike = verdict.gain(theirs + rng.normal(size=200) * 0.01, theirs, fitted=160)
    assert (alike["verdict"], alike["pairs_needed"]) == ("alike", None)
    early = verdict.gain(theirs[:20] + rng.normal(size=20) * 0.2 + 0.1, theirs[:20], fitted=16)
    assert early["verdict"] == "too early"
    assert 20 < early["pairs_needed"] < 400


def random_log_ranks(rng, n, among):
    """[n] mean logarithms of ranks by chance, over the splits and both directions."""
    return np.log(rng.integers(1, among + 1, size=(n, SPLITS, 2))).mean(axis=(1, 2))


@pytest.mark.parametrize(("n", "told"), [(12, "too early"), (30, "not yet"), (100, "no")])
def test_ranks_by_chance_are_hardly_ever_called_better(n, told):
    rng = np.random.default_rng(0)
    answers = [verdict.above_chance(random_log_ranks(rng, n, 50), among=50) for _ in range(300)]
    assert {*answers} <= {told, "yes"}
    assert answers.count("yes") <= 3


def test_weak_ranks_of_many_pairs_are_above_chance():
    ranks = random_log_ranks(np.random.default_rng(0), 300, 500) - 0.3  # a quarter nearer
    assert verdict.above_chance(ranks, among=500) == "yes"
    assert verdict.above_chance(ranks[:30], among=500) == "not yet"
