"""Questions, answers, undo and files, without a server."""

import csv
import json
import signal
import subprocess
import sys
import types

import numpy as np
import pytest
from review_items import NUMBER, answered, latent, opened, session, sides, write_pairs
from scipy import special

from gentle_clip_jax.evaluation.intervals import wilson
from gentle_clip_jax.reviewing import queue
from gentle_clip_jax.reviewing.journal import Journal
from gentle_clip_jax.reviewing.log import Answer
from gentle_clip_jax.reviewing.plane import plane
from gentle_clip_jax.reviewing.progress import Point, at_random, counts, estimate, forecast
from gentle_clip_jax.reviewing.reviewed import Reviewed
from gentle_clip_jax.reviewing.schedule import Schedule
from gentle_clip_jax.reviewing.session import Session
from gentle_clip_jax.reviewing.show import Show
from gentle_clip_jax.reviewing.simulated import simulate

BASES = {
    "heading": b"x,y\nx0,y0\nx1,y1\n",
    "no end": b"x,y\r\nx0,y0\r\nx1,y1",
    "byte order mark": b"\xef\xbb\xbfx0,y0\nx1,y1\n\n",
}


@pytest.mark.parametrize("base", BASES.values(), ids=BASES.keys())
def test_pairs_grow_and_undo_restores_them_byte_for_byte(tmp_path, base):
    pairs = write_pairs(tmp_path, base)
    review = session(pairs)
    given = [answered(review) for _ in range(12)]
    confirmed = [(answer.x, answer.y) for answer in given if answer.kind == "match"]
    assert len(confirmed) > 5
    rows = list(csv.reader(pairs.read_text("utf-8-sig").splitlines()))
    assert [tuple(row) for row in rows[-len(confirmed) :]] == confirmed
    assert pairs.read_bytes().startswith(base)
    assert (tmp_path / "pairs.csv.review" / "given.csv").read_bytes() == base
    while review.answers():
        review.undo()
    assert pairs.read_bytes() == base
    assert not (tmp_path / "pairs.csv.review" / "not_pairs.csv").exists()
    review.close()


def test_none_of_these_are_not_pairs(tmp_path):
    review = session(write_pairs(tmp_path))
    given = answered(review, "none")
    rows = list(
        csv.reader((tmp_path / "pairs.csv.review" / "not_pairs.csv").read_text().splitlines())
    )
    assert rows[0] == ["x", "y"]
    assert rows[1:] == [[x, given.y] for x in given.shown]
    answered(review, "unsure")
    assert len((tmp_path / "pairs.csv.review" / "not_pairs.csv").read_text().splitlines()) == 49
    review.close()


def test_a_review_goes_on_where_it_was(tmp_path):
    pairs = write_pairs(tmp_path)
    review = session(pairs)
    for _ in range(7):
        answered(review)
    review.undo(3)
    answered(review)
    answers, waiting = review.answers(), review.question()
    review.close()
    again = session(pairs)
    assert again.answers() == answers
    assert again.journal.count == answers[0].number == 8
    assert again.question() is not None
    assert waiting.y not in {again.y.items.tolist().index(answer.y) for answer in answers}
    again.close()


def test_any_answer_can_be_changed(tmp_path):
    review = session(write_pairs(tmp_path))
    questions = []
    for _ in range(6):
        questions.append(review.question())
        answered(review)
    undone = review.undo(5)
    assert undone.sampling == "random"
    assert review.question().y == questions[4].y
    changed = answered(review, "unsure")
    assert (changed.number, changed.y, changed.sampling) == (7, undone.y, "random")
    with pytest.raises(ValueError, match="no such answer"):
        review.undo(5)
    review.close()


def test_stale_and_wrong_answers_are_refused(tmp_path):
    review = session(write_pairs(tmp_path))
    first = review.question()
    with pytest.raises(ValueError, match="already has a partner"):
        review.answer(first.screen, "match", 0)  # x0 has a partner
    with pytest.raises(ValueError, match="An answer is"):
        review.answer(first.screen, "match")
    with pytest.raises(ValueError, match="An answer is"):
        review.answer(first.screen, "none", first.x[0])
    review.answer(first.screen, "none")
    with pytest.raises(ValueError, match="answered already"):
        review.answer(first.screen, "none")
    assert len(review.answers()) == 1
    review.close()


KILLED = """
import os, signal, pathlib
from review_items import answered, session
review = session(pathlib.Path("pairs.csv"))
for _ in range(9):
    answered(review)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_loses_no_answer(tmp_path):
    pairs = write_pairs(tmp_path)
    code = f"import sys; sys.path.insert(0, {sys.path[0]!r}); sys.path += {sys.path!r}\n{KILLED}"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    review = session(pairs)
    assert len(review.answers()) == 9
    review.close()


def test_a_kill_between_the_log_and_the_pairs_is_mended(tmp_path, monkeypatch):
    pairs = write_pairs(tmp_path)
    review = session(pairs)
    answered(review)
    monkeypatch.setattr(Journal, "_derive", lambda self: None)
    given = answered(review)
    review.close()
    monkeypatch.undo()
    line = f"{given.x},{given.y}\n"
    assert line not in pairs.read_text()
    review = session(pairs)
    assert line in pairs.read_text()
    review.close()


def test_a_torn_line_is_cut_off(tmp_path):
    pairs = write_pairs(tmp_path)
    review = session(pairs)
    answered(review)
    review.close()
    with (tmp_path / "pairs.csv.review" / "log.jsonl").open("ab") as file:
        file.write(b'{"number": 2, "y"')
    review = session(pairs)
    answered(review)
    lines = (tmp_path / "pairs.csv.review" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines[1:]] == [1, 2]
    review.close()


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    pairs = write_pairs(tmp_path)
    review = session(pairs)
    answered(review)
    with pytest.raises(ValueError, match="Another review"):
        opened(pairs)
    review.close()
    with pytest.raises(ValueError, match="there is no item"):
        opened(pairs, number=3)
    x, y = sides(number=3)
    pairs.write_bytes(b"x0,y0\nx1,y1\n")
    (tmp_path / "pairs.csv.review" / "given.csv").write_bytes(b"x0,y0\nx1,y1\n")
    log = tmp_path / "pairs.csv.review" / "log.jsonl"
    log.write_text(log.read_text().replace('"match"', '"none"').replace('"x": "x', '"x_": "x'))
    journal = opened(pairs, number=3)
    with pytest.raises(ValueError, match="of other items"):
        Session(x, y, tuple(rows[:3] for rows in latent()), journal)
    journal.close()
    log.write_text("nothing\n")
    with pytest.raises(ValueError, match="line 1 is no answer"):
        opened(pairs)
    with pytest.raises(ValueError, match="is a folder"):
        opened(tmp_path)


def test_the_seed_and_the_answers_decide_the_screens(tmp_path):
    def screens(name, seed):
        review = session(write_pairs(tmp_path / name), seed=seed)
        found = []
        for _ in range(15):
            found.append(review.question()[1:])
            answered(review)
        review.close()
        return found

    first = screens("a", 0)
    assert first == screens("b", 0)
    assert first != screens("c", 1)
    assert [sampling for *_, sampling, _ in first] == (["chance"] * 4 + ["random"]) * 3


def test_the_screens_that_should_add_most_right_matches_come_first():
    (x, y), free = latent(), np.arange(NUMBER) > 4
    ranking = queue.ranked(x, y, free)
    likely = special.softmax(x[free].astype(float) @ y.T.astype(float) / 0.1, axis=0)
    likely = np.sort(likely, axis=0)[::-1]
    gain = likely[: queue.GRID].sum(axis=0) * (1 - likely[0])
    np.testing.assert_allclose(ranking.gain, gain, rtol=1e-4)
    unasked, clusters = np.ones(NUMBER, bool), set()
    for place in range(4):
        asked = [np.sum(~unasked & (ranking.cluster == of)) for of in ranking.cluster]
        expected = np.where(unasked, gain / (1 + np.array(asked)) ** 0.25, 0)
        number, sampling = queue.next_item(ranking, unasked, place)
        assert expected[number] == pytest.approx(expected.max(), rel=1e-4)
        unasked[number] = False
        clusters.add(ranking.cluster[number])
        assert sampling == "chance"
    assert len(clusters) > 1


def test_neither_sure_nor_hopeless_items_come_first():
    x = np.eye(100, dtype=np.float32)
    sure, open_, hopeless = np.eye(100)[0], np.r_[np.ones(2), np.zeros(98)], np.ones(100)
    y = np.stack([one / np.linalg.norm(one) for one in (sure, hopeless, open_)])
    gain = queue.ranked(x, y.astype(np.float32), np.ones(100, bool)).gain
    assert np.argmax(gain) == 2
    few = queue.ranked(x, y.astype(np.float32), np.arange(100) < 10).gain
    np.testing.assert_allclose(few[1], 0.9, rtol=1e-5)  # all are in the grid


def test_a_grid_holds_the_nearest_that_have_no_partner(tmp_path):
    review = session(write_pairs(tmp_path))
    question = review.question()
    x, y = latent()
    cosines = x @ y[question.y]
    assert len(question.x) == queue.GRID
    assert not {0, 1} & set(question.x)
    shown = cosines[list(question.x)]
    assert np.all(np.diff(shown) <= 0)
    left_out = np.setdiff1d(np.arange(2, NUMBER), question.x)
    assert cosines[left_out].max() <= shown.min()
    review.close()


def test_an_empty_queue_ends_in_a_sentence(tmp_path):
    review = session(write_pairs(tmp_path), number=6)
    for _ in range(4):
        answered(review)
    assert review.question() is None
    assert review.following() is None
    assert Show(review).state()["message"].endswith("holds your pairs.")
    assert counts(review)["left"] == 0
    review.undo()
    assert review.question() is not None
    review.close()
    nothing = session(write_pairs(tmp_path / "all", b"x0,y0\nx1,y1\nx2,y2\n"), number=3)
    assert "nothing to do" in Show(nothing).nothing_left()
    nothing.close()


def test_a_refit_follows_ten_answers_and_spares_the_screen(tmp_path):
    fits, told = [], []

    def embed(of_x, of_y, weight):
        fits.append((of_x.tolist(), of_y.tolist()))
        return latent(noise=0.0)

    settings = {"embed": embed, "after_refit": lambda *pairs: told.append(pairs)}
    review = session(write_pairs(tmp_path), **settings)
    for _ in range(20):
        answered(review)
        assert len(fits) == len(review.answers()) // 10
    assert fits[0][0][:2] == [0, 1]
    assert len(told) == 2
    assert np.allclose(review.ranking.x, review.ranking.y)
    review.close()


def test_only_screens_at_random_estimate(tmp_path):
    review = session(write_pairs(tmp_path))
    assert estimate(review) is None
    for _ in range(10):
        answered(review)
    found = estimate(review)
    assert found["screens"] == 2
    low, high = found["in_grid"][1:]
    assert 0 <= low < high <= 100
    review.close()


def answers_at_random(ranks):
    """Answers to random screens with these ranks of the partner, None for "none of these"."""
    return [
        Answer(n, f"y{n}", *(("match", f"x{n}") if rank else ("none",)))._replace(
            sampling="random", rank=rank
        )
        for n, rank in enumerate(ranks, 1)
    ]


@pytest.mark.parametrize(
    ("count", "words"),
    [(20, "Too early to tell"), (40, "Nothing is found yet"), (110, "Stop: this cannot work")],
)
def test_partners_that_rank_as_by_chance_are_a_reason_to_stop(count, words):
    ranks = np.random.default_rng(0).integers(1, 1001, count).tolist()
    found = at_random(answers_at_random([rank if rank <= 48 else None for rank in ranks]), 1000)
    assert found["warning"].startswith(words)
    assert f"({count} screens)" in found["warning"]
    half = [rank % 48 + 1 if n % 2 else None for n, rank in enumerate(ranks)]
    assert at_random(answers_at_random(half), 1000)["warning"] is None
    # With few items every screen shows the partner, so that its rank says little.
    assert at_random(answers_at_random(half), 40)["warning"] is None


def test_the_page_warns_unless_it_is_too_early(tmp_path, monkeypatch):
    review = session(write_pairs(tmp_path))
    for answers, is_shown in (([None] * 20, False), ([None] * 40, True)):
        monkeypatch.setattr(review, "answers", lambda given=answers: answers_at_random(given))
        monkeypatch.setattr(Show, "answer", lambda *_: {})
        assert (Show(review).state()["notice"] is not None) == is_shown
    review.close()


def test_a_partner_found_by_words_was_not_in_the_grid(tmp_path):
    review = session(write_pairs(tmp_path))
    for _ in range(4):
        answered(review)
    question = review.question()
    assert question.sampling == "random"
    free = review.waiting()[1]
    found = next(n for n in np.flatnonzero(free).tolist() if n not in question.x)
    given = review.answer(question.screen, "match", found)
    assert (given.x, given.rank) == (f"x{found}", None)
    assert estimate(review)["in_grid"][0] == 0
    for taken in (found, 0, NUMBER, -1):
        with pytest.raises(ValueError, match="already has a partner"):
            review.answer(review.question().screen, "match", taken)
    review.close()


def test_what_the_next_screens_bring_is_what_the_last_ones_did(tmp_path):
    review = session(write_pairs(tmp_path))
    for number in range(20):
        assert (forecast(review.answers(), []) is None) == (number < 10)
        question = review.question()
        kind = "match" if question.sampling == "random" or number % 2 else "none"
        review.answer(question.screen, kind, question.x[0] if kind == "match" else None)
    chance = [answer for answer in review.answers() if answer.sampling == "chance"]
    share = np.mean([answer.kind == "match" for answer in chance])
    points = [Point(pairs, 0.1 * np.log(pairs), 0, 1) for pairs in (10, 30, 90)]
    found = forecast(review.answers(), points)
    assert found["value"] == round(40 * share + 10)
    assert 0 <= found["low"] < found["value"] < found["high"] <= 50
    assert found["recall"][0] == 45
    assert found["recall"][1] == round(10 * np.log(90 + found["value"]))
    full = [*points[:-1], points[-1]._replace(recall=1.0)]  # the line through them is below it
    assert forecast(review.answers(), full)["recall"] is None
    late = [Point(100, 0.1, 0, 1), Point(110, 0.9, 0, 1), Point(130, 0.92, 0, 1)]
    assert forecast(review.answers(), late)["recall"][0] == 92
    falling = [point._replace(recall=1 - point.recall) for point in points]
    assert forecast(review.answers(), falling)["recall"] is None
    assert forecast(review.answers(), points[:2])["recall"] is None
    review.close()


def test_a_review_that_goes_on_refits_to_what_was_confirmed(tmp_path):
    fits = []

    def embed(*pairs):
        fits.append(len(pairs[0]))
        return latent()

    pairs = write_pairs(tmp_path)
    review = session(pairs, embed=embed, background=True)
    given = [answered(review) for _ in range(4)]
    review.begin()
    review.close()
    review = session(pairs, embed=embed, background=True)
    review.begin()
    review.wait()
    assert fits == [2 + sum(answer.kind == "match" for answer in given)] * 2
    review.close()


def test_a_simulated_review_that_was_stopped_goes_on_alike(tmp_path):
    aligner, (x, y) = types.SimpleNamespace(metadata={"method": "cca"}), sides()
    every = [*zip(x.items.tolist(), y.items.tolist())]
    pairs, tested = every[:12], every[60:]
    runs = []
    for name, stops in (("whole", [35]), ("stopped", [14, 27, 35])):
        for screens in stops:
            points = simulate(
                aligner,
                x,
                y,
                pairs,
                dict(every),
                screens=screens,
                tested=tested,
                look_up=True,
                out=tmp_path / name,
                tell=lambda point: None,
            )
        rows = (tmp_path / name / "pairs.csv").read_text().splitlines()
        assert len(rows) == 1 + 12 + 35
        assert not {y for _, y in tested} & {row.split(",")[1] for row in rows}
        runs.append((points[-1], rows))
        assert 90 <= points[-1].recall <= 100
    assert runs[0] == runs[1]


def test_a_forecast_without_random_screens_is_wide():
    answers = [Answer(number, f"y{number}", "match", f"x{number}") for number in range(1, 13)]
    found = forecast(answers, [])
    low = round(40 * wilson(12, 12)["low"])  # and none of the ten at random
    assert found == {"value": 45, "low": low, "high": 50, "recall": None}


class Standing:
    """Each answer has added a pair to twelve."""

    def __init__(self, count):
        self.count, self.first = count, Standing

    def fitted_to(self):
        return (np.arange(12 + self.count),) * 3


def test_refits_are_due_after_every_ten_answers():
    assert [place for place, _ in Schedule(12).past(Standing(25))] == [10, 20]
    assert [place for place, _ in Schedule(12, begun=3).past(Standing(25))] == [13, 23]
    for fitted, pairs, more in ((0, 11, False), (0, 12, True), (20, 20, False), (20, 21, True)):
        assert Schedule(fitted).has_more((np.arange(pairs),) * 3) == more


@pytest.fixture
def uneven(tmp_path):
    """More items of x than of y."""
    x, y = sides()
    y = y.select(y.ids[:60])
    start = latent()[0], latent()[1][:60]
    journal = Journal(write_pairs(tmp_path), x.items, y.items)
    review = Session(x, y, start, journal, background=False)
    yield review
    review.close()


def test_the_map_has_every_item_in_its_square(uneven):
    found = plane(uneven.ranking, uneven.pairs())
    assert [len(found[side]) for side in "xy"] == [NUMBER, 60]
    places = np.array([at for _, *at in found["x"] + found["y"]])
    spread = np.linspace(40, 960, len(places)).round(1)
    np.testing.assert_array_equal(np.sort(places, axis=0), np.stack([spread, spread], axis=1))
    at_x, at_y = ({number: at for number, *at in found[side]} for side in "xy")
    assert found["ties"] == [(*at_x[number], *at_y[number]) for number in (1, 0)]


def test_ten_are_asked_for_with_fewer_items_of_y(uneven):
    uneven.switch("ten")
    question = uneven.question()
    assert (question.sampling, len(question.x)) == ("ten", 10)
    assert 2 <= question.y < 60


def test_a_summary_compares_the_end_with_the_start(tmp_path):
    curve = [Point(10 * n, 0.1 * n, 0, 1) for n in (1, 2, 3)]
    x, y = sides()
    start, end = "10 % with 10 pairs", "30 % with 30 pairs"
    for points, said in ((curve, f"{start}, {end}"), (curve[:1], start)):
        found = Reviewed([("x0", "y0")], 1, [], points, tmp_path, x, y).summary
        assert found[-1] == f"Of held-out partners, {said} are among the first 10."


def test_a_file_of_other_pairs_is_not_replaced(tmp_path):
    found = Reviewed([("x0", "y0"), ("x1", "y1")], 1, [], [], tmp_path / "review", *sides())
    found.save(tmp_path)
    found.save(tmp_path)
    (tmp_path / "pairs.csv").write_text("x,y\nx0,y0\nx2,y2\n")
    with pytest.raises(ValueError, match="holds other pairs: use another folder"):
        found.save(tmp_path)
    assert (tmp_path / "pairs.csv").read_text() == "x,y\nx0,y0\nx2,y2\n"


def test_undo_takes_the_origin_of_a_pair_back(tmp_path):
    review = session(write_pairs(tmp_path))
    table = tmp_path / "pairs.csv.review" / "origins.csv"
    for _ in range(5):
        answered(review, "none")
    assert table.read_text() == f"x,y,origin\n,{review.answers()[0].y},random\n"
    review.undo()
    assert not table.exists()
    answered(review)
    assert table.read_text().endswith(f"{review.answers()[0].y},random\n")
    answered(review)
    assert table.read_text().endswith(f"{review.answers()[0].y},reviewed\n")
    for _ in range(6):
        review.undo()
    assert not table.exists()
    review.close()


def test_a_sheet_without_a_partner_has_no_pairs_yet(tmp_path):
    for folder, cell, known in (("some", b"y1", [("x1", "y1")]), ("none", b"", [])):
        table = b"x,y,origin\nx0,,random\nx1,%s,asked\n" % cell
        review = session(write_pairs(tmp_path / folder, table))
        assert review.standing.known == known
        review.close()
