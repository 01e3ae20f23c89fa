"""The command on files, with an aligner that was fitted and saved, and a refit in earnest."""

import argparse

import numpy as np
import pytest

pytest.importorskip("starlette")

from gentle_clip_jax.aligners import Problem, align
from gentle_clip_jax.aligners.closed_form.cca import cca
from gentle_clip_jax.aligners.closed_form.transported import transported_cca
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.commands import output
from gentle_clip_jax.commands import review as command
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.reviewing import opened, refit
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


def given(files):
    aligner, *others = paths(files)
    return [open_aligner(aligner), *others]


def run(files, *more):
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    names = ("aligner", "x", "y", "pairs")
    given = [f"--{name}={path}" for name, path in zip(names, paths(files))]
    args = parser.parse_args(["review", *given, *more])
    output.run(args)


def test_a_review_of_files_refits_and_measures(files):
    with opened.review(*given(files)) as review:
        session = review.show.session
        for _ in range(12):
            question = session.question()
            held = question.y in question.x
            session.answer(
                question.screen, "match" if held else "none", question.y if held else None
            )
        session.wait()
        point = review.progress.points()[-1]
        assert point.pairs > KNOWN
        assert 0.5 < point.low < point.recall <= point.high
    with opened.review(*given(files)) as review:
        assert review.progress.points()[-1] == point


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


def test_a_fit_embeds_other_items_as_it_does_its_own():
    fit, pairs = prepared(), np.arange(KNOWN)
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
    monkeypatch.setattr(opened, "TEN_ABOVE", NUMBER - 1)
    with opened.review(*given(files)) as review:
        assert review.show.session.mode == "grid"
    (files / "pairs.csv").write_text("".join(f"item {i}\n" for i in range(12)))
    with opened.review(*given(files)) as review:
        assert review.show.session.mode == "ten"
    monkeypatch.setattr(opened, "TEN_ABOVE", NUMBER)
    with opened.review(*given(files)) as review:
        assert review.show.session.mode == "grid"
        hits = review.show.finder.words("item 140")["x"]
        assert np.argmax(hits) == 140
