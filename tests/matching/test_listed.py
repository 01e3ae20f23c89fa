"""Lists at a chosen error: their share of wrong matches, its bound, and what the command says."""

import csv
import json
import re

import numpy as np
import pytest
from scipy import stats

import gentle_clip_jax as gc
from gentle_clip_jax.commands import main
from gentle_clip_jax.evaluation.listed import Outcomes, listed

ITEMS, SHARE = 600, 0.7


def drawn(rng, pairs, share=SHARE, *, rate=0.6, right=(4.0, 2.0), wrong=(2.0, 4.0)):
    """Outcomes of a model with beta scores of right and of wrong matches, and which are right."""

    def scores(count, has_partner):
        is_right = has_partner & (rng.random(count) < rate)
        ends = (np.where(is_right, *both) for both in zip(right, wrong))
        return rng.beta(*ends), is_right

    score, is_right = scores(ITEMS, rng.random(ITEMS) < share)
    held_out, of_pairs = scores(pairs, np.ones(pairs, bool))
    absent, _ = scores(pairs, np.zeros(pairs, bool))
    return Outcomes(score, held_out, of_pairs.astype(float), absent), is_right


MODELS = {
    "scores that overlap": {},
    "scores that separate": {"right": (8, 1.5), "wrong": (1.5, 8)},
    "scores that tell nothing, nearly all wrong": {"rate": 0.05, "right": (1, 1), "wrong": (1, 1)},
    "scores that tell nothing, half wrong": {"rate": 0.49, "right": (1, 1), "wrong": (1, 1)},
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("share", [1.0, SHARE])
@pytest.mark.parametrize("pairs", [60, 200])
def test_a_list_has_at_most_the_chosen_share_of_wrong_matches(model, share, pairs):
    rng, draws = np.random.default_rng(0), 50
    for fdr in (0.1, 0.2, 0.5):
        wrong, uppers = [], []
        for _ in range(draws):
            outcomes, right = drawn(rng, pairs, share, **MODELS[model])
            found = listed(outcomes, share, fdr)
            if len(found.rows):
                wrong.append(1 - right[found.rows].mean())
                uppers.append(found.upper)
        if wrong and len(wrong) > 3:
            assert np.mean(wrong) <= fdr + 1.64 * np.std(wrong) / np.sqrt(len(wrong))
            assert np.mean(np.array(wrong) <= uppers) >= 0.91
        if "nothing" in model:
            assert len(wrong) <= 3  # one in a hundred by luck
        if "separate" in model and fdr >= 0.2 and (share == 1 or pairs == 200):
            assert len(wrong) >= 0.9 * draws


def test_a_list_is_that_of_the_definition():
    """A slow copy of the tests, one start after the other."""
    rng = np.random.default_rng(1)
    for trial in range(20):
        outcomes, _ = drawn(rng, 200, 1.0, right=(6, 1.5))
        held_out = np.round(outcomes.held_out, 2) if trial % 2 else outcomes.held_out  # ties
        outcomes = outcomes._replace(held_out=held_out)
        for fdr in (0.1, 0.2, 0.4):
            thresholds, available, least = np.unique([-1, *held_out])[::-1][1:], 0.0, np.inf
            waiting = {0: 0.009, 3: 0.001}
            for threshold in thresholds:
                above = held_out > threshold
                for allowed, level in [*waiting.items()]:
                    if stats.binom.cdf(allowed, above.sum(), fdr) <= level:
                        available += waiting.pop(allowed)
                wrong = np.sum(1 - outcomes.right[above])
                if available and stats.binom.cdf(wrong, above.sum(), fdr) <= available:
                    least = threshold
                else:
                    available = 0.0
            expected = np.flatnonzero(outcomes.score > least)
            assert sorted(listed(outcomes, 1.0, fdr).rows) == [*expected]


def test_the_surest_come_first_and_missing_matches_are_in_no_list():
    outcomes, _ = drawn(np.random.default_rng(2), 300)
    score = outcomes.score.copy()
    score[np.argsort(-score)[:5]] = np.nan
    found = listed(outcomes._replace(score=score), SHARE, 0.5)
    assert (np.diff(score[found.rows]) <= 0).all()
    assert not np.isnan(score[found.rows]).any()
    assert len(listed(outcomes._replace(score=np.full(3, np.nan)), SHARE, 0.5).rows) == 0


def test_more_items_without_a_partner_shorten_the_list():
    outcomes, _ = drawn(np.random.default_rng(3), 300, right=(8, 2))
    outcomes = outcomes._replace(absent=outcomes.held_out)
    lengths = [len(listed(outcomes, share, 0.5).rows) for share in (1.0, 0.9, 0.5)]
    assert lengths[0] > lengths[1] > lengths[2] == 0


def test_the_same_outcomes_give_the_same_list():
    outcomes, _ = drawn(np.random.default_rng(4), 300, right=(8, 2))
    first, second = (listed(outcomes, SHARE, 0.3) for _ in range(2))
    assert [*first.rows] == [*second.rows]
    assert len(first.rows)


def test_ties_of_partners_count_in_part():
    outcomes, _ = drawn(np.random.default_rng(5), 300, 1.0, right=(8, 2))
    lengths = [
        len(listed(outcomes._replace(right=part * outcomes.right), 1.0, 0.4).rows)
        for part in (1.0, 0.9, 0.5)
    ]
    assert lengths[0] > lengths[1] > lengths[2] == 0


def test_where_there_is_no_list_the_surest_outcomes_are_counted():
    scores = np.linspace(0, 1, 60)
    outcomes = Outcomes(np.linspace(0, 1, 50), scores, (scores < 0.9).astype(float), np.zeros(60))
    found = listed(outcomes, 1.0, 0.2)
    assert len(found.rows) == 0
    assert (found.needed, found.wrong, found.upper) == (22, 6, 0)
    assert 0.8**22 <= 0.009 < 0.8**21
    few = listed(outcomes, 1.0, 0.05)
    assert few.needed == 92
    assert few.wrong is None
    nothing = outcomes._replace(held_out=np.full(60, np.nan))
    assert len(listed(nothing, 1.0, 0.2).rows) == 0


def test_held_out_items_without_a_match_are_no_outcomes():
    outcomes, _ = drawn(np.random.default_rng(6), 300, 1.0, right=(8, 2))
    missing = np.full(40, np.nan)
    more = outcomes._replace(
        held_out=np.append(outcomes.held_out, missing),
        right=np.append(outcomes.right, np.zeros(40)),
        absent=np.append(outcomes.absent, missing),
    )
    assert [*listed(more, 1.0, 0.2).rows] == [*listed(outcomes, 1.0, 0.2).rows]


def test_match_says_what_a_list_needs(capsys, tmp_path):
    with pytest.raises(ValueError, match="fdr needs share, the share of the items of x that have"):
        gc.match("a", "x", "y", fdr=0.1)
    for fdr in (0, 1, -0.1, float("nan")):
        with pytest.raises(ValueError, match="share of wrong matches, above 0 and below 1"):
            gc.match("a", "x", "y", share=1, fdr=fdr)
    line = ["match", "--aligner=a", "--x=x", "--y=y", f"--out={tmp_path / 'out'}"]
    with pytest.raises(SystemExit):
        main.main([*line, "--share=1", "--fdr=0.1", "--accept=0.3"])
    assert "not allowed with argument" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_writes_the_list(capsys, tmp_path):
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(400, 8))
    for name in "xy":
        rows = hidden @ rng.normal(size=(8, 12)) + 0.2 * rng.normal(size=(400, 12))
        ids = np.array([f"{name}{i}" for i in range(400)])
        np.savez(tmp_path / f"{name}.npz", features=rows.astype(np.float32), ids=ids)
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("x,y\n" + "".join(f"x{i},y{i}\n" for i in range(100)))
    both = [f"--x={tmp_path / 'x.npz'}", f"--y={tmp_path / 'y.npz'}"]
    aligner, out = tmp_path / "aligner", tmp_path / "matches"
    assert main.main(["align", *both, f"--pairs={pairs}", "--method=cca", f"--out={aligner}"]) == 0
    line = ["match", f"--aligner={aligner}", *both, f"--out={out}"]
    assert main.main([*line, "--fdr=0.2"]) == 2
    assert "fdr needs share" in capsys.readouterr().err
    assert main.main([*line, "--share=1", "--fdr=1"]) == 2
    assert "give the share of wrong matches, above 0 and below 1" in capsys.readouterr().err
    assert main.main([*line, "--share=1", "--fdr=0.2"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    with (out / "accepted.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert f"The list has {len(rows)} matches, of which at most" in said
    assert "(with 95 % confidence; 20 % was chosen), according to 100 held-out pairs." in said
    assert len(rows) > 30
    assert not {row["x"] for row in rows} & {f"x{i}" for i in range(100)}
    assert np.mean([row["x"][1:] != row["y"][1:] for row in rows]) < 0.3
    assert (
        "20 % was chosen" in json.loads((out / "matches.json").read_text())["accepted"]["methods"]
    )
    html = (out / "matches.html").read_text("utf-8")
    (least,) = re.findall(r'id="least"[^>]* value="([^"]*)"', html)
    with (out / "matches.csv").open(newline="") as file:
        probability = {row["x"]: float(row["probability"]) for row in csv.DictReader(file)}
    least = float(least) / 100 - 1e-9
    assert {x for x, one in probability.items() if one >= least} == {row["x"] for row in rows}
    assert f"The list has {len(rows)} matches" in " ".join(html.split())
