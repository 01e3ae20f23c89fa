"""Origins of pairs on their way from `ask` and a review to the matches."""

import collections
import csv

import numpy as np
import pytest

import gentle_clip_jax as gc

NUMBER, ASKED, SCREENS = 220, 70, 20


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Items of both modalities, and a sheet of `ask` with the partners of 70."""
    folder, rng = tmp_path_factory.mktemp("made"), np.random.default_rng(0)
    hidden = rng.normal(size=(NUMBER, 6))
    sides = []
    for name, width in (("x", 12), ("y", 10)):
        rows = hidden @ rng.normal(size=(6, width)) + 0.3 * rng.normal(size=(NUMBER, width))
        ids = np.array([f"{name}{i}" for i in range(NUMBER)])
        np.savez(folder / f"{name}.npz", features=rows.astype(np.float32), ids=ids)
        sides.append(gc.read(folder / f"{name}.npz"))
    sheet = gc.ask(sides[0], ASKED)
    sheet.save(folder / "ask")
    path = folder / "ask" / "ask.csv"
    path.write_text(path.read_text().replace(",,", ",y,"))
    lines = [line.split(",") for line in path.read_text().splitlines()[1:]]
    rows = "".join(f"{x},y{x[1:]},{origin}\n" for x, _, origin in lines)
    path.write_text(f"x,y,origin\n{rows}")
    return *sides, path


def answers(screen):
    if screen.number > SCREENS:
        raise StopIteration
    partner = f"x{screen.query[1:]}"
    return partner if partner in screen.candidates else None


@pytest.fixture(scope="module")
def aligner(made):
    x, y, path = made
    return gc.align(x, y, path, method="cca")


@pytest.fixture(scope="module")
def reviewed(made, aligner, tmp_path_factory):
    """A review of a copy of the sheet."""
    x, y, path = made
    copy = tmp_path_factory.mktemp("reviewed") / "pairs.csv"
    copy.write_bytes(path.read_bytes())
    return gc.review(aligner, x, y, copy, answers=answers)


def origins(aligner):
    return aligner.metadata["origins"]


def counts(aligner):
    return collections.Counter(word for *_, word in origins(aligner))


def test_ask_tells_the_aligner_and_the_matches(made, aligner):
    x, y, path = made
    assert counts(aligner) == {"random": ASKED // 10, "asked": ASKED - ASKED // 10}
    for pairs in (None, path):
        found = gc.match(aligner, x, y, pairs, share=1, fdr=0.5)
        assert "Only 7 of the 70 pairs are a random sample of the items to match" in found.summary
        assert (
            "No list at a chosen error: only 7 of the 70 pairs are a random sample" in found.summary
        )
        assert found.accepted().rows == []
        assert not np.isnan(found.matches.probability).any()
    without = gc.match(aligner, x, y, [(a, b) for a, b, *_ in lines_of(path)], share=1)
    assert "random sample" not in without.summary  # nobody knows where these come from


def test_the_table_of_matches_keeps_the_origins(made, aligner, tmp_path):
    x, y, path = made
    found = gc.match(aligner, x, y, path, share=1)
    found.save(tmp_path, accept=0.9)
    added = sum(decision == "probable" for *_, decision in found.accepted(0.9).rows)
    assert added > 10
    again = gc.align(x, y, tmp_path / "accepted.csv", method="cca")
    assert counts(again) == counts(aligner) | {"probable": added}
    of_nobody = [(a, b) for a, b, *_ in lines_of(path)]
    rows = gc.match(aligner, x, y, of_nobody).accepted().rows
    assert {decision for *_, decision in rows} == {"given"}


def lines_of(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))[1:]


def test_a_review_adds_the_origins_of_its_screens(made, aligner, reviewed):
    x, y, _ = made
    table = lines_of(reviewed.path.with_name("pairs.csv.review") / "origins.csv")
    words = {"random": "random", "chance": "reviewed"}
    expected = [
        [answer.x or "", answer.y, words[answer.sampling]]
        for answer in reviewed.answers
        if answer.kind == "match" or answer.sampling == "random"
    ]
    assert table == expected
    fitted = gc.align(x, y, reviewed.path, method="cca")
    assert origins(fitted)[-len(table) :] == expected
    assert sorted(origins(fitted)[: -len(table)]) == sorted(origins(aligner))
    assert {"random", "reviewed"} == {word for *_, word in table}


def test_origins_are_kept_where_pairs_are_copied(made, aligner, reviewed, tmp_path):
    x, y, _ = made
    reviewed.save(tmp_path / "saved")
    again = gc.review(aligner, x, y, out=tmp_path / "new", answers=lambda _: stop())
    every = origins(gc.align(x, y, reviewed.path, method="cca"))
    expected = [line for line in every if line[0]]
    if len(every) > len(expected):  # a copy lacks the items whose partner was not found
        expected = [[a, b, word.replace("random", "reviewed")] for a, b, word in expected]
    for pairs in (tmp_path / "saved" / "pairs.csv", reviewed.to_pandas()):
        assert sorted(origins(gc.align(x, y, pairs, method="cca"))) == sorted(expected)
    fitted = gc.align(x, y, again.path, method="cca")
    assert sorted(origins(fitted)) == sorted(origins(aligner))


def stop():
    raise StopIteration


def test_matches_that_were_accepted_do_not_vouch_for_themselves(made, aligner, tmp_path):
    x, y, path = made
    pairs = [(a, b) for a, b, *_ in lines_of(path)]
    found = gc.match(aligner, x, y, pairs, share=1)
    found.save(tmp_path, accept=0.3)
    accepted = lines_of(tmp_path / "accepted.csv")
    assert len(accepted) > len(pairs)
    fitted = gc.align(x, y, tmp_path / "accepted.csv", method="cca")
    assert counts(fitted) == {"probable": len(accepted) - len(pairs)}
