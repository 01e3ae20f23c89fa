"""An index finds what comparing everything finds, and is used for nothing but what it is of."""

import builtins
import subprocess
import sys

import numpy as np
import pytest

from gentle_clip_jax.aligning import align_files
from gentle_clip_jax.commands import main
from gentle_clip_jax.searching import index_gallery, open_gallery, search
from gentle_clip_jax.searching.embed import embed_files
from gentle_clip_jax.searching.index import index_of

RNG = np.random.default_rng(0)
pytest.importorskip("usearch", reason="run pip install '.[index]' for this")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """2,000 items of x, 400 of y, all of these pairs, and an aligner that draws x."""
    work = tmp_path_factory.mktemp("work")
    latent = RNG.normal(size=(40, 8))[RNG.integers(40, size=2000)] + RNG.normal(size=(2000, 8))
    ids = np.array([f"item {i}" for i in range(2000)])
    for side, width, number in (("x", 17, 2000), ("y", 15, 400)):
        features = np.float32(latent[:number] @ RNG.normal(size=(8, width)))
        np.savez(work / f"{side}.npz", features=features, ids=ids[:number])
    align_files(work / "x.npz", work / "y.npz", None, work / "aligner", method="cca")
    return work


@pytest.fixture
def gallery(work, tmp_path):
    """The items of x in a folder of their own, where an index may be written beside them."""
    return (
        embed_files(work / "aligner", work / "x.npz", tmp_path / "x", side="x") and tmp_path / "x"
    )


def found(searcher, side, query):
    hits = searcher._hits(side, query, 10)
    return [hit.id for hit in hits], [hit.score for hit in hits]


@pytest.mark.parametrize("embedded", [False, True])
def test_it_finds_what_comparing_all_finds(embedded, work, gallery, tmp_path):
    if not embedded:
        gallery = tmp_path / "x.npz"
        gallery.write_bytes((work / "x.npz").read_bytes())
    exact = open_gallery(work / "aligner", gallery)
    assert exact.index is None
    assert index_gallery(work / "aligner", gallery) == index_of(gallery)
    indexed = open_gallery(work / "aligner", gallery)
    assert indexed.index is not None
    assert not indexed.note
    recalls = []
    for number in range(40):
        row = exact.opened.embed("y", np.load(work / "y.npz")["features"][number : number + 1])
        for side, query in (("y", row), ("x", exact.rows[number : number + 1])):
            one, scores = found(exact, side, query)
            other, nearly = found(indexed, side, query)
            np.testing.assert_allclose(nearly[0], scores[0], rtol=1e-4)
            recalls.append(len({*one} & {*other}) / 10)
    assert np.mean(recalls) > 0.98
    alike = [hit.id for hit in indexed.like("item 7", 5)]
    assert alike == [hit.id for hit in exact.like("item 7", 5)]
    assert "rows" not in indexed.__dict__  # nothing was embedded but the query


def other_items(work, gallery):
    np.savez(work / "fewer.npz", **{k: v[:-1] for k, v in np.load(work / "x.npz").items()})
    embed_files(work / "aligner", work / "fewer.npz", gallery, side="x")
    return "it is of other items or another aligner"


def damaged(work, gallery):
    path = index_of(gallery) / "rows.usearch"
    path.write_bytes(path.read_bytes()[:-1])
    return "it is unfinished or damaged"


def unfinished(work, gallery):
    (index_of(gallery) / "manifest.json").unlink()
    return "it is unfinished or damaged"


@pytest.mark.parametrize("change", [other_items, damaged, unfinished])
def test_an_index_of_something_else_is_one_sentence(change, work, gallery, capsys):
    index_gallery(work / "aligner", gallery)
    words = change(work, gallery)
    command = ["search", f"--aligner={work / 'aligner'}", f"--in={gallery}", "--like=item 3"]
    assert main.main(command) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 20
    assert said.err == (
        f"gentle-clip: {index_of(gallery)} is not used, and every item is compared: {words}: run "
        "gentle-clip index again.\n"
    )
    assert main.main(["index", *command[1:3]]) == 0
    assert main.main(command) == 0
    assert not capsys.readouterr().err


def test_many_items_without_an_index_are_compared_and_it_is_told(work, gallery, monkeypatch):
    assert not open_gallery(work / "aligner", gallery).note
    monkeypatch.setattr(search, "_MANY", 1999)
    assert "gentle-clip index makes that faster" in open_gallery(work / "aligner", gallery).note


def test_without_usearch_all_is_compared(work, gallery, monkeypatch):
    index_gallery(work / "aligner", gallery)
    real = builtins.__import__

    def fail(name, *args, **keywords):
        if name.partition(".")[0] == "usearch":
            raise ModuleNotFoundError("No module named 'usearch'", name="usearch")
        return real(name, *args, **keywords)

    monkeypatch.setattr(builtins, "__import__", fail)
    searcher = open_gallery(work / "aligner", gallery)
    assert searcher.index is None
    assert 'it needs usearch: run pip install "gentle-clip-jax[index]".' in searcher.note
    with pytest.raises(ModuleNotFoundError):
        index_gallery(work / "aligner", gallery)


def test_nothing_loads_usearch_before_it_is_wanted():
    script = "import sys, gentle_clip_jax.searching; assert 'usearch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
