"""What is said of errors: what, where, what to do; and never a traceback."""

import argparse
import errno
import os
import subprocess
import sys

import pytest

from gentle_clip_jax.commands import failures, main

NOWHERE = argparse.Namespace()


@pytest.mark.parametrize(
    ("error", "args", "words"),
    [
        (
            OSError(28, "No space left on device"),
            {"workdir": "a/b"},
            ["--workdir=a/b", "free some"],
        ),
        (OSError(28, "No space left on device"), {}, ["A file", "free some space"]),
        (OSError(17, "File exists", "out"), {"out": "out"}, ["out cannot be used", "move what"]),
        (OSError(13, "Permission denied", "a", None, "b"), {}, ["b cannot be used", "who may"]),
        (OSError(5, "Input/output error", b"\xff"), {}, ["Input/output error", "run the same"]),
        (OSError("a sentence of its own."), {}, ["a sentence of its own."]),
        (ValueError("two\nlines"), {}, ["two lines"]),
        (MemoryError(), {}, ["not enough memory"]),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory"), {}, ["not enough memory"]),
        (ModuleNotFoundError("No module named 'grain'", name="grain.python"), {}, ["[quickstart]"]),
    ],
)
def test_errors_that_a_user_can_mend(error, args, words):
    said, code = failures.format_error(error, argparse.Namespace(**args))
    assert code == 2
    assert "\n" not in said
    assert all(word in said for word in words), said


OURS = [TypeError("a\nb"), KeyError("x"), ValueError(), RecursionError()]


@pytest.mark.parametrize("error", OURS)
def test_what_only_we_can_mend_says_so(error):
    said, code = failures.format_error(error, NOWHERE)
    assert code == 1
    assert "\n" not in said
    assert "bug of gentle-clip" in said
    assert type(error).__name__ in said
    assert "--traceback" in said


def test_every_error_of_the_system_has_a_remedy():
    for number in errno.errorcode:
        said, code = failures.format_error(OSError(number, os.strerror(number), "a"), NOWHERE)
        assert code == 2
        assert said.count(": ") <= 1 + os.strerror(number).count(": ")
        assert said.endswith(".") or not said  # a broken pipe has no reader


def test_a_fault_of_ours_is_one_line(monkeypatch, capsys):
    def fail(*_):
        raise TypeError("unhashable\nthing")

    monkeypatch.setattr("gentle_clip_jax.report.write_report", fail)
    assert main.main(["report", "--workdir=run"]) == 1
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1
    assert "TypeError: unhashable thing, test_failures.py line" in err
    with pytest.raises(TypeError):
        main.main(["--traceback", "report", "--workdir=run"])


def test_a_reader_that_leaves_is_no_error():
    """As in gentle-clip data list | head -1."""
    script = "import sys; from gentle_clip_jax.commands.main import main; sys.exit(main())"
    command = [sys.executable, "-c", script, "data", "list"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        process.stdout.close()
        assert process.stderr.read() == ""


def test_names_that_are_no_text_are_printed(tmp_path):
    name = os.fsdecode(b"run\xff")
    command = [sys.executable, "-m", "gentle_clip_jax", "report", f"--workdir={tmp_path / name}"]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 2
    assert "run\\udcff holds no run" in process.stderr
    assert process.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["[/b]", "[bold]x", "[link=a]"])
def test_values_ids_and_paths_are_no_markup(name, tmp_path, monkeypatch, capsys):
    import numpy as np

    monkeypatch.chdir(tmp_path)
    ids = np.array([f"{name} {k}" for k in range(14)])
    for side, width in (("x", 4), ("y", 3)):
        rows = np.random.default_rng(width).normal(size=(14, width))
        np.savez(tmp_path / f"{name}{side}.npz".replace("/", "_"), features=rows, ids=ids)
    x, y = (f"--{side}={name}{side}.npz".replace("/", "_") for side in "xy")
    names = [f"--x-name={name}", f"--y-name={name} 2"]
    assert main.main(["diagnose", x, y, *names, "--verbose", "--out=found"]) == 0
    assert f"14 items of {name} " in " ".join(capsys.readouterr().out.split())
    line = [x, y, *names, "--workdir=w", "--methods=procrustes", "--verbose"]
    assert main.main(["compare", *line]) == 0
    assert name in capsys.readouterr().out


def test_a_missing_file_is_named_with_its_option_and_the_nearest_name(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    for folder in ("features/pictures", "aligner"):
        (tmp_path / folder).mkdir(parents=True)
    for line, said in {
        "ask --x=featurs/pictures --out=o": "--x: There is no file or folder featurs/pictures. Did "
        "you mean features/pictures?",
        "index --aligner=alinger --in=x": "--aligner: There is no folder alinger. Did you mean "
        "aligner?",
        "ask --x=nothing/like/it --out=o": "--x: There is no file or folder nothing/like/it.",
    }.items():
        assert main.main(line.split()) == 2
        assert capsys.readouterr().err == f"gentle-clip: {said}\n"
