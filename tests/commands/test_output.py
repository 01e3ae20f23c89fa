"""What commands say: lines and what was written, one JSON object, or nothing; and progress."""

import argparse
import io
import json
import pathlib
import re
import shlex

import jax
import numpy as np
import pytest
import tiny_encoders
import tiny_run
from rich.console import Console

from gentle_clip_jax.commands import main
from gentle_clip_jax.storage import progress
from gentle_clip_jax.tasks.icons import task as icons

ROOT = pathlib.Path(__file__).parents[2]
TINY = [
    f"--config.{name}"
    for name in (
        "model.image.width=16",
        "model.text.width=16",
        "model.embedding_dim=16",
        "train.steps=2",
        "train.batch_matched=8",
        "train.batch_unmatched=8",
        "train.checkpoint_every=2",
        "optimizer.warmup_steps=1",
    )
]


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


@pytest.mark.slow
def test_every_command_on_files_has_its_object(files, capsys):
    sides = f"--x={files}/x.npz", f"--y={files}/y.npz", f"--pairs={files}/pairs.csv"
    aligner = f"--aligner={files}/aligner"
    gallery = f"--in={files}/x.npz", "--side=x", "--like=i3", "--num=2"
    commands = {
        "align": (*sides, f"--out={files}/aligner", "--method=cca"),
        "embed": (aligner, f"--x={files}/x.npz", f"--out={files}/rows"),
        "match": (aligner, *sides, f"--out={files}/matches"),
        "search": (aligner, *gallery, f"--csv={files}/hits.csv"),
        "ask": (sides[0], "--num=3", f"--out={files}/ask"),
        "diagnose": (*sides, f"--out={files}/diagnosis"),
        "compare": (*sides, "--methods=cca", f"--workdir={files}/compare"),
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
    assert found["align"]["metadata"]["method"] == "cca"
    assert found["embed"]["rows"] == 80
    assert len(found["search"]["hits"]) == 2
    assert len(found["ask"]["items"]) == 3
    assert found["diagnose"]["counts"]["pairs"] == 20
    assert {one["method"] for one in found["compare"]["methods"]} == {"cca"}


def commands_of(parser, path=()):
    """Every command with its parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                inner = [*commands_of(child, (*path, name))]
                yield from inner or [((*path, name), child)]


def test_every_command_can_speak_to_programs_and_be_quiet():
    for name, parser in commands_of(main._parser()):
        assert {"--json", "--quiet"} <= {*parser._option_string_actions}, name


def test_every_help_has_a_purpose_an_example_and_a_page():
    root = main._parser()
    titles = {path.read_text().partition("\n")[0][2:] for path in (ROOT / "docs").glob("*.md")}
    for name, parser in [((), root), *commands_of(root)]:
        purpose, *_, example, page = parser.description.splitlines()
        assert re.fullmatch(r"[A-Z].*\w\.", purpose), name
        command = shlex.split(example.removeprefix("Example: gentle-clip "))
        assert tuple(command[: len(name)]) == name
        args, overrides = root.parse_known_args(command)  # else it ends the test
        assert all(word.startswith("--config.") for word in overrides), example
        assert args.command
        title = re.fullmatch('More: page "(.*)" of the documentation', page)[1]
        assert title in titles, page


def test_examples_and_data_sets_have_their_objects(tmp_path, capsys):
    pytest.importorskip("PIL")
    out = tmp_path / "example"
    said = json.loads(run(capsys, "example", "--num=3", f"--out={out}", "--json")[0])
    assert said["number"] == 3
    assert said["outputs"] == [str(out / name) for name in ("pictures", "texts", "answers.csv")]
    sheet = tmp_path / "ask.csv"
    sheet.write_text("x,y\npicture-1,\n")
    filled = run(capsys, "example", f"--out={out}", f"--answer={sheet}", "--json")[0]
    assert json.loads(filled) == {"filled": 1, "outputs": [str(sheet)]}
    said = json.loads(run(capsys, "data", "list", "--json")[0])
    assert said["data_sets"]["rsicd"]["field"] == "remote sensing"
    for line in (["data", "list"], ["example", "--num=3", f"--out={tmp_path / 'other'}"]):
        assert run(capsys, *line, "--quiet") == ("", "")


def test_features_have_their_object(tmp_path, monkeypatch, capsys):
    tiny_encoders.install(tmp_path, monkeypatch, ("red", "green", "blue"), first=2)
    (tmp_path / "texts.csv").write_text("id,text\na,red\nb,blue red\n")
    line = "encode", "--encoder=minilm", f"--data={tmp_path / 'texts.csv'}"
    part = json.loads(run(capsys, *line, f"--out={tmp_path / 'p'}", "--shard=0/1", "--json")[0])
    whole = json.loads(run(capsys, "encode", "--merge", f"--out={tmp_path / 'p'}", "--json")[0])
    found = json.loads(run(capsys, *line, f"--out={tmp_path / 'f'}", "--json")[0])
    assert part["num_rows"] == whole["num_rows"] == found["num_rows"] == 2
    assert found["outputs"] == [str(tmp_path / "f")]
    assert run(capsys, *line, f"--out={tmp_path / 'f'}", "--quiet") == ("", "")


def test_reviews_have_their_object(files, monkeypatch, capsys):
    sides = f"--x={files}/x.npz", f"--y={files}/y.npz", f"--pairs={files}/pairs.csv"
    run(capsys, "align", *sides, f"--out={files}/aligner", "--method=cca")
    monkeypatch.setattr("gentle_clip_jax.reviewing.server.serve", lambda *_: None)
    line = "review", f"--aligner={files}/aligner", *sides, "--json"
    said = json.loads(run(capsys, *line)[0])
    assert said["outputs"] == [str(files / "pairs.csv")]


@pytest.mark.slow
def test_runs_have_their_objects(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(icons, "load_data", lambda config, workdir: tiny_run.dataset())
    here = f"--workdir={tmp_path}"
    with jax.numpy_dtype_promotion("standard"):  # Optax's Adam promotes its count of steps
        line = "train", "--config=icons", here, *TINY, "--json"
        assert json.loads(run(capsys, *line)[0]) == {
            "step": 2,
            "skipped": 0,
            "outputs": [str(tmp_path)],
        }
    measured = json.loads(run(capsys, "evaluate", here, "--json")[0])
    assert measured["metrics"]["mean_recall"].keys() == {"value", "low", "high"}
    names = ("evaluation.json", "embeddings.npz")
    assert measured["outputs"] == [str(tmp_path / name) for name in names]
    page = json.loads(run(capsys, "report", here, "--json")[0])
    assert page["outputs"] == [str(tmp_path / "report.html")]
    for line in (["evaluate", here], ["report", here]):
        assert run(capsys, *line, "--quiet") == ("", "")


def test_the_last_line_names_what_was_written(files, capsys):
    sides = f"--x={files}/x.npz", f"--y={files}/y.npz", f"--pairs={files}/pairs.csv"
    out, _ = run(capsys, "diagnose", *sides, f"--out={files}/d")
    assert out.splitlines()[-1] == f"Written: {files}/d/diagnosis.html, {files}/d/diagnosis.json."
    out, _ = run(capsys, "diagnose", *sides)
    assert "Written" not in out


def test_the_next_command_has_the_paths_that_were_given(tmp_path, monkeypatch, capsys):
    pytest.importorskip("PIL")
    monkeypatch.chdir(tmp_path)
    out, _ = run(capsys, "example", "--num=3", "--out=my example")
    assert "my example/answers.csv has the true pairs" in out
    first, second = out.splitlines()[-1].removeprefix("Next: ").split(" && ")
    encode = "gentle-clip encode --encoder="
    assert (
        first == f"{encode}efficientnet-lite0 '--data=my example/pictures' --out=features/pictures"
    )
    tiny_encoders.install(tmp_path, monkeypatch, ("red", "green", "blue"), first=2)
    for words in (first, second):
        out, _ = run(capsys, *shlex.split(words)[1:])
    data = "--x=features/pictures --y=features/texts --pairs=pairs.csv"
    assert out.splitlines()[-1] == f"Next: gentle-clip review {data}"
    args, _ = main._parser().parse_known_args(shlex.split(out.splitlines()[-1])[2:])
    assert args.pairs == "pairs.csv"
    shard = shlex.split(second)[1:-1]
    out, _ = run(capsys, *shard, "--shard=0/1", "--out=parts")
    assert "gentle-clip encode --merge --out=parts" in out.splitlines()[-1]


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
    with progress.shown(lambda: Console(stderr=True)):
        for one in progress.track("ab", "holding pairs out"):
            # Within a step there is no bar of its own.
            assert [*progress.track(range(2), "inner")] == [0, 1], one
        assert [*progress.track(iter("ab"), "folds", total=2)] == [*"ab"]
    assert "holding pairs out" in stderr.getvalue()
    assert "2/2" in stderr.getvalue()
    assert "inner" not in stderr.getvalue()


def test_work_of_unknown_length_is_shown_on_a_terminal(monkeypatch):
    stderr = Terminal()
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    with progress.working("compiling"):
        assert stderr.getvalue() == ""
    with progress.shown(lambda: Console(stderr=True)), progress.working("compiling"):
        assert [*progress.track("ab", "inner")] == [*"ab"]
    assert "compiling" in stderr.getvalue()
    assert "inner" not in stderr.getvalue()


def test_progress_says_nothing_in_a_file(capsys):
    with progress.shown(lambda: Console(stderr=True)), progress.working("compiling"):
        assert [*progress.track(range(3), "folds")] == [0, 1, 2]
    assert capsys.readouterr() == ("", "")
