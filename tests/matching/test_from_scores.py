"""Calibration of scores of other programs: probabilities, lists, and messages."""

import json

import numpy as np
import openpyxl
import pytest

import gentle_clip_jax as gc


def draw(seed, n=600, known=300, noise=0.8, top=None):
    """Return scores and known pairs of n items, and rows of true partners among all."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, 12))
    x, y = (latent + noise * rng.normal(size=latent.shape) for _ in "xy")
    x, y = (of / np.linalg.norm(of, axis=1, keepdims=True) for of in (x, y))
    return table(x @ y.T, top), pairs(rng.permutation(n)[:known])


def table(scores, top=None):
    order = np.argsort(-scores, axis=1)[:, :top]
    x = np.repeat(np.arange(len(scores)), order.shape[1])
    values = np.take_along_axis(scores, order, axis=1).ravel()
    return {"x": [f"a{i}" for i in x], "y": [f"b{i}" for i in order.ravel()], "score": values}


def pairs(items):
    return {"x": [f"a{i}" for i in items], "y": [f"b{i}" for i in items]}


def right(rows):
    return np.array([row["x"][1:] == row["y"][1:] for row in rows], float)


@pytest.mark.parametrize("top", [None, 20, 3])
def test_probabilities_mean_what_they_say(top):
    result = gc.calibrate(*draw(0, top=top))
    stated = np.array([row["probability"] for row in result.rows])
    assert len(stated) == 300
    assert abs(stated.mean() - right(result.rows).mean()) < 0.1
    assert result.expected.low <= right(result.rows).sum() <= result.expected.high
    surest = np.argsort(-stated)[:100]
    assert right(result.rows)[surest].mean() > right(result.rows).mean() + 0.1


@pytest.mark.parametrize(
    "change",
    [
        lambda s, x: 40 * s + 1000,
        lambda s, x: s + x % 7,
        lambda s, x: np.exp(2 * s),
        lambda s, x: s * np.where(x % 2, 3.0, 1.0),
    ],
    ids=["units", "shift of each x", "monotone", "sharper for half of x"],
)
def test_probabilities_survive_miscalibrated_scores(change):
    scores, known = draw(1)
    items = np.array([int(x[1:]) for x in scores["x"]])
    result = gc.calibrate({**scores, "score": change(scores["score"], items)}, known)
    stated = np.array([row["probability"] for row in result.rows])
    assert abs(stated.mean() - right(result.rows).mean()) < 0.1


def test_a_monotone_transform_changes_lists_little():
    scores, known = draw(2, noise=0.5)
    lists = [
        {row["x"] for row in gc.calibrate({**scores, "score": s}, known, fdr=0.2).accepted}
        for s in (scores["score"], 5 * scores["score"] - 2, np.exp(scores["score"]))
    ]
    assert lists[0] == lists[1]
    assert len(lists[0]) > 50
    assert len(lists[0] & lists[2]) > 0.8 * len(lists[0] | lists[2])


def test_lists_are_at_most_as_wrong_as_chosen():
    errors = []
    for seed in range(20):
        found = gc.calibrate(*draw(seed, 400, 200, 0.6, top=20), fdr=0.2).accepted
        errors.append(1 - right(found).mean() if found else 0.0)
    assert np.mean(errors) < 0.2
    assert np.mean(np.array(errors) > 0.25) <= 0.1


def test_missing_partners_count_as_missed():
    scores, known = draw(3, top=1)
    result = gc.calibrate(scores, known)
    assert "have no row in the table and count as missed" in result.summary
    assert abs(sum(r["probability"] for r in result.rows) - right(result.rows).sum()) < 45


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: {"x": s["x"], "y": s["y"]}, "column 'score'"),
        (lambda s: {**s, "score": ["high", *s["score"][1:]]}, "not a finite number"),
        (lambda s: {**s, "score": [np.nan, *s["score"][1:]]}, "not a finite number"),
        (lambda s: {**s, "score": ["1_0", *s["score"][1:].astype(str)]}, "'1_0' is not a finite"),
        (lambda s: {**s, "y": [s["y"][1], *s["y"][1:]]}, "two rows of 'a0' and 'b"),
        (lambda s: {**s, "x": [*s["x"][:-1], " "]}, "row 10000 has no x"),
        (lambda s: {**s, "y": [*s["y"][:-1], None]}, "row 10000 has no y"),
        (lambda s: {**s, "x": [f"c{x}" for x in s["x"]]}, "0 pairs"),
        (lambda s: {**s, "y": [f"c{y}" for y in s["y"]]}, "same ids"),
        (lambda s: {**s, "score": np.ones(len(s["x"]))}, "equal"),
    ],
)
def test_bad_scores_are_named(change, said):
    scores, known = draw(4, 100, 70)
    with pytest.raises(ValueError, match=said):
        gc.calibrate(change(scores), known)


def test_bad_pairs_are_named():
    scores, _ = draw(4, 100, 70)
    with pytest.raises(ValueError, match="too few"):
        gc.calibrate(scores, pairs(range(59)))
    with pytest.raises(ValueError, match="two pairs"):
        gc.calibrate(scores, pairs([0, *range(70)]))
    with pytest.raises(ValueError, match="nothing left"):
        gc.calibrate(scores, pairs(range(100)))
    with pytest.raises(ValueError, match="fdr is 1"):
        gc.calibrate(scores, pairs(range(70)), fdr=1)


def test_it_writes_tables_and_a_page(tmp_path):
    result = gc.calibrate(*draw(5, noise=0.4), fdr=0.2)
    result.save(tmp_path / "out")
    names = {"matches.csv", "accepted.csv", "calibrated.html", "calibrated.json"}
    assert names <= {path.name for path in (tmp_path / "out").iterdir()}
    lines = (tmp_path / "out/accepted.csv").read_text().splitlines()
    assert lines[0] == "x,y,probability,decision"
    assert len(lines) == 1 + len(result.accepted)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="something else"):
        result.save(tmp_path / "other")


def european(columns):
    rows = zip(columns["x"], columns["y"], columns["score"])
    lines = [f"{x};Ä{y};{score:.6f}".replace(".", ",") for x, y, score in rows]
    return "\r\n".join(["x;y;score", *lines]).encode("cp1252")


@pytest.mark.parametrize("kind", ["european.csv", "tsv", "xlsx", "jsonl", "parquet", "frame"])
def test_every_form_of_a_table_gives_the_same(tmp_path, kind):
    scores, known = draw(6, 90, 70, top=9)
    columns = {**scores, "score": scores["score"].round(6)}
    if kind == "european.csv":
        known = {**known, "y": [f"Ä{y}" for y in known["y"]]}
    result = gc.calibrate(written(tmp_path / f"scores.{kind}", columns), known)
    same = gc.calibrate(columns, {**known, "y": [y.removeprefix("Ä") for y in known["y"]]})
    rows = [{**row, "y": row["y"].removeprefix("Ä")} for row in result.rows]
    assert rows == same.rows
    assert result.summary == same.summary


def written(path, columns):
    """Write a table of scores, and return what to give for it."""
    rows = [*zip(columns["x"], columns["y"], columns["score"].tolist())]
    frame = pytest.importorskip("pandas").DataFrame(columns)
    if path.suffix == ".frame":
        return frame
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".xlsx":
        book = openpyxl.Workbook()
        for row in [("x", "y", "score"), *rows]:
            book.active.append(row)
        book.save(path)
    elif path.suffix == ".jsonl":
        names = ("x", "y", "score")
        path.write_text("".join(json.dumps(dict(zip(names, row))) + "\n" for row in rows))
    elif path.suffix == ".tsv":
        path.write_text("x\ty\tscore\n" + "".join(f'"{x}"\t{y}\t{s}\n' for x, y, s in rows))
    else:
        path.write_bytes(european(columns))
    return path
