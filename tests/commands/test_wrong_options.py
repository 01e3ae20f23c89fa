"""Every option of every command, given what it cannot mean: one sentence, or it is accepted.

No traceback, no fault of our own, no hang; options are found in the parsers themselves.
"""

import argparse
import functools
import os
import pathlib
import shutil
import signal
import types

import jax
import numpy as np
import pytest
import tiny_encoders
from PIL import Image

from gentle_clip_jax.commands import main
from gentle_clip_jax.encoders.published import pretrained
from gentle_clip_jax.reviewing import demonstration
from gentle_clip_jax.training.check import check

_PATIENCE = 60  # seconds of a try, in which nothing may hang
WORDS = ("red", "green", "blue")
WRONG = [
    "", " ", "-1", "0", "1.5", "nan", "inf", "-inf", "1e20", "99999999999999999999", "1e-400",
    "[/b]", "[bold]x", "none/there.npz", "x" * 300, "x" * 5000, "../..", "{dir}", "{empty}",
    "{garbage}", "{fifo}", "{bytes}", "{zero}", "a,b", "\udcff", "%s%n", "--",
]  # fmt: skip
GARBAGE = b"\x00\xff[/b]{\n" * 9
PARTS = 6
LONG = ("align", "compare", "diagnose")  # what they accept takes them long


def options():
    """Command, option and its action, of all that the parser has; positionals by their metavar."""
    found = []

    def walk(parser, path):
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for name, child in action.choices.items():
                    walk(child, (*path, name))
            elif path and not isinstance(action, argparse._HelpAction):
                found.append((path, max(action.option_strings, default=action.dest)))

    walk(main._parser(), ())
    return found


class Hub:
    """Takes all that is pushed to it."""

    def __init__(self, **_):
        pass

    def create_repo(self, repo, **_):
        assert repo.count("/") == 1

    def upload_folder(self, **_):
        return "hub/org/name/commit/0"


COMMANDS = sorted({path for path, _ in options()})


@pytest.fixture(scope="module", autouse=True)
def one_parser():
    """What a process makes once is made once here too: it takes longer than most refusals."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "_parser", functools.cache(main._parser))
        yield


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """Sound files for every command, and unsound ones to put in their places."""
    ground = tmp_path_factory.mktemp("ground")
    rng = np.random.default_rng(0)
    ids = np.array([f"i{k}" for k in range(24)])
    for name, width in (("x", 6), ("y", 5)):
        np.savez(ground / f"{name}.npz", features=rng.normal(size=(24, width)), ids=ids)
    (ground / "pairs.csv").write_text("".join(f"i{k},i{k}\n" for k in range(12)))
    # A review finds nothing to ask, and so does not wait for a browser.
    (ground / "all_pairs.csv").write_text("".join(f"i{k},i{k}\n" for k in range(24)))
    scores = [f"i{i},j{j},{rng.normal() + 4 * (i == j)}\n" for i in range(70) for j in range(70)]
    (ground / "scores.csv").write_text("".join(["x,y,score\n", *scores]))
    (ground / "known.csv").write_text("".join(["x,y\n", *(f"i{k},j{k}\n" for k in range(60))]))
    (ground / "texts.csv").write_text("id,text\na,red\nb,green blue\n")
    for name in ("pictures", "empty", "dir"):
        (ground / name).mkdir()
    (ground / "dir" / "file").touch()
    Image.new("RGB", (8, 8), (9, 9, 9)).save(ground / "pictures" / "a.png")
    for suffix in ("", ".csv", ".py", ".json"):
        (ground / f"garbage{suffix}").write_bytes(GARBAGE)
    os.mkfifo(ground / "fifo")
    # Never the device itself: what is written by renaming would replace it, for all of the machine.
    (ground / "zero").symlink_to("/dev/zero")
    pathlib.Path(os.fsdecode(os.fsencode(ground) + b"/\xff\xfe.npz")).write_bytes(b"x")
    pair = [f"--x={ground}/x.npz", f"--y={ground}/y.npz", f"--pairs={ground}/pairs.csv"]
    assert main.main(["align", *pair, f"--out={ground}/aligner", "--method=procrustes"]) == 0
    return ground


@pytest.fixture
def light(monkeypatch, tmp_path_factory):
    """Training is over when it is known whether it could begin; encoders take no time."""
    train = "gentle_clip_jax.training.loop.train"
    done = types.SimpleNamespace(step=1, skipped=0)
    monkeypatch.setattr(train, lambda config, workdir: check(config) or done)
    folder = tmp_path_factory.mktemp("weights")
    tiny_encoders.install(folder, monkeypatch, WORDS, first=2)
    real = pretrained.folder
    names = ("minilm", "efficientnet-lite0")
    monkeypatch.setattr(pretrained, "folder", lambda name: folder if name in names else real(name))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    monkeypatch.setattr("gentle_clip_jax.reviewing.server.serve", lambda *_: None)
    monkeypatch.setattr(demonstration, "STEPS", demonstration.STEPS[:1])  # the others: their tests
    monkeypatch.setattr(demonstration, "show", lambda out: 0)


def sound(path, ground, out):
    """Arguments by option with which a command works."""
    x, y, pairs = ground / "x.npz", ground / "y.npz", ground / "pairs.csv"
    pair = {"--x": x, "--y": y, "--pairs": pairs}
    return {
        ("ask",): {"--x": x, "--out": out, "--num": 3},
        ("align",): {**pair, "--out": out, "--method": "procrustes"},
        ("calibrate",): {
            "--scores": ground / "scores.csv",
            "--pairs": ground / "known.csv",
            "--out": out,
        },
        ("embed",): {"--aligner": ground / "aligner", "--x": x, "--out": out},
        ("search",): {"--aligner": ground / "aligner", "--in": x, "--like": "i1", "--side": "x"},
        ("match",): {**pair, "--aligner": ground / "aligner", "--out": out, "--share": 0.5},
        ("index",): {
            "--aligner": ground / "aligner",
            "--in": pathlib.Path(shutil.copy(x, f"{out}.npz")),
            "--side": "x",
        },
        ("quickstart",): {"--out": out, "--num": 60},
        ("export",): {"--aligner": ground / "aligner", "--out": out, "--format": "numpy"},
        ("push",): {"--aligner": ground / "aligner", "repo": "org/name"},
        ("doctor",): {},
        ("review",): {
            **pair,
            "--pairs": pathlib.Path(shutil.copy(ground / "all_pairs.csv", f"{out}.pairs.csv")),
            "--aligner": ground / "aligner",
        },
        ("encode",): {"--encoder": "minilm", "--data": ground / "texts.csv", "--out": out},
        ("compare",): {**pair, "--workdir": out, "--methods": "procrustes", "--seed": 1},
        ("diagnose",): {**pair, "--out": out},
        ("train",): {"--config": "icons", "--workdir": out},
        ("evaluate",): {"--workdir": out},
        ("report",): {"--workdir": out},
        ("example",): {"--out": out, "--num": 2},
        ("data", "list"): {},
        ("data", "prepare"): {"name": "folder", "--data": ground / "pictures", "--out": out},
    }[path]


def given(path, arguments):
    line = [*path]
    for name, value in arguments.items():
        line += [f"{name}={value}"] if name.startswith("--") else [str(value)]
    return line


def too_long(*_):
    raise AssertionError(f"it goes on for more than {_PATIENCE} s")


def tried(line, capsys):
    """Exit code and errors of a command, which must be one sentence where it refuses."""
    capsys.readouterr()
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(_PATIENCE)
    try:
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            code = main.main(line)
    except SystemExit as error:
        code = error.code
    finally:
        signal.alarm(0)
    errors = capsys.readouterr().err
    assert code in (0, 2), (line, code, errors)
    if code == 2:
        assert errors.startswith("gentle-clip: "), (line, errors)
        assert errors.count("\n") == 1, (line, errors)
        assert errors.endswith(".\n"), (line, errors)
    assert "Traceback" not in errors
    assert "not enough memory" not in errors, (line, errors)
    return code, errors


def places(value, ground):
    at = {"dir": ground / "dir", "empty": ground / "empty", "garbage": ground / "garbage.npz"}
    at |= {"fifo": ground / "fifo", "bytes": os.fsdecode(os.fsencode(ground) + b"/\xff\xfe.npz")}
    at |= {"zero": ground / "zero"}
    return str(at[value[1:-1]]) if value[:1] == "{" else value


def try_all(path, values, ground, tmp_path, monkeypatch, capsys):
    own = [name for command, name in options() if command == path]
    for name in own:
        for number, value in enumerate(values[name]):
            here = tmp_path / f"{name.strip('-')}-{number}" / "a" / "b"
            here.mkdir(parents=True)
            monkeypatch.chdir(here)
            (ground / "garbage.npz").write_bytes(GARBAGE)  # options of output have replaced it
            arguments = sound(path, ground, here / "out") | {name: places(value, ground)}
            tried(given(path, arguments), capsys)
    return own


@pytest.mark.usefixtures("light")
@pytest.mark.parametrize(
    ("part", "path"),
    [
        pytest.param(part, path, marks=pytest.mark.slow if part or path[0] in LONG else ())
        for part in range(PARTS)
        for path in COMMANDS
    ],
    ids=lambda value: value if isinstance(value, int) else " ".join(value),
)
def test_every_wrong_value_of_each_option(
    part, path, ground, tmp_path, monkeypatch, capsys, record_property
):
    """A sixth of the values of each option at a time; another sixth for its neighbour."""
    own = [name for command, name in options() if command == path]
    values = {name: WRONG[(k + part) % PARTS :: PARTS] for k, name in enumerate(own)}
    record_property("tries", sum(map(len, values.values())))
    try_all(path, values, ground, tmp_path, monkeypatch, capsys)


# They need a run, or take long.
ELSEWHERE = ("quickstart", "evaluate", "report", "data")
WORKING = [path for path in COMMANDS if path[0] not in ELSEWHERE]


@pytest.mark.usefixtures("light")
@pytest.mark.parametrize("path", WORKING, ids=" ".join)
def test_sound_values_are_accepted(path, ground, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, errors = tried(given(path, sound(path, ground, tmp_path / "out")), capsys)
    assert code == 0, errors


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["encode", "--encoder=minilm", "--data=", "--out=a"], ["--data", "the path is empty"]),
        (["train", "--config=mine.py", "--workdir=w"], ["cannot be trained", "no task"]),
        (["ask", "--x=a", "--out=b", "--seed=-1"], ["--seed", "from 0 to 4294967295", "'-1'"]),
        (["match", "--share=2"], ["--share", "up to 1", "'2'"]),
    ],
)
def test_what_is_said(line, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    config = (
        "import ml_collections\n\n\ndef get_config(base):\n    return ml_collections.ConfigDict()\n"
    )
    (tmp_path / "mine.py").write_text(config)
    code, errors = tried(line, capsys)
    assert code == 2
    assert all(word in errors for word in words), errors


@pytest.mark.parametrize("option", ["--html", "--csv"])
@pytest.mark.parametrize("kind", ["fifo", "zero", "dir"])
def test_pipes_and_devices_are_not_replaced(option, kind, ground, capsys):
    line = [
        "search",
        f"--aligner={ground}/aligner",
        f"--in={ground}/x.npz",
        "--like=i1",
        "--side=x",
    ]
    before = (ground / kind).lstat()
    code, errors = tried([*line, f"{option}={ground / kind}"], capsys)
    assert code == 2
    assert "is a folder, a device or a pipe" in errors
    assert (ground / kind).lstat().st_ino == before.st_ino


def test_pairs_that_will_grow_are_a_file(ground, tmp_path, capsys):
    sides = [f"--x={ground}/x.npz", f"--y={ground}/y.npz", f"--aligner={ground}/aligner"]
    for kind in ("fifo", "zero", "dir"):
        code, errors = tried(["review", *sides, f"--pairs={ground / kind}"], capsys)
        assert code == 2
        assert "argument --pairs" in errors
    assert not (ground / "zero.bak").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--coordinator=localhost"], ["'localhost'", "HOST:PORT"]),
        (["--coordinator=localhost:99999"], ["'localhost:99999'", "1 to 65535"]),
        (["--coordinator=localhost:0"], ["1 to 65535"]),
        (["--coordinator=localhost:٣"], ["1 to 65535"]),
        (["--coordinator=:80"], ["HOST:PORT"]),
        (["--num-processes=2"], ["need the address of the first process"]),
        (["--process-id=0"], ["need the address of the first process"]),
        (
            ["--coordinator=localhost:81", "--num-processes=2", "--process-id=2"],
            ["not one of 2 processes"],
        ),
        (
            ["--coordinator=no-such-host.invalid:81", "--num-processes=2", "--process-id=1"],
            ["no-such-host.invalid is unknown"],
        ),
    ],
)
@pytest.mark.usefixtures("light")
def test_processes_that_cannot_meet(options, words, tmp_path, capsys):
    line = ["train", "--config=icons", f"--workdir={tmp_path / 'w'}", *options]
    code, errors = tried(line, capsys)
    assert code == 2
    assert all(word in errors for word in words), errors
