"""An index finds what comparing everything finds, and is used for nothing but what it is of."""

import builtins
import errno
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from by_folder import embed_files, index_gallery, open_gallery

from gentle_clip_jax.aligners.from_collections import align
from gentle_clip_jax.commands import main
from gentle_clip_jax.searching import search
from gentle_clip_jax.searching.exact import nearest
from gentle_clip_jax.searching.index import ENGINES, index_of, open_index, write_index

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """2,000 items of x, 400 of y, all of these pairs, and an aligner that draws x."""
    work = tmp_path_factory.mktemp("work")
    latent = RNG.normal(size=(40, 8))[RNG.integers(40, size=2000)] + RNG.normal(size=(2000, 8))
    ids = np.array([f"item {i}" for i in range(2000)])
    for side, width, number in (("x", 17, 2000), ("y", 15, 400)):
        features = np.float32(latent[:number] @ RNG.normal(size=(8, width)))
        np.savez(work / f"{side}.npz", features=features, ids=ids[:number])
    align(work / "x.npz", work / "y.npz", out=work / "aligner", method="cca")
    return work


@pytest.fixture(params=ENGINES)
def engine(request):
    if request.param == "lance":
        pytest.importorskip("lance", reason="run pip install '.[lance]'")
    return request.param


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
def test_it_finds_what_comparing_all_finds(embedded, engine, work, gallery, tmp_path):
    if not embedded:
        gallery = tmp_path / "x.npz"
        gallery.write_bytes((work / "x.npz").read_bytes())
    exact = open_gallery(work / "aligner", gallery)
    assert exact.index is None
    assert index_gallery(work / "aligner", gallery, engine=engine) == index_of(gallery)
    indexed = open_gallery(work / "aligner", gallery)
    assert indexed.index is not None
    recalls = []
    for number in range(40):
        row = exact.opened.embed("y", np.load(work / "y.npz")["features"][number : number + 1])
        for side, query in (("y", row), ("x", exact.rows[number : number + 1])):
            one, scores = found(exact, side, query)
            other, nearly = found(indexed, side, query)
            np.testing.assert_allclose(nearly[0], scores[0], rtol=1e-4)
            recalls.append(len({*one} & {*other}) / 10)
    assert np.mean(recalls) > (0.98 if engine == "lance" else 0.9999)
    alike = [hit.id for hit in indexed.like("item 7", 5)]
    assert alike == [hit.id for hit in exact.like("item 7", 5)]
    assert "rows" not in indexed.__dict__  # nothing was embedded but the query


def other_items(work, gallery):
    np.savez(work / "fewer.npz", **{k: v[:-1] for k, v in np.load(work / "x.npz").items()})
    embed_files(work / "aligner", work / "fewer.npz", gallery, side="x")
    return "it has other items or another aligner"


def largest(gallery):
    files = (path for path in index_of(gallery).rglob("*") if path.is_file())
    return max(files, key=lambda path: path.stat().st_size)


def cut(work, gallery):
    path = largest(gallery)
    path.write_bytes(path.read_bytes()[:-1])
    return "it is incomplete or damaged"


def flipped(work, gallery):
    path = largest(gallery)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return "it is incomplete or damaged"


def lost(work, gallery):
    largest(gallery).unlink()
    return "it is incomplete or damaged"


def unfinished(work, gallery):
    (index_of(gallery) / "manifest.json").rename(index_of(gallery) / "unfinished.json")
    return "it is incomplete or damaged"


@pytest.mark.parametrize("change", [other_items, cut, flipped, lost, unfinished])
def test_an_index_of_something_else_is_one_sentence(change, engine, work, gallery, capsys):
    index_gallery(work / "aligner", gallery, engine=engine)
    words = change(work, gallery)
    command = ["search", f"--aligner={work / 'aligner'}", f"--in={gallery}", "--like=item 3"]
    assert main.main(command) == 0
    compared = capsys.readouterr()
    assert len(compared.out.splitlines()) == 1 + 20  # a heading
    assert compared.err == (
        f"{index_of(gallery)} is not used, so every item is compared: {words}: run "
        "gentle-clip index again.\n"
    )
    assert main.main(["index", *command[1:3], f"--engine={engine}"]) == 0
    capsys.readouterr()
    assert main.main(command) == 0
    found = capsys.readouterr()
    assert not found.err
    assert found.out == compared.out


def part(gallery, name, suffix):
    (path,) = index_of(gallery).glob(f"{name}-*.{suffix}")
    return path


def test_a_file_too_many_is_noticed(work, gallery, notices):
    pytest.importorskip("lance")
    index_gallery(work / "aligner", gallery, engine="lance")
    (part(gallery, "rows", "lance") / "data" / "one more.lance").touch()  # Lance ignores it
    open_gallery(work / "aligner", gallery)
    assert "it is incomplete or damaged" in notices()


def test_the_last_engine_is_used_and_leaves_nothing_of_another(work, gallery):
    pytest.importorskip("lance")
    for name, engine in ENGINES.items():
        index_gallery(work / "aligner", gallery, engine=name)
        assert len([*index_of(gallery).iterdir()]) == 3
        assert all(part(gallery, name, engine.SUFFIX).exists() for name in ("rows", "ranked"))
        assert isinstance(open_gallery(work / "aligner", gallery).index.rows, engine)


def test_a_writing_that_ended_leaves_the_earlier_index(engine, tmp_path):
    rows = np.float32(RNG.normal(size=(300, 8)))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    write_index(tmp_path, engine, {}, [rows], None, num_rows=300)
    assert open_index(tmp_path, {}).nearest(rows[:1], 1)[0] == [[0]]

    def blocks():
        yield rows
        raise KeyboardInterrupt

    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(KeyboardInterrupt):
        write_index(tmp_path, engine, {}, blocks(), None, num_rows=600)
    assert sorted(tmp_path.rglob("*")) == before
    assert open_index(tmp_path, {}).nearest(rows[1:2], 1)[0] == [[1]]


@pytest.mark.parametrize("name", ["rows-0123456789abcdef.npy", "ranked-0123456789abcdef.lance"])
def test_a_folder_named_like_a_part_is_refused_and_stays(name, work, gallery, capsys):
    index_gallery(work / "aligner", gallery)
    folder = index_of(gallery)
    (folder / name).mkdir()
    (folder / name / "notes.txt").write_text("of a user")
    before = {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}
    assert main.main(["index", f"--aligner={work / 'aligner'}", f"--in={gallery}"]) == 2
    assert capsys.readouterr().err == (
        f"gentle-clip: {folder / name} is named like a part of an index but is none: move it "
        "away.\n"
    )
    assert {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")} == before


@pytest.mark.parametrize(("number", "width"), [(1, 3), (10, 8), (300, 1), (300, 5)])
def test_rows_of_any_number_and_width(number, width, engine, tmp_path):
    rows = RNG.normal(size=(number, width))
    rows = np.float32(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    write_index(tmp_path, engine, {}, np.split(rows, [number // 2]), None, num_rows=number)
    index = open_index(tmp_path, {})
    _, cosines = nearest(rows[:1], rows, 10)
    np.testing.assert_allclose(index.nearest(rows[:1], 10)[1], cosines, atol=1e-6)
    assert sorted(index.nearest(rows[:1], 2 * number)[0][0]) == [*range(number)]


def test_rows_that_are_gone_are_one_sentence(work, gallery):
    pytest.importorskip("lance")
    index_gallery(work / "aligner", gallery, engine="lance")
    searcher = open_gallery(work / "aligner", gallery)
    shutil.rmtree(part(gallery, "rows", "lance"))
    with pytest.raises(ValueError, match=r"lance was changed while it was searched: search"):
        searcher.like("item 3")


def test_a_full_disk_is_told_as_such(tmp_path, monkeypatch):
    pytest.importorskip("lance")
    script = (  # in a process of its own, whose limit it is
        "import resource, sys, pathlib, numpy as np\n"
        "from gentle_clip_jax.searching.index import write_index\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999))\n"
        "rows = [np.ones((999, 8), np.float32)]\n"
        "try:\n"
        "    write_index(pathlib.Path(sys.argv[1]), 'lance', {}, rows, None, num_rows=999)\n"
        "except OSError as error:\n"
        "    print(error.errno, error.filename)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    monkeypatch.delenv("LANCE_LOG", raising=False)
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    path = re.escape(str(tmp_path / "rows"))
    assert re.fullmatch(rf"{errno.EFBIG} {path}-\w+\.lance\n", said.stdout)
    assert "WARN" not in said.stderr  # of Lance, that there is no dataset yet
    assert [path.name for path in tmp_path.iterdir()] == ["unfinished.json"]


def test_many_items_that_are_embedded_first_are_noted(work, gallery, monkeypatch, notices):
    open_gallery(work / "aligner", work / "x.npz")
    assert not notices()
    monkeypatch.setattr(search, "_MANY", 1999)
    open_gallery(work / "aligner", work / "x.npz")
    assert "index does that only once" in notices()
    embedded = open_gallery(work / "aligner", gallery)
    assert not notices()
    assert isinstance(embedded.rows, np.memmap)  # it is searched where it lies


def test_an_engine_that_is_not_installed(work, gallery, monkeypatch, capsys, notices):
    pytest.importorskip("lance")
    engine = "lance"
    index_gallery(work / "aligner", gallery, engine=engine)
    real = builtins.__import__

    def fail(name, *args, **keywords):
        if name.partition(".")[0] == engine:
            raise ModuleNotFoundError(f"No module named '{engine}'", name=engine)
        return real(name, *args, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", fail)
        searcher = open_gallery(work / "aligner", gallery)
        assert searcher.index is None
        install = 'pip install "gentle-clip-jax[lance]"'
        assert f"it needs {engine}: run {install}." in notices()
        options = [f"--aligner={work / 'aligner'}", f"--in={gallery}", f"--engine={engine}"]
        assert main.main(["index", *options]) == 2
        said = capsys.readouterr().err
        assert said == f"gentle-clip: No module named '{engine}': run {install}.\n"
    assert open_gallery(work / "aligner", gallery).index is not None  # it was not touched


def test_an_unknown_engine_is_one_sentence(work, gallery):
    with pytest.raises(ValueError, match=r"no engine 'faiss': take one of exact, lance\.$"):
        index_gallery(work / "aligner", gallery, engine="faiss")


def test_nothing_loads_an_engine_before_it_is_wanted():
    script = "import sys, gentle_clip_jax.searching; print({'lance'} & {*sys.modules})"
    command = [sys.executable, "-c", script]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert said == "set()\n"
