"""Scores of another program beside pairs that are no random sample of the items to match."""

import pytest
from test_from_scores import draw, right

import gentle_clip_jax as gc


def chosen(seed, random, noise=0.8):
    """Return scores, and 160 pairs of which some are drawn at random and the easiest were asked."""
    scores, known = draw(seed, n=900, known=600, noise=noise)
    partner = dict(zip(known["x"], known["y"]))
    own = {x: s for x, y, s in zip(*scores.values()) if partner.get(x) == y}
    easiest = sorted(known["x"][random:], key=own.__getitem__)[::-1][: 160 - random]
    items = [*known["x"][:random], *easiest]
    words = ["random"] * random + ["asked"] * len(easiest)
    return scores, {"x": items, "y": [partner[x] for x in items], "origin": words}


def test_pairs_drawn_at_random_count_alone_where_they_suffice():
    scores, known = chosen(0, 100)
    found = gc.calibrate(scores, known, fdr=0.2, coverage=0.9)
    assert "rest on 100 pairs that are a random sample of the items to match" in found.summary
    assert found.metadata["pairs"] == 100
    assert found.metadata["others"] == 60
    assert found.expected.low <= right(found.rows).sum() <= found.expected.high
    unknown = gc.calibrate(scores, {side: known[side] for side in "xy"})
    assert unknown.expected.low > right(found.rows).sum()  # the easiest pairs promise too much


def test_where_too_few_are_drawn_at_random_nothing_is_guaranteed():
    found = gc.calibrate(*chosen(1, 20), fdr=0.5, coverage=0.9)
    assert found.accepted == []
    assert found.sets == []
    why = "only 20 of the 160 pairs are a random sample of the items to match"
    assert f"No list at a chosen error: {why}" in found.summary
    assert f"No prediction sets: {why}" in found.summary
    assert "Answer 40 screens that review shows at random" in found.summary
    assert found.metadata["lacking"] == 40


def test_origins_are_read_from_files_too(tmp_path):
    scores, known = chosen(2, 20)
    path = tmp_path / "pairs.csv"
    rows = "".join(f"{x},{y},{word}\n" for x, y, word in zip(*known.values()))
    path.write_text(f"x,y,origin\n{rows}")
    assert gc.calibrate(scores, path).summary == gc.calibrate(scores, known).summary


def test_rejected_matches_and_lines_without_a_partner_are_no_pairs():
    scores, known = draw(3)
    plain = gc.calibrate(scores, known)
    first, second = [f"a{i}" for i in range(600) if f"a{i}" not in known["x"]][:2]
    wrong = {"x": [first, second], "y": ["b5", ""], "decision": ["rejected", ""]}
    lines = {side: [*known[side], *wrong[side]] for side in "xy"}
    lines["decision"] = [""] * len(known["x"]) + wrong["decision"]
    assert gc.calibrate(scores, lines).summary == plain.summary


def test_items_whose_partner_was_not_found_count_as_missed(tmp_path):
    """A review keeps them beside the file of pairs."""
    scores, known = chosen(4, 100)
    path = tmp_path / "pairs.csv"
    path.write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in zip(known["x"], known["y"])))
    folder = tmp_path / "pairs.csv.review"
    folder.mkdir()
    drawn = [f"{x},{y},random\n" for x, y in zip(known["x"][:100], known["y"])]
    free = [f"a{i}" for i in range(900) if f"a{i}" not in known["x"]]
    missed = [f"{x},,random\n" for x in free[:60]]
    found = []
    for lines in (drawn, drawn + missed):
        (folder / "origins.csv").write_text("x,y,origin\n" + "".join(lines))
        found.append(gc.calibrate(scores, path))
    assert [one.metadata["missed"] for one in found] == [0, pytest.approx(60, abs=30)]
    assert found[1].expected.value < 0.9 * found[0].expected.value
