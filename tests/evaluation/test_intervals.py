import numpy as np
import pytest

from gentle_clip_jax.evaluation import bootstrap_intervals, intervals, retrieval


def mean_of(score):
    return lambda counts: {"mean": counts @ score / counts.sum(-1)}


def test_interval_of_a_mean_is_the_normal_one():
    score = np.random.default_rng(0).normal(size=900)
    interval = bootstrap_intervals(mean_of(score), 900, num_resamples=4000)["mean"]
    half_width = 1.96 * score.std() / 30
    assert interval["value"] == pytest.approx(score.mean())
    assert interval["low"] == pytest.approx(score.mean() - half_width, abs=0.1 * half_width)
    assert interval["high"] == pytest.approx(score.mean() + half_width, abs=0.1 * half_width)


def test_intervals_cover_the_truth():
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        interval = bootstrap_intervals(
            mean_of(rng.random(60) < 0.4), 60, num_resamples=300, seed=seed
        )
        covered += interval["mean"]["low"] <= 0.4 <= interval["mean"]["high"]
    assert 0.89 < covered / 200 < 0.99


def test_metrics_share_their_drawings():
    score = np.random.default_rng(0).normal(size=50)

    def opposite(counts):
        mean = counts @ score / counts.sum(-1)
        return {"plus": mean, "minus": -mean, "sum": mean - mean}

    intervals = bootstrap_intervals(opposite, 50)
    assert intervals["sum"] == {"value": 0, "low": 0, "high": 0}
    assert intervals["plus"]["low"] == pytest.approx(-intervals["minus"]["high"])


def test_passes_do_not_change_the_result(monkeypatch):
    score = np.random.default_rng(0).normal(size=20)
    whole = bootstrap_intervals(mean_of(score), 20, num_resamples=101)
    monkeypatch.setattr(intervals, "_COUNTS_PER_PASS", 7 * 20)
    split = bootstrap_intervals(mean_of(score), 20, num_resamples=101)
    assert split["mean"] == pytest.approx(whole["mean"])


def test_a_higher_confidence_is_a_wider_interval():
    score = np.random.default_rng(0).normal(size=100)
    wide = bootstrap_intervals(mean_of(score), 100, confidence=0.99)["mean"]
    narrow = bootstrap_intervals(mean_of(score), 100, confidence=0.5)["mean"]
    assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]


def test_no_items():
    with pytest.raises(ValueError, match="at least one item"):
        bootstrap_intervals(mean_of(np.zeros(0)), 0)


def test_weighted_median_is_the_median_of_the_drawn_items():
    rng = np.random.default_rng(0)
    values = rng.integers(1, 30, size=41)
    counts = rng.multinomial(40, np.full(41, 1 / 41), size=50)
    expected = [np.median(np.repeat(values, count)) for count in counts]
    np.testing.assert_array_equal(retrieval._median(values, counts), expected)


def test_a_share_is_moved_in_log_odds_and_its_interval_is_widened():
    figure = {"value": 0.2, "low": 0.1, "high": 0.4}
    moved = intervals.move_interval(figure, shift=np.log(2.0), spread=0.0, level=0.95)
    assert moved == pytest.approx({"value": 1 / 3, "low": 2 / 11, "high": 4 / 7})
    wider = intervals.move_interval(figure, shift=np.log(2.0), spread=0.5, level=0.95)
    assert wider["value"] == moved["value"]
    for end, sign in (("low", -1), ("high", 1)):
        apart, wide = (
            sign * (np.log(of[end] / (1 - of[end])) - np.log(0.5)) for of in (moved, wider)
        )
        assert wide == pytest.approx(np.hypot(apart, 1.96 * 0.5), rel=1e-3)
    for share in (0.0, 1.0):  # ends that nothing exceeds stay
        sure = {"value": share, "low": 0.0, "high": 1.0}
        assert intervals.move_interval(sure, shift=1.0, spread=1.0, level=0.95) == sure
