"""embed, search, match and review with a trained run's folder for --aligner: raw items in."""

import json

import jax
import numpy as np
import pytest
import tiny_run
from by_folder import open_gallery
from PIL import Image

import gentle_clip_jax as gc
from gentle_clip_jax import match, restore
from gentle_clip_jax.commands import aligners, options, output, pairs
from gentle_clip_jax.features.read import read
from gentle_clip_jax.tasks.icons import data
from gentle_clip_jax.training import loop
from gentle_clip_jax.training.loading import open_aligner


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A run, the pictures of its test items, and their words a text each."""
    work = tmp_path_factory.mktemp("work")
    (work / "pictures").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load_data", lambda *args, **keywords: tiny_run.dataset())
        with jax.numpy_dtype_promotion("standard"):  # Optax's Adam promotes its count of steps
            loop.train(tiny_run.config(), work / "run")
        test = tiny_run.dataset().test
        for number, glyph in enumerate(test.x):
            Image.fromarray(255 - glyph).save(work / "pictures" / f"i{number}.png")
        lines = [{"id": f"t{number}", "text": name} for number, name in enumerate(test.names)]
        (work / "words.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (work / "pairs.csv").write_text("".join(f"i{n},t{n}\n" for n in range(6)))
        yield work


def run(command, *argv):
    parser = options.Command()
    command.add(parser.add_subparsers())
    assert output.run(parser.parse_args([str(arg) for arg in argv])) == 0


@pytest.mark.slow
def test_embed_takes_pictures_and_texts_to_the_rows_of_the_towers(work, capsys):
    for side, items in (("x", "pictures"), ("y", "words.jsonl")):
        out = f"--out={work}/{side}"
        run(aligners, "embed", f"--aligner={work}/run", f"--{side}={work}/{items}", out)
        assert capsys.readouterr().out == f"24 rows.\nWritten: {work}/{side}.\n"
    towers, test = restore(work / "run"), tiny_run.dataset().test
    x, y = (read(work / side) for side in "xy")
    place = [int(name[1:]) for name in x.ids]
    np.testing.assert_allclose(x.features, towers.embed_x(test.x)[place], atol=1e-6)
    np.testing.assert_allclose(y.features, towers.embed_y(test.y), atol=1e-6)
    assert y.texts.tolist() == test.names.tolist()


def test_an_item_is_embedded_once(work, monkeypatch):
    first = open_gallery(work / "run", work / "pictures")
    assert first.gallery.path.parent == work / "run" / "cache" / "embedded"
    Image.new("L", (16, 16), 128).save(work / "pictures" / "new.png")
    (work / "pictures" / "broken.png").write_bytes(b"no picture")
    embedded, real = [], type(first.opened.aligner).embed

    def embed(self, side, items):
        embedded.append(len(items))
        return real(self, side, items)

    monkeypatch.setattr(type(first.opened.aligner), "embed", embed)
    second = open_gallery(work / "run", work / "pictures")
    assert embedded == [1]
    assert len(second.gallery.ids) == 25
    assert [skipped["id"] for skipped in second.gallery.manifest["skipped"]] == ["broken"]
    for name in ("new", "broken"):
        (work / "pictures" / f"{name}.png").unlink()


def test_a_run_is_an_aligner(work):
    """Its features are rows that it has embedded: they keep their directions, at unit length."""
    towers, test = restore(work / "run"), tiny_run.dataset().test
    x, y = towers.embed_x(test.x), towers.embed_y(list(test.names))
    assert towers.metadata["fitted_on"] == {"features_x": x.shape[1], "features_y": y.shape[1]}
    assert towers.metadata["modalities"] == ["image", "text"]
    assert (towers.can_refit, towers.held_out) == (False, None)
    for embed, smooth, rows in (
        (towers.embed_x, towers.smooth_gallery_x, x),
        (towers.embed_y, towers.smooth_gallery_y, y),
    ):
        np.testing.assert_allclose(embed(3 * rows), rows, atol=1e-6)
        assert embed(rows).dtype == rows.dtype
        assert smooth(rows) is rows
    assert not towers.embed_x(np.zeros((1, x.shape[1]), np.float32)).any()
    pairs = np.stack([np.arange(4)] * 2, axis=1)
    matches = match(towers, x, y, pairs=pairs)
    np.testing.assert_array_equal(matches.matches.y, np.argmax(x[4:] @ y[4:].T, axis=1) + 4)


def test_words_an_item_and_a_file_find_pictures(work, capsys):
    run(aligners, "search", f"--aligner={work}/run", f"--in={work}/pictures", "low a", "--num=3")
    _, *lines = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    towers, test = restore(work / "run"), tiny_run.dataset().test
    best = np.argsort(-(towers.embed_x(test.x) @ towers.embed_y(["low a"])[0]))[:3]
    assert [line[1] for line in lines] == [f"i{n}" for n in best]
    assert lines[0][2] == str(work / "pictures" / f"i{best[0]}.png")
    searcher = open_gallery(work / "run", work / "pictures")
    own = [hit.id for hit in searcher.like("i0", 4)]
    assert [hit.id for hit in searcher.like(str(work / "pictures" / "i0.png"), 5)] == ["i0", *own]
    (work / "query.txt").write_text("low a\n")
    assert [h.id for h in searcher.like(str(work / "query.txt"), 3)] == [line[1] for line in lines]
    texts = open_gallery(work / "run", work / "words.jsonl")
    assert texts.side == "y"
    assert texts.words(test.names[0], 1)[0].text == test.names[0]


def test_match_takes_the_towers_as_they_are(work, capsys):
    sides = f"--x={work}/pictures", f"--y={work}/words.jsonl", f"--pairs={work}/pairs.csv"
    run(pairs, "match", f"--aligner={work}/run", *sides, f"--out={work}/matches")
    assert "if the run was not trained on any of these pairs" in capsys.readouterr().out
    towers, test = restore(work / "run"), tiny_run.dataset().test
    nearest = np.argmax(towers.embed_x(test.x[6:]) @ towers.embed_y(test.y[6:]).T, axis=1) + 6
    lines = (work / "matches" / "matches.csv").read_text().splitlines()[1:]
    found = dict(line.split(",")[:2] for line in lines)
    assert found == {f"i{n + 6}": f"t{m}" for n, m in enumerate(nearest)}


def test_review_asks_by_the_towers_and_does_not_refit(work, tmp_path):
    pytest.importorskip("starlette")
    from gentle_clip_jax.reviewing.opening import open_review

    pairs = tmp_path / "pairs.csv"
    pairs.write_text((work / "pairs.csv").read_text())
    aligner = open_aligner(work / "run")
    x, y = aligner.read(work / "pictures", "x")[0], aligner.read(work / "words.jsonl", "y")[0]
    with open_review(aligner, x, y, pairs) as review:
        session = review.show.session
        assert review.progress is None
        before = session.ranking
        for _ in range(12):
            question = session.question()
            number = int(session.y.ids[question.y][1:])
            own = [n for n in question.x if session.x.ids[n] == f"i{number}"]
            session.answer(question.screen, "match" if own else "none", own[0] if own else None)
        session.wait()
        assert session.ranking is before
        assert review.show.found("low a")
    assert len(pairs.read_text().splitlines()) > 6
    said, files = [], (work / "pictures", work / "words.jsonl", pairs)
    again = gc.review(aligner, *files, answers=lambda _: None, tell=said.append)
    assert "trained run stay as they are" in said[0]
    assert again.curve == []
    assert len(again.answers) == len(y.items) - 6


def test_what_does_not_fit_is_refused(work, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"has no items for the run .*: as images: .* as texts: "):
        open_gallery(work / "run", tmp_path / "empty")
    with pytest.raises(ValueError, match="has no images"):
        open_gallery(work / "run", work / "words.jsonl", side="x")
    argv = "embed", f"--aligner={work}/run", f"--y={work}/words.jsonl"
    with pytest.raises(ValueError, match="is not an empty folder: use another --out"):
        run(aligners, *argv, f"--out={work}/pictures")
    run(aligners, *argv, f"--out={tmp_path}/y")
    manifest = json.loads((tmp_path / "y" / "manifest.json").read_text())
    del manifest["check"]
    manifest["weights_sha256"] = "other"
    (tmp_path / "y" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="with other weights"):
        open_gallery(work / "run", tmp_path / "y")
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"holds no run \(no config.json\)"):
        open_gallery(tmp_path / "run", work / "pictures")
