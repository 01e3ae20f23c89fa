"""An answer is one transaction: on a full disk, beside edits by hand, and in new files."""

import errno
import json
import os

import numpy as np
import pytest
from review_items import answered, finder, opened, session, write_pairs

pytest.importorskip("starlette")
from starlette.testclient import TestClient

from gentle_clip_jax.reviewing import journal
from gentle_clip_jax.reviewing.server import application
from gentle_clip_jax.reviewing.show import Show

FULL = OSError(errno.ENOSPC, "No space left on device")


def client_of(review):
    app = application(Show(review, finder=finder(review)), token="t")
    client = TestClient(app, base_url="http://127.0.0.1:8000")
    assert client.get("/?token=t").status_code == 200
    return client


def match(review):
    """The body of an answer by the truth."""
    question = review.question()
    while question.y not in question.x:
        review.answer(question.screen, "unsure")
        question = review.question()
    return {"screen": question.screen, "kind": "match", "x": question.y}


def fail(*_):
    raise FULL


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_what_is_not_synced_is_cut_off_and_not_kept(tmp_path, monkeypatch, call):
    review = session(write_pairs(tmp_path))
    log = tmp_path / "pairs.csv.review" / "log.jsonl"
    body = match(review)
    before, pairs = log.read_bytes(), (tmp_path / "pairs.csv").read_bytes()
    client, write = client_of(review), os.write
    parts = iter([7])  # a part fits, and then nothing

    def full(file, data):
        return write(file, data[: next(parts, None) or fail()])

    monkeypatch.setattr(
        f"gentle_clip_jax.reviewing.log.os.{call}", full if call == "write" else fail
    )
    found = client.post("/answer", json=body)
    monkeypatch.undo()
    assert found.status_code == 507
    assert "not kept: No space left" in found.json()["error"]
    assert log.read_bytes() == before
    assert (tmp_path / "pairs.csv").read_bytes() == pairs
    assert client.post("/answer", json=body).json()["counts"]["match"] == 1
    monkeypatch.setattr("gentle_clip_jax.reviewing.log.os.fsync", fail)
    assert client.post("/undo", json={}).status_code == 507
    monkeypatch.undo()
    assert review.answers()[0].kind == "match"
    review.close()
    opened(tmp_path / "pairs.csv").close()


def test_an_answer_counts_though_the_pairs_cannot_be_written_yet(tmp_path, monkeypatch):
    review, pairs = session(write_pairs(tmp_path)), tmp_path / "pairs.csv"
    client, before = client_of(review), pairs.read_bytes()
    body = match(review)
    monkeypatch.setattr(journal, "writing", fail)
    state = client.post("/answer", json=body).json()
    assert state["counts"]["match"] == 1
    assert "Your answers are kept" in state["notice"]
    assert "No space left" in state["notice"]
    assert pairs.read_bytes() == before
    monkeypatch.undo()
    state = client.post("/answer", json=match(review)).json()
    assert state["notice"] is None
    confirmed = [f"x{a.x[1:]},y{a.x[1:]}" for a in review.answers()[::-1] if a.kind == "match"]
    assert pairs.read_text().splitlines()[3:] == confirmed
    monkeypatch.setattr(journal, "writing", fail)
    client.post("/answer", json=match(review))
    client.post("/answer", json=match(review))
    review.close()
    monkeypatch.undo()
    assert pairs.read_text().splitlines()[3:] == confirmed
    again = opened(pairs)  # written when the review is opened again
    assert len(pairs.read_text().splitlines()) == 7
    assert again.given == [("x0", "y0"), ("x1", "y1")]
    again.close()


@pytest.mark.parametrize("closed", [False, True])
def test_an_edit_by_hand_is_merged(tmp_path, closed):
    pairs = write_pairs(tmp_path)
    review = session(pairs)
    review.answer(**match(review))
    ours = review.answers()[0]
    if closed:
        review.close()
    free = next(n for n in range(79, 0, -1) if f"x{n}" != ours.x and f"y{n}" != ours.y)
    lines = pairs.read_text().splitlines()
    pairs.write_text("\n".join([lines[0], f"x{free},y{free}", *lines[2:]]) + "\n")
    review = session(pairs) if closed else review
    question = review.question()
    if question.y == free:
        with pytest.raises(ValueError, match="has a partner there"):
            review.answer(question.screen, "match", question.x[0])
        review.answer(question.screen, "unsure")
    else:
        review.answer(**match(review))
    content = pairs.read_text().splitlines()
    assert content[:3] == ["x,y", f"x{free},y{free}", "x1,y1"]
    assert f"{ours.x},{ours.y}" in content[3:]
    assert len({*content}) == len(content)
    assert (f"x{free}", f"y{free}") in review.standing.known
    assert not review.waiting()[0][free]
    assert ("x0", "y0") not in review.standing.known
    while review.answers():
        review.undo()
    assert pairs.read_text().splitlines() == ["x,y", f"x{free},y{free}", "x1,y1"]
    review.close()


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("edited", ["", "x,y\nx0,y0\n", "x,y\nx0,{y}\n", "x,y\nx,nothing\n"])
def test_an_edit_that_contradicts_an_answer_is_refused(tmp_path, closed, edited):
    pairs = write_pairs(tmp_path)
    review = session(pairs)
    review.answer(**match(review))
    log = tmp_path / "pairs.csv.review" / "log.jsonl"
    before, edited = log.read_bytes(), edited.format(y=review.answers()[0].y)
    if closed:
        review.close()
    pairs.write_text(edited)
    with pytest.raises(ValueError, match=r"lacks the pair|there is no item"):
        opened(pairs) if closed else review.answer(**match(review))
    assert pairs.read_text() == (edited or ("x,y\n" if closed else ""))
    assert log.read_bytes() == before
    if not closed:
        review.close()


def test_the_answer_to_a_pair_taken_out_by_hand_can_be_undone(tmp_path):
    pairs = write_pairs(tmp_path)
    review = session(pairs)
    review.answer(**match(review))
    pairs.write_bytes(b"x,y\nx1,y1\n")
    review.undo()
    assert pairs.read_bytes() == b"x,y\nx1,y1\n"
    assert review.standing.known == [("x1", "y1")]
    review.close()


def test_two_files_of_pairs_in_one_folder(tmp_path):
    first, second = write_pairs(tmp_path), tmp_path / "pairs.tsv"
    second.write_bytes(b"x5\ty5\nx6\ty6\nx7\ty7\n")
    for _ in range(2):
        reviews = [session(first), session(second)]
        assert [len(review.standing.known) for review in reviews] == [2, 3]
        for review in reviews:
            answered(review)
            review.close()
    assert second.read_text().splitlines()[:3] == ["x5\ty5", "x6\ty6", "x7\ty7"]


@pytest.mark.parametrize("content", [None, b"", b"x,y\n", b"picture,text\n", b"x,y\nx3,\n"])
def test_a_file_without_pairs_is_a_beginning(tmp_path, content):
    pairs = tmp_path / "new" / "pairs.csv"
    if content is not None:
        write_pairs(tmp_path / "new", content)
    review = session(pairs)
    assert review.standing.known == []
    review.answer(**match(review))
    lines = pairs.read_text().splitlines()
    assert lines[0] == ("picture,text" if content == b"picture,text\n" else "x,y")
    assert len(lines) == (3 if content and b"x3" in content else 2)
    review.undo()
    assert pairs.read_bytes() == (content or b"x,y\n")
    review.close()


def test_several_items_with_one_partner_are_a_beginning(tmp_path):
    """As accepted.csv has them, which `match` writes; its decisions stay."""
    table = b"x,y,probability,decision\nx0,y0,,given\nx1,y0,0.9,probable\nx2,y2,0.1,rejected\n"
    pairs = write_pairs(tmp_path, table)
    review = session(pairs)
    assert review.standing.known == [("x0", "y0"), ("x1", "y0")]
    assert np.flatnonzero(~review.waiting()[0]).tolist() == [0]
    question = review.question()
    given = review.answer(question.screen, "match", question.x[0])
    review.close()
    assert pairs.read_bytes() == table + f"{given.x},{given.y}\n".encode()
    again = session(pairs)
    assert again.pairs()[0].tolist()[:2] == [0, 1]
    again.undo()
    again.close()
    assert pairs.read_bytes() == table


def test_the_log_says_how_each_pair_came_about(tmp_path):
    review = session(write_pairs(tmp_path))
    for _ in range(10):
        question = review.question()
        review.answer(question.screen, "match", question.x[0])
    review.close()
    log = tmp_path / "pairs.csv.review" / "log.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[0]["given"] == [["x0", "y0"], ["x1", "y1"]]
    assert lines[0]["format"] == 1
    assert [line["source"] for line in lines[1:]] == (["reviewed"] * 4 + ["random"]) * 2


def test_a_log_of_another_format_is_refused_and_stays(tmp_path):
    folder = write_pairs(tmp_path).with_name("pairs.csv.review")
    folder.mkdir()
    (folder / "log.jsonl").write_text('{"format": 2, "given": []}\n')
    with pytest.raises(ValueError, match=r"log.jsonl has format 2 .* reads 1: go on with"):
        session(tmp_path / "pairs.csv")
    assert (folder / "log.jsonl").read_text() == '{"format": 2, "given": []}\n'


@pytest.mark.parametrize("kind", ["match", "none"])
def test_an_answer_to_a_screen_that_is_no_longer_shown_is_refused_and_stays(tmp_path, kind):
    """Of the ten nearest items of a group, which earlier versions asked for."""
    review = session(write_pairs(tmp_path))
    review.answer(
        review.question().screen, kind, review.question().x[0] if kind == "match" else None
    )
    review.close()
    log = tmp_path / "pairs.csv.review" / "log.jsonl"
    log.write_text(log.read_text().replace('"sampling": "chance"', '"sampling": "within"'))
    before = log.read_bytes()
    with pytest.raises(ValueError, match=r"log.jsonl, line 2 has an answer .*'within'.*go on with"):
        session(tmp_path / "pairs.csv")
    assert log.read_bytes() == before


def test_a_private_file_has_a_private_folder(tmp_path):
    pairs = write_pairs(tmp_path)
    pairs.chmod(0o600)
    session(pairs).close()
    assert (tmp_path / "pairs.csv.review").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["", "lock", "log.jsonl"])
def test_nothing_is_written_through_a_link(tmp_path, name):
    pairs, folder = write_pairs(tmp_path), tmp_path / "pairs.csv.review"
    (tmp_path / "there").mkdir()
    (tmp_path / "victim").write_bytes(b"mine")
    if name:
        folder.mkdir()
    (folder / name).symlink_to(tmp_path / ("victim" if name else "there"))
    with pytest.raises(ValueError, match=r"is a link to .*: move it away"):
        opened(pairs)
    assert (tmp_path / "victim").read_bytes() == b"mine"
    assert not [*(tmp_path / "there").iterdir()]
