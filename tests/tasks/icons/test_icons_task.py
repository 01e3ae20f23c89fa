"""Which items a figure is of: validation items choose checkpoints, test items are told."""

import dataclasses

import numpy as np
import pytest
import tiny_run

from gentle_clip_jax.data.batches import Pairs
from gentle_clip_jax.tasks.icons import task

WORDS = tiny_run.WORDS


def items(words: list[int], pictures: list[int]) -> Pairs:
    """Items named by some words, whose glyphs show what others say."""
    names = np.array(WORDS)[words]
    glyphs = np.uint8(pictures)[:, None, None] * np.ones((1, 4, 4), np.uint8)
    return Pairs(glyphs, tiny_run.encode(names), names)


@pytest.fixture
def seeing(monkeypatch):
    """Towers that read a glyph's number, and its words as they are."""

    def embed(model, params, rows, modality):
        if modality == "x":
            numbers = np.asarray(rows)[:, 0, 0].astype(int)
            rows = tiny_run.encode([WORDS[number] for number in numbers])
        one_hot = np.eye(len(tiny_run.VOCABULARY), dtype=np.float32)[np.asarray(rows)]
        return one_hot[:, 0] + 0.5 * one_hot[:, 1]

    monkeypatch.setattr(task, "embed", embed)


@pytest.mark.usefixtures("seeing")
@pytest.mark.parametrize("swapped", [False, True])
def test_validation_items_decide_and_test_items_are_told(swapped):
    every = [0, 9, 18, 27, 4, 13]
    right, wrong = items(every, every), items(every, [every[k - 1] for k in range(6)])
    validation, test = (wrong, right) if swapped else (right, wrong)
    dataset = dataclasses.replace(tiny_run.dataset(), validation=validation, test=test)
    found = {
        "validation": task.validate(None, None, dataset),
        "test": {k: v["value"] for k, v in task.evaluate(None, None, dataset).items()},
    }
    good, bad = ("test", "validation") if swapped else ("validation", "test")
    assert found[good]["i2t_r1"] == found[good]["t2i_r1"] == found[good]["zero_shot_accuracy"] == 1
    assert found[bad]["i2t_r1"] == found[bad]["t2i_r1"] == 0
    assert found[bad]["zero_shot_accuracy"] == 0
