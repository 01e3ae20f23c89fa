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


@pytest.fixture
def shown(monkeypatch):
    """The page of made-up rows: after 12 items a review finds more, class names are left out."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    module = importlib.import_module("page_minutes")

    def row(way, descriptions, screens, seed, r10):
        cell = {"way": way, "descriptions": descriptions, "screens": screens, "seed": seed}
        return {"field": "emoji", **cell, "pairs": descriptions, "r10": r10, "r1": 1.0}

    def default(pairs, seed, r10):
        return {"field": "emoji", "method": "auto", "pairs": pairs, "seed": seed, "r10": r10}

    own = [row("ask", 12, 0, seed, 10.0) for seed in range(3)]
    own += [row("ask", 30, 0, seed, 16.0 + seed) for seed in range(3)]
    own += [row("review", 12, 100, seed, 30.0) for seed in range(3)]
    others = [default(pairs, seed, pairs / 2) for pairs in (12, 30) for seed in range(4)]
    contents = {"minutes": {"rows": own}, "few_pairs": {"rows": others}}
    monkeypatch.setattr(module, "read", contents.get)
    return module


def test_a_review_goes_on_from_the_items_that_it_begins_with(shown):
    found = shown.curves("emoji")
    minutes = {way: [point.minutes() for point in points] for way, points in found.items()}
    assert minutes == {"random": [6, 15], "ask": [6, 15], "review": [6, 16]}
    assert found["review"][1].minutes(screen=15, description=10) == 27


def test_minutes_until_a_level_lie_on_the_line_between_two_points(shown):
    found = shown.curves("emoji")
    assert shown.reached(found["review"], 6, 30) == "11"  # half-way from 6 to 16 minutes
    assert shown.reached(found["review"], 3, 10) == "4"  # half-way from 2 to 7, 4.5 rounded
    assert shown.reached(found["random"], 6, 30) == "over 15"
    assert shown.reached(found["review"][1:], 6, 30) == "under 16"


def test_differences_are_of_the_same_seeds(shown):
    found = shown.curves("emoji")
    assert shown.gap_of(found, shown.ASK, shown.RANDOM) == [1, 2, 3]
    assert shown.gap_of(found, shown.REVIEW, shown.ASK) == [14, 13, 12]


def test_the_figure_leaves_out_what_takes_longer_and_intervals_of_two_draws(shown):
    drawing = importlib.import_module("minutes_figure")
    three, two = [10.0, 12.0, 14.0], [10.0, 12.0]
    curves = {"ask": [(6, three), (15, two), (500, three)], "names": [(0, [5.0])]}
    svg = drawing.figure({"Emoji": curves}, {"ask": "by ask", "names": "names"})
    panel = svg[svg.index(">Emoji<") :]
    assert panel.count("<circle") == 2
    assert panel.count(drawing.DIAMOND) == 1
    bars = [line for line in panel.splitlines() if "V" in line]
    assert len(bars) == 1
    line = next(line for line in panel.splitlines() if 'class="c"' in line)
    assert line.count("L") == 1
