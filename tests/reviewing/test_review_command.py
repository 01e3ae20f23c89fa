"""`review` of files and collections, by a function and on a page, and its refits in earnest."""

import json
import pathlib
import signal
import threading

import numpy as np
import pytest

pytest.importorskip("starlette")

import gentle_clip_jax as gc
from gentle_clip_jax.aligners import Problem, align
from gentle_clip_jax.aligners.closed_form.cca import cca
from gentle_clip_jax.aligners.closed_form.transported import transported_cca
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.commands import options, output
from gentle_clip_jax.commands import pairs as command
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.pairs import read_pairs
from gentle_clip_jax.reviewing import opening, refit
from gentle_clip_jax.reviewing.progress import held_out_recall
from gentle_clip_jax.training.loading import open_aligner

NUMBER, KNOWN = 150, 30


def features():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(NUMBER, 5))
    x = truth @ rng.normal(size=(5, 24)) + 0.3 * rng.normal(size=(NUMBER, 24))
    y = truth @ rng.normal(size=(5, 16)) + 0.3 * rng.normal(size=(NUMBER, 16))
    return x.astype(np.float32), y.astype(np.float32)


@pytest.fixture
def files(tmp_path):
    x, y = features()
    ids = np.array([f"item {i}" for i in range(NUMBER)])
    np.savez(tmp_path / "x.npz", features=x, ids=ids)
    np.savez(tmp_path / "y.npz", features=y, ids=ids)
    (tmp_path / "pairs.csv").write_text("".join(f"{id_}\n" for id_ in ids[:KNOWN]))
    align(Problem(x[:KNOWN], y[:KNOWN]), "cca").save(tmp_path / "aligner")
    return tmp_path


def paths(files):
    return [files / name for name in ("aligner", "x.npz", "y.npz", "pairs.csv")]


def run(files, *more):
    parser = options.Command()
    command.add(parser.add_subparsers())
    names = ("aligner", "x", "y", "pairs")
    given = [f"--{name}={path}" for name, path in zip(names, paths(files))]
    args = parser.parse_args(["review", *given, *more])
    output.run(args)


def truth(screen) -> str | None:
    return screen.query if screen.query in screen.candidates else None


def until(number: int, asked: list | None = None):
    """Return a person who knows every partner and stops after so many answers."""

    def answers(screen):
        if screen.number > number:
            raise StopIteration
        if asked is not None:
            asked.append(screen)
        return truth(screen)

    return answers


@pytest.fixture(scope="module")
def hard(tmp_path_factory):
    """An aligner of 12 pairs of noisy items, whose recall leaves room; the pairs that it knows."""
    folder, rng = tmp_path_factory.mktemp("hard"), np.random.default_rng(1)
    common, ids = rng.normal(size=(400, 24)), np.array([f"item {i}" for i in range(400)])
    for name, width in (("x", 32), ("y", 24)):
        noise = 2.45 * rng.normal(size=(400, width))
        np.savez(folder / name, features=common @ rng.normal(size=(24, width)) + noise, ids=ids)
    pairs = [(id_, id_) for id_ in ids[:12].tolist()]
    gc.align(folder / "x.npz", folder / "y.npz", pairs, method="cca", out=folder / "aligner")
    return folder, pairs


def reviewed(hard, out, answers, **settings):
    folder, _ = hard
    return gc.review(
        gc.load(folder / "aligner"),
        gc.read(folder / "x.npz"),
        folder / "y.npz",
        out=out,
        answers=answers,
        **settings,
    )


@pytest.fixture(scope="module")
def whole(hard, tmp_path_factory):
    out, asked = tmp_path_factory.mktemp("whole"), []
    return reviewed(hard, out, until(60, asked)), asked, out


def test_sixty_answers_are_logged_and_improve_recall(hard, whole):
    found, asked, out = whole
    assert [screen.number for screen in asked] == [*range(1, 61)]
    lines = [
        json.loads(line)
        for line in (out / "pairs.csv.review" / "log.jsonl").read_text().splitlines()
    ]
    assert lines.pop(0)["given"] == [[*pair] for pair in hard[1]]
    assert [line["y"] for line in lines] == [screen.query for screen in asked]
    assert [line["shown"] for line in lines] == [screen.candidates for screen in asked]
    for screen in asked:
        assert len(screen.candidates) == len(screen.cosines) == 48
        assert screen.cosines == sorted(screen.cosines, reverse=True)
        assert not screen.closest
    confirmed = [(s.query, s.query) for s in asked if s.query in s.candidates]
    assert 30 < len(confirmed) < 60
    assert found.pairs == [*hard[1], *confirmed]
    assert found.known == 12
    assert read_pairs(found.path, *[np.array([f"item {i}" for i in range(400)])] * 2).tolist() == [
        [*pair] for pair in found.pairs
    ]
    first, last = found.curve[0], found.curve[-1]
    assert (first.pairs, last.pairs) == (12, len(found.pairs))
    assert last.recall > first.recall + 0.2
    assert f"{100 * first.recall:.0f} % with 12 pairs, {100 * last.recall:.0f} %" in repr(found)
    assert len(repr(found)) < 1500


@pytest.mark.parametrize("stop", [5, 30, 34])
def test_a_review_that_was_stopped_asks_the_same(hard, whole, stop, tmp_path):
    found, asked, out = whole
    screens = []
    reviewed(hard, tmp_path, until(stop, screens))
    again = reviewed(hard, tmp_path, until(60, screens))
    assert screens == asked
    assert again.pairs == found.pairs
    assert again.curve == found.curve
    assert (tmp_path / "pairs.csv").read_bytes() == (out / "pairs.csv").read_bytes()


def test_a_table_with_semicolons_is_copied_and_the_copy_grows(hard, tmp_path):
    table = tmp_path / "my.pairs.csv"
    table.write_text("x;y\n" + "".join(f"{x};{y}\n" for x, y in hard[1]))
    before = table.read_bytes()
    folder, _ = hard
    arguments = folder / "aligner", folder / "x.npz", folder / "y.npz", table
    found = gc.review(*arguments, answers=until(2))
    assert table.read_bytes() == before
    assert found.path == tmp_path / "my.pairs-review" / "pairs.csv"
    assert found.path.read_text().startswith("x,y\nitem 0,item 0\n")
    assert gc.review(*arguments, answers=until(3)).metadata["answers"] == 3  # it goes on


def test_the_pairs_of_a_review_are_those_of_the_next_fit(hard, whole, tmp_path):
    found, _, out = whole
    found.save(tmp_path)
    lines = (tmp_path / "pairs.csv").read_text().splitlines()
    assert [line.rpartition(",")[0] for line in lines] == (
        out / "pairs.csv"
    ).read_text().splitlines()
    curve = json.loads((tmp_path / "review_curve.json").read_text())
    assert [point["pairs"] for point in curve] == [point.pairs for point in found.curve]
    table = pytest.importorskip("pandas") and found.to_pandas()
    assert table["confirmed"].sum() == len(found.pairs) - 12
    folder, x_and_y = hard[0], [hard[0] / name for name in ("x.npz", "y.npz")]
    aligner = gc.align(*x_and_y, table, method="cca")
    assert sorted(aligner.pairs) == sorted(found.pairs)
    # An aligner of pairs of this review goes on with it; one of others does not.
    more = gc.review(aligner, *x_and_y, out=out, answers=until(0))
    assert more.pairs == found.pairs
    with pytest.raises(ValueError, match="a review of other pairs: give another --out"):
        gc.review(aligner, *x_and_y, hard[1][:5], out=out, answers=until(0))
    with pytest.raises(ValueError, match="remembers no pairs of these items"):
        gc.review(folder / "aligner", *(np.load(path)["features"] for path in x_and_y))


def test_an_answer_is_an_item_of_x_without_a_partner(hard, tmp_path):
    for answer, words in (("item 999", "'item 999', is no item of x"), ("item 3", "a partner")):
        with pytest.raises(ValueError, match=words):
            reviewed(hard, tmp_path, lambda _, answer=answer: answer)
    assert (tmp_path / "pairs.csv.review" / "log.jsonl").read_text() == ""

    def ten(screen):
        if screen.number > 3:
            raise StopIteration
        assert screen.closest
        assert len(screen.candidates) == 10
        return screen.candidates[screen.number]

    found = reviewed(hard, tmp_path, ten, mode="ten")
    assert [answer.kind for answer in found.answers] == ["near"] * 3
    assert len(found.pairs) == 12
    assert len((tmp_path / "pairs.csv.review" / "near_pairs.csv").read_text().splitlines()) == 4


def test_the_page_is_served_until_ctrl_c(hard, tmp_path, monkeypatch):
    said = []

    def tell(sentence):
        said.append(sentence)
        threading.Timer(0.5, signal.raise_signal, [signal.SIGINT]).start()

    # Python's own handler: a test before may have left another, which raises nothing.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        found = reviewed(hard, tmp_path, None, port=0, tell=tell)
    finally:
        signal.signal(signal.SIGINT, before)
    assert "http://127.0.0.1:" in said[0]
    assert found.pairs == hard[1]
    assert found.path == tmp_path / "pairs.csv"


def test_nothing_to_do_is_a_sentence(files, capsys):
    (files / "pairs.csv").write_text("".join(f"item {i}\n" for i in range(NUMBER)))
    run(files)
    assert "nothing to do" in capsys.readouterr().out


@pytest.mark.parametrize("method", ["cca", "gentle_transport"])
def test_a_refit_finds_partners(method):
    ids = np.array([f"item {i}" for i in range(NUMBER)])
    sides = [Collection(rows, ids) for rows in features()]
    fit = refit.prepare(*sides, method)
    known, ones = np.arange(KNOWN), np.ones(KNOWN, np.float32)
    x, y = fit.embedded(known, known, ones)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, atol=1e-4)
    rank = np.sum(y @ x.T >= np.sum(x * y, axis=1)[:, None], axis=1)
    assert np.mean(rank[KNOWN:] <= 10) > 0.5
    assert held_out_recall(fit.embedded, known, known, ones, KNOWN).recall > 0.5
    assert held_out_recall(fit.embedded, known, known, ones, 9) is None


def prepared(method="gentle_transport"):
    ids = np.array([f"item {i}" for i in range(NUMBER)])
    return refit.prepare(
        *(Collection(rows, ids) for rows in features()),
        method,
    )


@pytest.mark.parametrize("known", [KNOWN, 80])
def test_a_refit_is_transported_cca(known):
    fit = prepared()
    pairs = np.arange(known)
    found = fit.fitted(pairs, pairs, np.ones(known, np.float32))
    x = (1 - found.smoothing) * fit.x + found.smoothing * fit.neighbours
    parts = [x[:known], fit.y[:known], x[known:], fit.y[known:]]
    start = cca(*parts[:2], shrinkage=10.0)
    few = 10.0 if known < 60 else None
    given = Features(*(part[:, None] for part in parts))
    maps = transported_cca(given, start, shrinkage=few, rounds=5)
    expected = np.asarray(maps.embed_x(x)) @ np.asarray(maps.embed_y(fit.y)).T
    rows = found.embedded()
    np.testing.assert_allclose(rows[0] @ rows[1].T, expected, atol=0.02)


@pytest.mark.parametrize("method", ["cca", "gentle_transport"])
def test_a_fit_embeds_other_items_as_it_does_its_own(method):
    fit, pairs = prepared(method), np.arange(KNOWN)
    found = fit.fitted(pairs, pairs, np.ones(KNOWN, np.float32))
    x, y = features()
    own = found.embedded()
    np.testing.assert_allclose(found.embed_x(x), own[0], atol=1e-4)
    np.testing.assert_allclose(found.embed_y(y), own[1], atol=1e-4)


def test_a_pair_of_weight_two_is_one_that_is_there_twice():
    fit, once = prepared("cca"), np.arange(KNOWN)
    twice = np.concatenate([once, once[:5]])
    weight = np.ones(KNOWN, np.float32)
    weight[:5] = 2
    by_weight = fit.embedded(once, once, weight)
    by_number = fit.embedded(twice, twice, np.ones(len(twice), np.float32))
    np.testing.assert_allclose(
        by_weight[0] @ by_weight[1].T, by_number[0] @ by_number[1].T, atol=1e-3
    )


def test_a_fit_takes_two_pairs():
    with pytest.raises(ValueError, match="two pairs or more"):
        prepared().embedded(np.arange(1), np.arange(1), np.ones(1, np.float32))


def test_few_pairs_of_many_items_begin_with_the_closest_of_ten(files, monkeypatch):
    aligner = open_aligner(files / "aligner")
    sides = [aligner.read(files / f"{side}.npz", side)[0] for side in "xy"]
    given = aligner, *sides, files / "pairs.csv"
    monkeypatch.setattr(opening, "TEN_ABOVE", NUMBER - 1)
    with opening.open_review(*given) as review:
        assert review.show.session.mode == "grid"
    (files / "pairs.csv").write_text("".join(f"item {i}\n" for i in range(12)))
    with opening.open_review(*given) as review:
        assert review.show.session.mode == "ten"
    monkeypatch.setattr(opening, "TEN_ABOVE", NUMBER)
    with opening.open_review(*given) as review:
        assert review.show.session.mode == "grid"
        hits = review.show.finder.words("item 140")["x"]
        assert np.argmax(hits) == 140


@pytest.mark.parametrize("named", [False, True])
def test_a_review_begins_after_an_aligner_without_pairs(tmp_path, monkeypatch, named):
    """Such as one of names of classes; a refit waits for twelve pairs."""
    monkeypatch.chdir(tmp_path)
    x, y = features()
    aligner = align(Problem(x[:KNOWN], y[:KNOWN]), "cca")
    pairs = tmp_path / "new" / "pairs.csv" if named else None
    found = gc.review(aligner, x, y, pairs, answers=until(20))
    assert found.known == 0
    assert 12 < len(found.pairs) <= 20
    assert found.path.exists()
    again = gc.review(aligner, x, y, pairs, answers=until(22))
    assert again.pairs[: len(found.pairs)] == found.pairs
    assert again.path == (pairs or pathlib.Path("review/pairs.csv"))
