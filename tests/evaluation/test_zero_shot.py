import numpy as np
import pytest

from gentle_clip_jax.evaluation import zero_shot_intervals, zero_shot_metrics


def test_accuracy_counts_the_nearest_class():
    classes = np.eye(3)
    image = np.array([[0.9, 0.1, 0.0], [0.2, 0.9, 0.1], [0.0, 0.9, 0.2], [0.0, 0.1, 0.9]])
    assert zero_shot_metrics(image, classes, [0, 1, 2, 2]) == {"zero_shot_accuracy": 0.75}


def test_a_collapsed_model_scores_nothing():
    assert zero_shot_metrics(np.ones((6, 4)), np.ones((3, 4)), [0, 0, 0, 1, 2, 2]) == {
        "zero_shot_accuracy": 0
    }


def test_intervals():
    rng = np.random.default_rng(0)
    labels = rng.integers(5, size=300)
    image = np.eye(5)[labels] + 0.5 * rng.normal(size=(300, 5))
    interval = zero_shot_intervals(image, np.eye(5), labels)["zero_shot_accuracy"]
    value = zero_shot_metrics(image, np.eye(5), labels)["zero_shot_accuracy"]
    assert interval["value"] == value
    half_width = 1.96 * (value * (1 - value) / 300) ** 0.5
    assert interval["high"] - interval["low"] == pytest.approx(2 * half_width, rel=0.15)


def test_a_label_without_a_class():
    with pytest.raises(ValueError, match="no row of their id"):
        zero_shot_metrics(np.eye(3), np.eye(3), [0, 1, 3])
