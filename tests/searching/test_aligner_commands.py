"""The commands ask, align, embed and search, on encoders that take no time."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tiny_encoders
from by_folder import open_gallery
from PIL import Image

from gentle_clip_jax.aligners import load
from gentle_clip_jax.commands import aligners, options, output
from gentle_clip_jax.encoders.published import pretrained
from gentle_clip_jax.features import names
from gentle_clip_jax.features.encode import encode
from gentle_clip_jax.features.read import read
from gentle_clip_jax.searching.hits import search

WORDS = ("red", "green", "blue")


@pytest.fixture(scope="module", autouse=True)
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        tiny_encoders.install(folder, patch, WORDS, first=2)
        patch.setattr(pretrained, "folder", lambda source: folder)
        yield folder


@pytest.fixture(scope="module")
def work(tmp_path_factory, weights):
    """27 pictures of one colour, texts that say it, 9 pairs, and an aligner."""
    work = tmp_path_factory.mktemp("work")
    for name in ("pictures", "texts"):
        (work / name).mkdir()
    colours = [(r, g, b) for r in range(3) for g in range(3) for b in range(3)]
    for number, colour in enumerate(colours):
        pixels = tuple(20 + 90 * part for part in colour)
        Image.new("RGB", (8, 8), pixels).save(work / "pictures" / f"p{number}.png")
        said = " ".join(name for part, name in zip(colour, WORDS) for _ in range(part))
        (work / "texts" / f"t{number}.txt").write_text(said or "nothing")
    encode(work / "pictures", work / "x", encoder="efficientnet-lite0")
    encode(work / "texts", work / "y", encoder="minilm")
    (work / "pairs.csv").write_text("".join(f"p{i},t{i}\n" for i in (*range(0, 24, 3), 26)))
    run(
        "align",
        f"--x={work}/x",
        f"--y={work}/y",
        f"--pairs={work}/pairs.csv",
        f"--out={work}/aligner",
        "--method=cca",
    )
    return work


def run(*argv):
    parser = options.Command()
    aligners.add(parser.add_subparsers())
    args = parser.parse_args([str(arg) for arg in argv])
    assert output.run(args) == 0


def test_the_aligner_knows_its_encoders(work):
    metadata = json.loads((work / "aligner" / "aligner.json").read_text())["metadata"]
    assert metadata["encoders"]["x"]["encoder"] == "efficientnet-lite0"
    assert metadata["encoders"]["y"]["encoder"] == "minilm"
    assert metadata["modalities"] == ["x", "y"]


def test_align_says_the_verdict_first(work, capsys):
    sides = f"--x={work}/x", f"--y={work}/y", f"--pairs={work}/pairs.csv"
    run("align", *sides, f"--out={work}/again", "--method=ridge")
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("Of items that it has not seen, ")
    assert said[-2] == f"Written: {work}/again."
    # Nine pairs are too few for probabilities of matches.
    assert said[-1] == f"Next: gentle-clip review --aligner={work}/again {' '.join(sides)}"


_LIKE = """
import sys
from gentle_clip_jax.commands.main import main
aligner, gallery = sys.argv[1:]
assert main(["search", f"--aligner={aligner}", f"--in={gallery}", "--like=p18", "--num=4"]) == 0
assert not {"jax", "flax", "scipy", "jinja2", "pandas"} & sys.modules.keys()
"""


def test_a_search_by_an_item_loads_no_jax(work):
    argv = [sys.executable, "-c", _LIKE, str(work / "aligner"), str(work / "x")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    found = [line.split("\t")[1] for line in done.stdout.splitlines()[1:]]
    assert found == [
        hit.id for hit in search(load(work / "aligner"), work / "x", like="p18", num=4)
    ]


def test_words_find_pictures(work, capsys):
    argv = "search", f"--aligner={work}/aligner", f"--in={work}/x", "red red", "--num=3"
    run(*argv, f"--csv={work}/hits.csv", f"--html={work}/hits.html")
    head, *lines, last = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert head == ["Cosine with the query (not a probability), id, and file or text:"]
    assert len(lines) == 3
    assert last == [f"Written: {work}/hits.csv, {work}/hits.html."]
    assert lines[0][1] == "p18"
    assert lines[0][2] == str(work / "pictures" / "p18.png")
    assert (work / "hits.csv").read_text().startswith("rank,id,score,path,text\n1,p18,")
    assert (work / "hits.html").read_text().count("data:image/jpeg") == 3


def test_an_item_and_a_file_find_the_same(work):
    searcher = open_gallery(work / "aligner", work / "x")
    own = [hit.id for hit in searcher.like("p18", 4)]
    assert "p18" not in own
    from_file = [hit.id for hit in searcher.like(str(work / "pictures" / "p18.png"), 5)]
    assert from_file == ["p18", *own]
    assert [hit.id for hit in searcher.like(str(work / "texts" / "t18.txt"), 1)] == ["p18"]
    for item, hint in {
        "p99": r"did you mean 'p9'\?",
        "t3": r"it is an item of y: give the path of its file\.",
        "t99": r"it looks like an item of y",
        "banana": r"its ids look like 'p0'\.",
    }.items():
        with pytest.raises(
            ValueError, match=rf"There is no item '{item}' in .* and no such file; {hint}"
        ):
            searcher.like(item)


@pytest.mark.parametrize("query", ["p18", "pictures/p18.png", "texts/t18.txt"])
def test_the_page_of_similar_items_begins_with_the_query(query, work, monkeypatch):
    monkeypatch.chdir(work)
    search(work / "aligner", work / "x", like=query, num=2).save_html("like.html")
    page = (work / "like.html").read_text()
    assert page.index(f"<h2>{query.rpartition('/')[2]}</h2>") == page.index("<h2>")
    assert page.count("data:image/jpeg") == 2 + query.startswith("p")


def test_texts_are_searched_too(work, capsys):
    run("search", f"--aligner={work}/aligner", f"--in={work}/y", "--like=t18", "--num=1")
    assert "\tt" in capsys.readouterr().out
    hits = open_gallery(work / "aligner", work / "y").words("red red", 1)
    assert (hits[0].id, hits[0].text) == ("t18", "red red")


def test_embedded_features_are_read_and_searched(work, capsys):
    run("embed", f"--aligner={work}/aligner", f"--x={work}/x", f"--out={work}/aligned")
    assert capsys.readouterr().out == f"27 rows.\nWritten: {work}/aligned.\n"
    rows = read(work / "aligned")
    np.testing.assert_allclose(np.linalg.norm(rows.features, axis=1), 1, rtol=1e-5)
    found, raw = (open_gallery(work / "aligner", work / name) for name in ("aligned", "x"))
    assert found.words("blue", 5) == raw.words("blue", 5)
    run("embed", f"--aligner={work}/aligner", f"--x={work}/x", f"--out={work}/aligned")
    with pytest.raises(ValueError, match="x holds something else: use another folder"):
        run("embed", f"--aligner={work}/aligner", f"--x={work}/x", f"--out={work}/x")
    with pytest.raises(ValueError, match="has 4 features a row"):
        run("embed", f"--aligner={work}/aligner", f"--x={work}/y", f"--out={work}/other")


def test_other_weights_are_refused(work, weights, monkeypatch):
    monkeypatch.setattr("gentle_clip_jax.features.loading.sha256", lambda path: "other")
    searcher = open_gallery(work / "aligner", work / "x")
    with pytest.raises(ValueError, match="The weights of minilm are not those that made"):
        searcher.words("red")


def test_what_does_not_fit_is_refused(work, tmp_path):
    np.save(tmp_path / "wide.npy", np.ones((3, 9), np.float32))
    with pytest.raises(ValueError, match=r"wide\.npy has 9 features a row"):
        open_gallery(work / "aligner", tmp_path / "wide.npy")
    with pytest.raises(ValueError, match="give some words"):
        open_gallery(work / "aligner", work / "x").words(" ")
    with pytest.raises(ValueError, match="Give either words to search for, or --like"):
        run("search", f"--aligner={work}/aligner", f"--in={work}/x")
    with pytest.raises(ValueError, match="Give --in=PATH, the items to search"):
        run("search", f"--aligner={work}/aligner", "red")


def test_ask_shows_the_pictures_that_encode_knew(work, capsys):
    run("ask", f"--x={work}/x", "--num=5", f"--out={work}/ask")
    assert "5 items to describe" in capsys.readouterr().out
    assert (work / "ask" / "ask.html").read_text().count("data:image/jpeg") == 5
    run("ask", f"--x={work}/x", "--num=5", f"--out={work}/ask", f"--pairs={work}/pairs.csv")
    asked = (work / "ask" / "ask.csv").read_text().splitlines()[1:]
    assert not {line.split(",")[0] for line in asked} & {f"p{i}" for i in range(0, 27, 3)}


def test_without_a_collection_the_test_items_of_a_run_are_searched(monkeypatch, capsys):
    import gentle_clip_jax.training.evaluate as evaluate

    called = []
    monkeypatch.setattr(
        evaluate, "search", lambda *args, num: called.append((*args, num)) or ["a", "b"]
    )
    run("search", "--aligner=runs/icons", "shopping cart", "--num=5")
    assert capsys.readouterr().out == "a\nb\n"
    assert called == [("runs/icons", "shopping cart", 5)]
    with pytest.raises(ValueError, match="search takes only words and --num"):
        run("search", "--aligner=runs/icons", "--like=a")


def test_names_of_classes_need_no_pair(work, tmp_path, monkeypatch, capsys):
    """A classifier of colours, and what these are called, bring pictures and texts together."""
    classes = [(word, word) for word in WORDS]
    monkeypatch.setattr(names, "imagenet", lambda: classes)
    monkeypatch.setattr(names, "_classifier", lambda: np.eye(3, dtype=np.float32) / 30)
    sides = f"--x={work}/x", f"--y={work}/y"
    run("align", *sides, f"--out={tmp_path}/named", "--classes=encoder")
    assert "No pair says how well this does" in capsys.readouterr().out
    aligner = load(tmp_path / "named")
    assert aligner.metadata["expected"] is None
    x, y = (np.asarray(read(work / side).features) for side in "xy")
    ids = [[int(id_[1:]) for id_ in read(work / side).ids] for side in "xy"]
    cosines = np.asarray(aligner.embed_x(x) @ aligner.embed_y(y).T)
    own = np.array(ids[0])[:, None] == np.array(ids[1])
    rank = 1 + np.sum(cosines > cosines[own][:, None], axis=1)
    assert np.median(rank) <= 3  # of 27
    with pytest.raises(ValueError, match="No id is in both sets"):
        run("align", *sides, f"--out={tmp_path}/none")
