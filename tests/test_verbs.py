"""Every public verb on small collections, twice, after every module was imported."""

import importlib
import pkgutil

import jax
import numpy as np
import pytest
import tiny_encoders
import tiny_run

import gentle_clip_jax as gc
from gentle_clip_jax.tasks.icons import task as icons

PAIRS = [(f"a{i}", f"b{i}") for i in range(12)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """50 items of each side that share three numbers; the partner of a7 is b7."""
    for module in pkgutil.walk_packages(gc.__path__, "gentle_clip_jax."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    folder, rng = tmp_path_factory.mktemp("verbs"), np.random.default_rng(0)
    common = rng.normal(size=(50, 3))
    for name, letter, width in (("pictures", "a", 6), ("texts", "b", 5)):
        noise = 0.1 * rng.normal(size=(50, width))
        rows = (common @ rng.normal(size=(3, width)) + noise).astype(np.float32)
        ids = np.array([f"{letter}{i}" for i in range(50)])
        np.savez(folder / f"{name}.npz", features=rows, ids=ids)
    return folder


def short(result) -> str:
    assert len(repr(result)) < 1500
    return repr(result)


@pytest.mark.parametrize("time", ["first", "again"])
def test_from_collections_to_matches(time, files):
    x, y = gc.read(files / "pictures.npz"), gc.read(files / "texts.npz")
    assert short(x).startswith("Collection(50 items, 6 features")
    sheet = gc.ask(x, num=5, pairs=PAIRS)
    assert not {*sheet.ids} & {a for a, _ in PAIRS}
    assert short(sheet).startswith("Sheet(5 items")
    sheet.save(files / time / "ask")
    assert len((files / time / "ask" / "ask.csv").read_text().splitlines()) == 6
    aligner = gc.align(x, y, PAIRS, method="cca", out=files / time / "aligner")
    assert gc.load(files / time / "aligner").pairs == aligner.pairs == PAIRS
    assert aligner.metadata["modalities"] == ["pictures", "texts"]
    assert "cca" in short(aligner)
    of_x = gc.embed(aligner, x=x)
    assert of_x.ids.tolist() == x.ids.tolist()
    kept = gc.embed(files / time / "aligner", x=x, out=files / time / "x")
    np.testing.assert_allclose(kept.features, of_x.features, atol=1e-6)
    hits = gc.search(aligner, x, like="a20", num=4)
    assert len(hits.ids) == len(hits.cosines) == len(hits) == 4
    assert hits.cosines == sorted(hits.cosines, reverse=True)
    assert gc.search(aligner, of_x, like="a20", num=4).ids == hits.ids
    assert short(hits).startswith("Hits(4 for 'a20': ")
    matches = gc.match(aligner, x, y)
    assert {row["x"] for row in matches.rows} == {f"a{i}" for i in range(12, 50)}
    assert matches.rows[0]["probability"] is None
    assert np.mean([row["y"][1:] == row["x"][1:] for row in matches.rows]) > 0.5
    assert short(matches).startswith("Matches(38 of 38 items; ")
    assert short(matches.matches)
    matches.save(files / time / "matches")
    first = (files / time / "matches" / "matches.csv").read_text().splitlines()[0]
    assert first.startswith("x,y,probability,")


@pytest.mark.parametrize("time", ["first", "again"])
def test_the_other_verbs(time, files):
    x, y = files / "pictures.npz", files / "texts.npz"
    diagnosis = gc.diagnose(x, y, PAIRS)
    assert diagnosis.metadata["counts"]["pairs"] == 12
    assert short(diagnosis).startswith("Diagnosis(")
    comparison = gc.compare(x, y, PAIRS, files / time / "compared", methods=["cca"])
    assert {row["method"] for row in comparison.rows} == {"cca"}
    assert short(comparison).startswith("Comparison(1 methods; ")
    aligner = gc.align(x, y, PAIRS, method="cca")
    written = gc.export(aligner, files / time / "exported", format="numpy")
    assert {path.name for path in written} >= {"export.json", "README.md"}
    assert gc.load_config("icons").task == "icons"
    rows = gc.read(x).features
    assert gc.losses.multi_kernel_mmd(rows, rows) < 1e-3


@pytest.mark.parametrize("time", ["first", "again"])
def test_review_by_a_function(time, files, tmp_path):
    x, y = files / "pictures.npz", files / "texts.npz"

    def answers(screen):
        if screen.number > 10:
            raise StopIteration
        return f"a{screen.query[1:]}"

    aligner = gc.align(x, y, PAIRS, method="cca")
    found = gc.review(aligner, x, y, answers=answers, out=tmp_path)
    assert found.pairs[:12] == PAIRS
    assert all(a[1:] == b[1:] for a, b in found.pairs[12:])
    assert short(found).startswith("Reviewed(10 answers are stored, and ")
    assert "pairs are among the first 10." in short(found)


@pytest.mark.parametrize("time", ["first", "again"])
def test_encode_by_a_packaged_encoder(time, files, tmp_path, monkeypatch):
    tiny_encoders.install(tmp_path, monkeypatch)
    texts = tmp_path / "texts.csv"
    texts.write_text("id,text\na,boat\nb,pier boat\n")
    found = gc.encode(texts, tmp_path / "features", encoder="minilm")
    assert found.items.tolist() == ["a", "b"]
    assert "encoder minilm" in short(found)
    assert short(gc.load_encoder("minilm")) == "Encoder('minilm', role='text')"


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(icons, "load_data", lambda config, workdir: tiny_run.dataset())
        yield tmp_path_factory.mktemp("run")


@pytest.mark.parametrize("time", ["first", "again"])
def test_train_and_restore(time, files, workdir):
    with jax.numpy_dtype_promotion("standard"):  # Optax's Adam promotes its count of steps
        gc.train(tiny_run.config(**{"train.steps": 2}), workdir)
    run = gc.restore(workdir)
    test = tiny_run.dataset().test
    assert run.embed_x(test.x).shape == run.embed_y(test.y).shape == (24, 16)
    assert short(run).endswith("task icons, step 2)")


def test_bare_arrays_have_numbered_items(files):
    x, y = (gc.read(files / f"{name}.npz").features for name in ("pictures", "texts"))
    numbers = np.stack([np.arange(12)] * 2, axis=1)
    aligner = gc.align(x, y, numbers, method="cca")
    assert aligner.pairs == [(str(i), str(i)) for i in range(12)]
    named = gc.align(files / "pictures.npz", files / "texts.npz", PAIRS, method="cca")
    # The pairs are sorted by their ids, so that the sums of both are rounded otherwise.
    np.testing.assert_allclose(aligner.embed_x(x), named.embed_x(x), atol=1e-4)
    found, again = gc.match(aligner, x, y), gc.match(named, *(files / f for f in FILES))
    np.testing.assert_array_equal(found.matches.y, again.matches.y)
    with pytest.raises(ValueError, match="no ids"):  # row 3 of other arrays is another item
        gc.match(aligner, x[::-1], y[::-1])


FILES = ("pictures.npz", "texts.npz")


def test_a_problem_is_fitted_as_it_is(files):
    x, y = (gc.read(files / name).features for name in FILES)
    aligner = gc.align(gc.Problem(x[:12], y[:12], x[12:], y[12:]), method="cca")
    assert aligner.pairs is None
    with pytest.raises(ValueError, match="give it alone"):
        gc.align(gc.Problem(x[:12], y[:12]), y)


def test_only_one_of_two(files):
    aligner = gc.align(*(files / name for name in FILES), PAIRS, method="cca")
    with pytest.raises(ValueError, match="either x or y"):
        gc.embed(aligner)
    with pytest.raises(ValueError, match="either words"):
        gc.search(aligner, files / FILES[0])
    with pytest.raises(ValueError, match="needs both modalities"):
        gc.align(files / FILES[0])
    with pytest.raises(ValueError, match="not finite"):
        gc.align(np.full((20, 3), np.nan), np.ones((20, 3)))
