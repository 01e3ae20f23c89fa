"""What commands say: lines and what was written, one JSON object, or nothing; and progress."""

import io
import json

import numpy as np
import pytest

from gentle_clip_jax import progress
from gentle_clip_jax.commands import main


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    common = rng.normal(size=(80, 3))
    for name, width in (("x", 6), ("y", 5)):
        rows = common @ rng.normal(size=(3, width)) + 0.1 * rng.normal(size=(80, width))
        np.savez(tmp_path / f"{name}.npz", features=rows, ids=[f"i{k}" for k in range(80)])
    (tmp_path / "pairs.csv").write_text("".join(f"i{k}\n" for k in range(20)))
    return tmp_path


def run(capsys, *argv):
    """What a command writes on stdout and stderr."""
    assert main.main([str(arg) for arg in argv]) == 0
    said = capsys.readouterr()
    return said.out, said.err


def test_every_command_on_files_has_its_object(files, capsys):
    sides = f"--x={files}/x.npz", f"--y={files}/y.npz", f"--pairs={files}/pairs.csv"
    aligner = f"--aligner={files}/aligner"
    gallery = f"--in={files}/x.npz", "--side=x", "--like=i3", "--num=2"
    commands = {
        "align": (*sides, f"--out={files}/aligner", "--method=cca"),
        "embed": (aligner, f"--x={files}/x.npz", f"--out={files}/rows"),
        "match": (aligner, *sides, f"--out={files}/matches"),
        "search": (aligner, *gallery, f"--csv={files}/hits.csv"),
        "ask": (sides[0], "--number=3", f"--out={files}/ask"),
        "diagnose": (*sides, f"--out={files}/diagnosis"),
        "compare": (*sides, "--methods=cca", "--seeds=2", f"--workdir={files}/compare"),
    }
    found = {}
    for name, options in commands.items():
        out, _ = run(capsys, name, *options, "--json")
        found[name] = json.loads(out)
        assert found[name]["outputs"], name
        for path in found[name]["outputs"]:
            assert path.startswith(str(files))
            assert (files / path).exists(), path
        if name in ("embed", "search", "diagnose"):
            assert run(capsys, name, *options, "--quiet") == ("", ""), name
    assert found["align"]["about"]["method"] == "cca"
    assert found["embed"]["rows"] == 80
    assert len(found["search"]["hits"]) == 2
    assert len(found["ask"]["items"]) == 3
    assert found["diagnose"]["counts"]["pairs"] == 20
    assert {run["method"] for run in found["compare"]["runs"]} == {"cca"}


def test_the_last_line_names_what_was_written(files, capsys):
    sides = f"--x={files}/x.npz", f"--y={files}/y.npz", f"--pairs={files}/pairs.csv"
    out, _ = run(capsys, "diagnose", *sides, f"--out={files}/d")
    assert out.splitlines()[-1] == f"Written: {files}/d/diagnosis.html, {files}/d/diagnosis.json."
    out, _ = run(capsys, "diagnose", *sides)
    assert "Written" not in out


def test_quiet_and_json_exclude_each_other(capsys):
    with pytest.raises(SystemExit):
        main.main(["doctor", "--quiet", "--json"])
    assert "not allowed with" in capsys.readouterr().err


def test_what_is_wrong_is_said_even_if_quiet(tmp_path, capsys):
    for way in ("--quiet", "--json"):
        code = main.main(["embed", f"--aligner={tmp_path}", "--x=none.npy", "--out=o", way])
        said = capsys.readouterr()
        assert code == 2
        assert "holds no aligner" in said.err
        assert said.out == ""


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_shown_on_a_terminal_where_a_command_asks(monkeypatch):
    stderr = Terminal()
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    assert [*progress.track(range(3), "holding pairs out")] == [0, 1, 2]
    assert stderr.getvalue() == ""
    with progress.shown():
        for one in progress.track("ab", "holding pairs out"):
            # Within a step there is no bar of its own.
            assert [*progress.track(range(2), "inner")] == [0, 1], one
        assert [*progress.track(iter("ab"), "folds", total=2)] == [*"ab"]
    assert "holding pairs out" in stderr.getvalue()
    assert "2/2" in stderr.getvalue()
    assert "inner" not in stderr.getvalue()


def test_progress_says_nothing_in_a_file(capsys):
    with progress.shown():
        assert [*progress.track(range(3), "folds")] == [0, 1, 2]
    assert capsys.readouterr() == ("", "")
