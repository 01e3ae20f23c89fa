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


@pytest.mark.parametrize(("known", "noise"), [(60, 0.2), (60, 0.5), (200, 0.5)])
def test_the_expected_number_holds_the_true_one(known, noise):
    found = []
    for seed in range(500, 520):
        result = gc.calibrate(*draw(seed, known + 150, known, noise, top=10))
        found.append(result.expected.low <= right(result.rows).sum() <= result.expected.high)
    assert sum(found) >= 17


def test_reliability_is_not_optimistic():
    """The stated probabilities of known pairs are as far from the outcomes as those of matches."""
    gaps = []
    for seed in range(100, 120):
        result = gc.calibrate(*draw(seed, 260, 60, 0.4, top=5))
        stated = np.array([row["probability"] for row in result.rows])
        bins = result.reliability
        shares = np.array([[one.probability, one.value, one.pairs] for one in bins]).T
        known = np.sum(shares[2] * (shares[0] - shares[1]) ** 2) / shares[2].sum()
        order = np.array_split(np.argsort(stated), len(bins))
        wrong = right(result.rows)
        new = np.mean([(stated[rows].mean() - wrong[rows].mean()) ** 2 for rows in order])
        gaps.append((known, new))
    known, new = np.mean(gaps, axis=0)
    assert known > new


def test_lists_of_sixty_pairs_are_at_most_as_wrong_as_chosen():
    errors = []
    for seed in range(200, 225):
        found = gc.calibrate(*draw(seed, 260, 60, 0.35, top=10), fdr=0.2).accepted
        errors += [1 - right(found).mean()] if found else []
    assert len(errors) > 10
    assert np.mean(errors) < 0.2
    assert np.mean(np.array(errors) > 0.25) < 0.05


def test_the_order_of_rows_and_pairs_does_not_matter():
    scores, known = draw(7, 150, 80, 0.5)
    order, of_pairs = (np.random.default_rng(0).permutation(len(of["x"])) for of in (scores, known))
    mixed = {name: np.asarray(column)[order] for name, column in scores.items()}
    others = {name: np.asarray(column)[of_pairs] for name, column in known.items()}
    settings = {"share": 0.8, "fdr": 0.3, "coverage": 0.8}
    one, other = (gc.calibrate(*given, **settings) for given in ((scores, known), (mixed, others)))
    assert one.rows == other.rows
    assert one.sets == other.sets
    assert one.metadata == other.metadata


@pytest.mark.parametrize(
    ("coverage", "noise", "top"),
    [(0.5, 0.5, 150), (0.9, 0.5, 150), (0.5, 0.5, 60), (0.9, 0.5, 60), (0.7, 0.8, 20)],
)
def test_sets_hold_the_partner_as_often_as_asked(coverage, noise, top):
    """In the last case, a fifth of the partners have no row."""
    held, sizes = [], []
    for seed in range(300, 312):
        scores, known = draw(seed, 260, 60, noise, top)
        result = gc.calibrate(scores, known, coverage=coverage)
        members = {}
        for one in result.sets:
            members.setdefault(one["x"], []).append(one["y"])
        held.append(np.mean([f"b{r['x'][1:]}" in members.get(r["x"], []) for r in result.rows]))
        sizes.append(len(result.sets) / len(result.rows))
    assert abs(np.mean(held) - coverage) < 0.05
    assert np.mean(sizes) < 25
    assert f"hold the partner with a probability of {100 * coverage:g} %" in result.summary
    assert "all are expected to have a partner" in result.summary


@pytest.mark.parametrize("top", [None, 60, 10])
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_sets_of_both_kinds_of_items_have_the_coverage(top, share):
    """A half of the items to match have no partner in the table, whatever the given share is."""
    held, none, others = [], [], []
    for seed in range(400, 420):
        scores, known, alone = draw_with_some_alone(seed, top)
        result = gc.calibrate(scores, known, share=share, coverage=0.9)
        sets = {(one["x"], one["y"]) for one in result.sets}
        items = [row["x"] for row in result.rows]
        none.append(np.mean([(x, "") in sets for x in items if x in alone]))
        others.append(np.mean([(x, "") in sets for x in items if x not in alone]))
        held.append(np.mean([(x, f"b{x[1:]}") in sets for x in items if x not in alone]))
    assert 0.87 < np.mean(held) < 0.93
    assert 0.87 < np.mean(none) < 0.93
    assert np.mean(others) < np.mean(none) - 0.1


def draw_with_some_alone(seed, top):
    """Return scores and 100 known pairs of 260 items, and the items of x without a partner."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(260, 12)), 0.35 * rng.normal(size=(260, 12))
    y += x + 0.35 * rng.normal(size=x.shape)
    x, y = (of / np.linalg.norm(of, axis=1, keepdims=True) for of in (x, y))
    order = rng.permutation(260)
    alone = order[180:]  # half of those that are not known
    similar = x @ y.T
    similar[:, alone] = -9  # never among the best rows
    scores = table(similar, 180 if top is None else top)
    return scores, pairs(order[:100]), {f"a{i}" for i in alone}


def test_no_partner_is_in_no_set_if_all_have_one_and_in_each_if_nothing_else_is_known():
    scores, known = draw(10, 200, 80, 0.2, top=1)
    result = gc.calibrate(scores, known, coverage=0.8)
    assert all(one["y"] for one in result.sets)
    # Nobody knows what is best beside the partners where the table has one row of each x.
    result = gc.calibrate(scores, known, coverage=0.8, share=0.9)
    assert {one["x"] for one in result.sets if not one["y"]} == {r["x"] for r in result.rows}
    assert "for 120 items, no partner is possible too" in result.summary


def test_members_of_sets_begin_with_the_match():
    result = gc.calibrate(*draw(8, 200, 100, 0.4), coverage=0.8)
    first, seen = {row["x"]: row for row in result.rows}, set()
    for one in result.sets:
        if one["x"] not in seen:
            assert {name: first[one["x"]][name] for name in one} == pytest.approx(one)
        seen.add(one["x"])
    assert [*dict.fromkeys(one["x"] for one in result.sets)] == sorted(seen)


def test_sets_that_cannot_be_given():
    scores, known = draw(9, 200, 80, 0.8, top=1)
    result = gc.calibrate(scores, known, coverage=0.9)
    assert result.sets == []
    assert "No sets hold the partner with a probability of 90 %:" in result.summary
    few = gc.calibrate(scores, known, coverage=0.99)
    assert few.sets == []
    assert "No prediction sets: there are 80 pairs, and a coverage of 0.99 needs 99." in few.summary
    with pytest.raises(ValueError, match="coverage must be above 0 and below 1, not 1"):
        gc.calibrate(scores, known, coverage=1)


def test_pairs_without_rows_of_their_x_are_counted():
    scores, known = draw(3, top=3)
    more = {"x": [*known["x"], "c1", "c2"], "y": [*known["y"], "b1", "b2"]}
    result = gc.calibrate(scores, more)
    assert "because the table has no row of their x: 2 pairs." in result.summary
    assert "Not used" not in gc.calibrate(scores, known).summary


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
    result = gc.calibrate(*draw(5, noise=0.4), share=0.9, fdr=0.2, coverage=0.9)
    result.save(tmp_path / "out")
    names = {"matches.csv", "accepted.csv", "sets.csv", "calibrated.html", "calibrated.json"}
    assert names <= {path.name for path in (tmp_path / "out").iterdir()}
    lines = (tmp_path / "out/accepted.csv").read_text().splitlines()
    assert lines[0] == "x,y,probability,decision"
    assert len(lines) == 1 + len(result.accepted)
    lines = (tmp_path / "out/sets.csv").read_text().splitlines()
    assert lines[0] == "x,y,probability"
    assert len(lines) == 1 + len(result.sets)
    assert any(line.split(",")[1] == "" for line in lines)
    gc.calibrate(*draw(5)).save(tmp_path / "out")
    assert not (tmp_path / "out/sets.csv").exists()
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
