"""Lists at a chosen error: the share of wrong matches stays below it, and so does its bound."""

import csv
import json

import numpy as np
import pytest

from gentle_clip_jax.commands import main
from gentle_clip_jax.matching.listed import Outcomes, listed

ITEMS, SHARE = 600, 0.7


def drawn(rng, pairs, share=SHARE):
    """Outcomes of a model in which right matches score higher, and which matches are right."""

    def scores(count, has_partner):
        right = has_partner & (rng.random(count) < 0.6)
        return rng.beta(np.where(right, 4, 2), np.where(right, 2, 4)), right

    score, right = scores(ITEMS, rng.random(ITEMS) < share)
    held_out, of_pairs = scores(pairs, np.ones(pairs, bool))
    absent, _ = scores(pairs, np.zeros(pairs, bool))
    return Outcomes(score, held_out, of_pairs.astype(float), absent), right


@pytest.mark.parametrize("pairs", [60, 300])
@pytest.mark.parametrize("fdr", [0.1, 0.2, 0.5])
def test_the_share_of_wrong_matches_is_at_most_the_chosen_one(pairs, fdr):
    rng, wrong, held, lengths = np.random.default_rng(0), [], [], []
    for _ in range(300):
        outcomes, right = drawn(rng, pairs)
        found = listed(outcomes, SHARE, fdr)
        lengths.append(len(found.rows))
        if len(found.rows):
            wrong.append(1 - right[found.rows].mean())
            held.append(wrong[-1] <= found.upper)
            assert found.expected <= fdr <= found.upper
    # None is wrong in an empty list.
    assert np.sum(wrong) / 300 <= fdr + 1.64 * np.std([*wrong, *[0] * (300 - len(wrong))]) / 17
    assert np.mean(held) >= 0.91
    assert np.mean(lengths) > (10 if pairs == 60 else 30) or fdr == 0.1


def test_a_list_is_that_of_the_definition():
    rng = np.random.default_rng(1)
    outcomes, _ = drawn(rng, 100)
    outcomes = outcomes._replace(score=np.round(outcomes.score, 2))  # with ties
    p = np.array(
        [
            (
                1
                + SHARE * np.sum((1 - outcomes.right) * (outcomes.held_out >= score))
                + (1 - SHARE) * np.sum(outcomes.absent >= score)
            )
            / 101
            for score in outcomes.score
        ]
    )
    for fdr in (0.05, 0.15, 0.3, 0.9):
        ordered = np.sort(p)
        passed = np.flatnonzero(ordered <= fdr * np.arange(1, ITEMS + 1) / ITEMS)
        expected = np.flatnonzero(p <= ordered[passed[-1]]) if len(passed) else []
        assert sorted(listed(outcomes, SHARE, fdr).rows) == [*expected]


def test_the_surest_come_first_and_missing_matches_are_in_no_list():
    outcomes, _ = drawn(np.random.default_rng(2), 300)
    score = outcomes.score.copy()
    score[np.argsort(-score)[:5]] = np.nan
    found = listed(outcomes._replace(score=score), SHARE, 0.5)
    assert (np.diff(score[found.rows]) <= 0).all()
    assert not np.isnan(score[found.rows]).any()
    assert len(listed(outcomes._replace(score=np.full(3, np.nan)), SHARE, 0.5).rows) == 0


def test_more_items_without_a_partner_shorten_the_list():
    outcomes, _ = drawn(np.random.default_rng(3), 300)
    outcomes = outcomes._replace(absent=outcomes.held_out)
    lengths = [len(listed(outcomes, share, 0.3).rows) for share in (1.0, 0.8, 0.5)]
    assert lengths[0] > lengths[1] > lengths[2]


def test_where_nothing_can_be_promised_the_best_list_is_told():
    right = np.zeros(60)
    outcomes = Outcomes(np.linspace(0, 1, 50), np.linspace(0, 1, 60), right, np.zeros(60))
    found = listed(outcomes, 1.0, 0.1)
    assert len(found.rows) == 0
    assert 0.8 < found.least[0] <= 1
    assert found.least[1] > 0


def test_the_command_says_what_a_list_needs(capsys, tmp_path):
    line = ["match", "--aligner=a", "--x=x", "--y=y", f"--out={tmp_path / 'out'}"]
    assert main.main([*line, "--fdr=0.1"]) == 2
    assert "fdr needs share, the share of the items of x that have a partner" in (
        capsys.readouterr().err
    )
    assert main.main([*line, "--share=1", "--fdr=1"]) == 2
    assert "give the share of wrong matches, above 0 and below 1" in capsys.readouterr().err
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
    line = ["match", f"--aligner={aligner}", *both, "--share=1", "--fdr=0.2", f"--out={out}"]
    assert main.main(line) == 0
    said = " ".join(capsys.readouterr().out.split())
    with (out / "accepted.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert f"The list has {len(rows)} matches, of which at most 20 % are expected" in said
    assert len(rows) > 30
    assert not {row["x"] for row in rows} & {f"x{i}" for i in range(100)}
    assert np.mean([row["x"][1:] != row["y"][1:] for row in rows]) < 0.3
    assert (
        "at most 20 % are expected"
        in json.loads((out / "matches.json").read_text())["accepted"]["methods"]
    )
