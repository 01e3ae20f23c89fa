"""A review without an aligner and without pairs: the first three are found by words."""

import json

import numpy as np
import pytest
from starlette.testclient import TestClient

import gentle_clip_jax as gc
from gentle_clip_jax.commands.main import main
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.reviewing.first_pairs import FirstPairs
from gentle_clip_jax.reviewing.opening import open_review
from gentle_clip_jax.reviewing.server import application
from gentle_clip_jax.reviewing.session import Session

MANY = 240


@pytest.fixture(scope="module")
def sides():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(MANY, 6))
    x, y = (truth @ rng.normal(size=(6, 12)) for _ in "xy")
    texts = np.array([f"thing number {i}" for i in range(MANY)], object)
    ids = [np.array([f"{side}{i}" for i in range(MANY)]) for side in "xy"]
    noise = rng.normal(size=x.shape)
    return (
        Collection((x + 0.1 * noise).astype(np.float32), ids[0]),
        Collection(y.astype(np.float32), ids[1], texts=texts),
    )


def partner(screen: gc.reviewing.Screen) -> str | None:
    """The right answer: that of the same number, if it can be chosen here."""
    right = f"{'y' if screen.asked == 'x' else 'x'}{screen.query[1:]}"
    return right if screen.asked == "x" or right in screen.candidates else None


def player(count: int, seen: list):
    def answers(screen):
        if len(seen) == count:
            raise StopIteration
        seen.append(screen)
        return partner(screen)

    return answers


@pytest.mark.parametrize("before", [None, "", "x,y\n"])
def test_it_begins_with_three_pairs_and_goes_on_with_fits(before, sides, tmp_path):
    file, seen = tmp_path / "pairs.csv", []
    if before is not None:
        file.write_text(before)
    found = gc.review(None, *sides, file, answers=player(43, seen))
    assert [screen.asked for screen in seen] == ["x"] * 3 + ["y"] * 40
    assert [len(screen.cosines) for screen in seen[:4]] == [0, 0, 0, 48]
    assert len(found.pairs) > 20
    assert all(x[1:] == y[1:] for x, y in found.pairs)
    assert [line.split(",") for line in file.read_text().split()] == [
        ["x", "y"],
        *map(list, found.pairs),
    ]
    lines = map(json.loads, (tmp_path / "pairs.csv.review" / "log.jsonl").read_text().splitlines())
    sources = [line["source"] for line in lines if "source" in line]
    assert sources[:3] == ["asked"] * 3
    assert {*sources[3:]} == {"reviewed", "random"}
    assert "random screens" in " ".join(found.summary)


def test_the_first_items_are_those_that_ask_names(sides, tmp_path):
    seen = []
    gc.review(None, *sides, tmp_path / "pairs.csv", answers=player(3, seen))
    assert [screen.query for screen in seen] == gc.ask(sides[0], num=120).ids[:3]


def test_a_review_that_was_stopped_asks_the_same(sides, tmp_path):
    whole, parts = [], []
    gc.review(None, *sides, tmp_path / "whole.csv", answers=player(36, whole))
    for count in (2, 3, 20, 36):
        gc.review(None, *sides, tmp_path / "parts.csv", answers=player(count, parts))
    assert [(s.number, s.query, s.candidates) for s in parts] == [
        (s.number, s.query, s.candidates) for s in whole
    ]


def test_without_texts_in_y_it_asks_about_y(sides, tmp_path):
    seen = []
    gc.review(
        None, *sides[::-1], tmp_path / "pairs.csv", answers=lambda s: seen.append(s) or stop()
    )
    assert [screen.asked for screen in seen] == ["y"]


def stop():
    raise StopIteration


def test_none_and_undo_and_a_partner_taken_twice(sides, tmp_path):
    with open_review(None, *sides, tmp_path / "pairs.csv") as review:
        first = review.show.session
        assert isinstance(first, FirstPairs)
        question = first.question()
        for kind in ("match", "near"):  # without a partner, and of another kind of screen
            with pytest.raises(ValueError, match="An answer is a partner"):
                first.answer(question.screen, kind)
        first.answer(question.screen, "none")
        second = first.question()
        assert second.y != question.y
        first.answer(second.screen, "match", second.y)
        with pytest.raises(ValueError, match="already has a partner"):
            first.answer(first.question().screen, "match", second.y)
        first.undo()
        first.undo()
        assert first.question().y == question.y
        assert review.advance() is None
    assert (tmp_path / "pairs.csv").read_text() == "x,y\n"
    assert not (tmp_path / "pairs.csv.review" / "not_pairs.csv").exists()


def test_the_page_finds_by_words_and_then_ranks(sides, tmp_path):
    with open_review(None, *sides, tmp_path / "pairs.csv") as review:
        app = application(review.show, review.progress, token="t", advance=review.advance)
        with TestClient(app, base_url="http://127.0.0.1:1") as client:
            client.get("/", params={"token": "t"})
            for page in ("/", "/map", "/progress", "/search?words=number+7", "/search?like=y-1"):
                assert client.get(page).status_code in (200, 400)
            for count in range(3):
                state = client.get("/state").json()
                asked = state["question"]
                assert asked["first"]
                assert state["ask"].startswith("Which text belongs to this item? Find it by words")
                number = asked["item"]["name"][1:]
                more = client.get("/find", params={"words": "", "start": 48}).json()["choices"]
                assert more[0]["number"] >= 48
                words = {"words": f"number {number}", "start": 0}
                found = client.get("/find", params=words).json()["choices"]
                assert f"thing number {number}" in [one["texts"][0] for one in found]
                body = {"screen": asked["screen"], "kind": "match", "x": int(number)}
                headers = {"Origin": "http://127.0.0.1:1"}
                state = client.post("/answer", json=body, headers=headers).json()
                assert state["counts"]["match"] == count + 1
            assert not state["question"]["first"]
            assert state["ask"] == "Which item belongs to this text?"
            assert client.get("/map").status_code == 200
        session = review.show.session
        assert isinstance(session, Session)
        assert session.undo(1).asked == "x"
        assert session.question().asked == "y"


def test_the_command_names_the_next_one_and_saves_an_aligner(sides, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, rows in zip("xy", sides):
        rows.save(name)
    monkeypatch.setattr("gentle_clip_jax.reviewing.server.serve", played)
    command = ["review", "--x=x", "--y=y", "--pairs=pairs.csv"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert said.startswith("20 answers are stored, and pairs.csv holds ")
    assert "run the same command again to continue." in said.splitlines()[0]
    assert said.endswith("Next: gentle-clip align --x=x --y=y --pairs=pairs.csv --out=aligner\n")
    assert main([*command, "--save-aligner=aligner"]) == 0
    data = "--x=x --y=y --pairs=pairs.csv"
    then = f"Next: gentle-clip match --aligner=aligner {data} --out=matches\n"
    assert capsys.readouterr().out.endswith(then)
    assert len(gc.load("aligner").pairs) >= 12


def played(show, progress, port, tell, advance) -> None:
    """Answer twenty screens in the place of a person on the page."""
    for _ in range(20):
        session = show.session
        question = session.question()
        kind = "match" if question.asked == "x" or question.y in question.x else "none"
        session.answer(question.screen, kind, question.y if kind == "match" else None)
        show = advance() or show
