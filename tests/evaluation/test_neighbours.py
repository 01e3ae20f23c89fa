"""FOSCTTM and label transfer, beside the same written out pair by pair."""

import numpy as np
import pytest

from gentle_clip_jax.evaluation import foscttm, label_transfer, neighbours

RNG = np.random.default_rng(0)


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


@pytest.mark.parametrize("block", [2**24, 30])
def test_the_fraction_is_as_counted(block, monkeypatch):
    monkeypatch.setattr(neighbours, "_SCORES", block)
    x = RNG.normal(size=(12, 4))
    y = x + RNG.normal(size=(12, 4))
    expected = [
        (
            sum(cosine(x[i], y[j]) > cosine(x[i], y[i]) for j in range(12))
            + sum(cosine(x[j], y[i]) > cosine(x[i], y[i]) for j in range(12))
        )
        / 22
        for i in range(12)
    ]
    np.testing.assert_allclose(foscttm(x, y), expected)
    np.testing.assert_allclose(foscttm(y, x), expected)
    np.testing.assert_allclose(foscttm(10 * x, y), expected)


def test_the_ends_of_the_fraction():
    x = RNG.normal(size=(400, 8))
    assert foscttm(x, x).mean() == 0
    assert foscttm(x, RNG.normal(size=x.shape)).mean() == pytest.approx(0.5, abs=0.05)
    assert foscttm(np.ones((5, 3)), np.ones((5, 3))).tolist() == [0.5] * 5
    assert foscttm(np.eye(2), np.eye(2)[::-1]).tolist() == [1, 1]


@pytest.mark.parametrize("block", [2**24, 30])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_labels_are_voted_for(k, block, monkeypatch):
    monkeypatch.setattr(neighbours, "_SCORES", block)
    x, y = RNG.normal(size=(20, 3)), RNG.normal(size=(15, 3))
    labels_x, labels_y = RNG.choice([*"abc"], 20), RNG.choice([*"abc"], 15)
    for one, label, found in zip(
        y, labels_y, label_transfer(x, y, labels_x, labels_y, neighbours=k)
    ):
        order = sorted(range(20), key=lambda j: -cosine(one, x[j]))[:k]
        voted = [labels_x[j] for j in order]
        winner = max(voted, key=lambda one: (voted.count(one), -voted.index(one)))
        assert found == (winner == label)


def test_well_apart_labels_carry_over():
    centres = np.eye(3)
    labels = np.repeat([0, 1, 2], 20)
    x, y = (centres[labels] + 0.05 * RNG.normal(size=(60, 3)) for _ in range(2))
    assert label_transfer(x, y, labels, labels).mean() == 1
    assert label_transfer(x, y, labels, np.roll(labels, 20)).mean() == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: foscttm(np.ones((1, 2)), np.ones((1, 2))), "two items or more"),
        (lambda: foscttm(np.ones((3, 2)), np.ones((2, 2))), "row by row"),
        (lambda: foscttm(np.full((3, 2), np.nan), np.ones((3, 2))), "x must be finite"),
        (lambda: label_transfer(np.ones((3, 2)), np.ones((2, 2)), [1, 2], [1, 2]), "one for each"),
    ],
)
def test_what_cannot_be_measured(call, words):
    with pytest.raises(ValueError, match=words):
        call()
