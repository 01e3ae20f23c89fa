"""benchmarks/minutes.py: what a person's minutes bring."""

import functools
import importlib
import json
import pathlib
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture
def minutes(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    module = importlib.import_module("minutes")
    monkeypatch.setattr(module, "ENCODED", {})
    monkeypatch.setattr(module, "ASKED", (12, 15))
    monkeypatch.setattr(module, "SCREENS", (3, 6))
    return module


def field_of(minutes, count=140, width=5):
    """Items of which x and y are one another's features, in another order."""
    rows = np.random.default_rng(0).normal(size=(count, width)).astype(np.float32)
    ids = np.array([f"item {number}" for number in range(count)])
    return minutes.protocol.Field(rows, rows[:, ::-1] + 1, ids, "made up", ("a", "b"), "none")


def items_of(minutes, field):
    return minutes.train_items(field, minutes.protocol.split(field).train, 0)


def test_partners_are_shuffled_apart_and_have_equal_ids(minutes):
    field = field_of(minutes)
    x, y = items_of(minutes, field)
    assert sorted(x.ids) == sorted(y.ids)
    assert np.mean(x.ids == y.ids) < 0.1
    partners = y.features[y.numbers_of(x.ids)]
    np.testing.assert_array_equal(partners, x.features[:, ::-1] + 1)


class Screens:
    """A session of one screen."""

    def __init__(self, items, shown):
        self.y, self.standing, self.shown, self.answers = items.y, self, shown, []
        self.of_x = {id_: number for number, id_ in enumerate(items.x.items.tolist())}

    def question(self):
        question = importlib.import_module("gentle_clip_jax.reviewing.queue").Question
        return question(7, 0, self.shown, "chance")

    def answer(self, *given):
        self.answers.append(given)


def test_the_person_clicks_the_partner_if_it_is_shown(minutes):
    items = items_of(minutes, field_of(minutes))
    partner = items.x.items.tolist().index(items.y.items[0])
    with_it, without = Screens(items, (partner + 1, partner)), Screens(items, (partner + 1,))
    for session in (with_it, without):
        minutes.answer(session)
    assert with_it.answers == [(7, "match", partner)]
    assert without.answers == [(7, "none")]


@pytest.fixture
def measuring(minutes, monkeypatch, tmp_path):
    """A run of the script on made-up items; the aligners fitted are counted."""
    fitted, module = [], type(sys)("emoji")
    module.load = lambda data, cache: field_of(minutes)
    monkeypatch.setattr(minutes, "discover", lambda folder, names: {"emoji": module})
    monkeypatch.setattr(minutes, "align", functools.partial(minutes.align, method="cca"))
    whole = minutes.aligned

    def aligned(items, known, seed):
        fitted.append(len(known))
        return whole(items, known, seed)

    monkeypatch.setattr(minutes, "aligned", aligned)

    def run():
        fitted.clear()
        options = [f"--{name}={tmp_path / name}" for name in ("data", "cache", "out")]
        more = ["--fields", "emoji", "--seeds", "0"]
        monkeypatch.setattr(sys, "argv", ["minutes.py", *options, *more])
        minutes.main()
        return [*fitted], (tmp_path / "cache" / "minutes.jsonl")

    return run


@pytest.mark.slow
def test_a_stopped_run_goes_on_and_later_screens_have_more_pairs(measuring, minutes, tmp_path):
    fitted, file = measuring()
    lines = file.read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    found = [(row["way"], row["descriptions"], row["screens"]) for row in rows]
    assert found == [("ask", 12, 0), ("ask", 15, 0), ("review", 12, 3), ("review", 12, 6)]
    assert [row["pairs"] for row in rows[:2]] == [12, 15]
    assert 12 <= rows[2]["pairs"] <= 15
    assert rows[2]["pairs"] <= rows[3]["pairs"] <= 18
    assert len(fitted) == 5  # the review begins with an aligner of its own
    assert measuring()[0] == []
    file.write_text("\n".join([*lines[:3], lines[3][:20]]))
    measuring()
    again = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["recall"] for row in again] == [row["recall"] for row in rows]
    published = importlib.import_module("published").read("minutes", tmp_path / "out")
    assert [row["pairs"] for row in published["rows"]] == [row["pairs"] for row in rows]
