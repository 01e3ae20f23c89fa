"""Ctrl-C at any moment of a command: exit code 130 and one line."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

SAID = "gentle-clip: Stopped. Run the same command again to continue.\n"
TRIES = int(os.environ.get("GENTLE_CLIP_CTRL_C", "2"))  # of each command; 20 in a release
LINES = {
    "ask": ["--x=x.npz", "--out=ask"],
    "align": ["--x=x.npz", "--y=y.npz", "--pairs=pairs.csv", "--out=aligner"],
    "embed": ["--aligner=a", "--x=x.npz", "--out=b"],
    "search": ["--aligner=a", "--in=x.npz", "words"],
    "match": ["--aligner=a", "--x=x.npz", "--y=y.npz", "--out=m"],
    "review": ["--aligner=a", "--x=x.npz", "--y=y.npz", "--pairs=pairs.csv", "--port=0"],
    "encode": ["--encoder=efficientnet-lite0", "--data=pictures", "--out=f"],
    "compare": ["--x=x.npz", "--y=y.npz", "--pairs=pairs.csv", "--workdir=w"],
    "diagnose": ["--x=x.npz", "--y=y.npz", "--pairs=pairs.csv"],
    "train": ["--config=icons", "--workdir=run"],
    "evaluate": ["--workdir=run"],
    "report": ["--workdir=run"],
    "example": ["--out=example", "--num=20000"],
    "data list": [],
    "data prepare": ["folder", "--data=pictures", "--out=to"],
}
# Says when it listens: before, Python starts and imports a few lines of ours.
SCRIPT = """
import sys
from gentle_clip_jax.parallel import interrupt
from gentle_clip_jax.commands.main import main

listen = interrupt.listen

def listen_and_say():
    listen()
    sys.stdout.write("up\\n"); sys.stdout.flush()

interrupt.listen = listen_and_say
sys.exit(main())
"""


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    ground = tmp_path_factory.mktemp("ground")
    rng = np.random.default_rng(0)
    ids = np.array([f"i{k}" for k in range(400)])
    for name in ("x", "y"):
        np.savez(ground / f"{name}.npz", features=rng.normal(size=(400, 64)), ids=ids)
    (ground / "pairs.csv").write_text("".join(f"i{k},i{k}\n" for k in range(100)))
    (ground / "pictures").mkdir()
    return ground


def stopped(name, after, ground):
    """Exit code and errors of a command that gets a SIGINT so many seconds after it listens."""
    command = [sys.executable, "-c", SCRIPT, *name.split(), *LINES[name]]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # A program that is half written would be one that all later tests cannot read.
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": ""}
    with subprocess.Popen(command, cwd=ground, env=environment, **pipes) as process:
        assert process.stdout.readline() == "up\n"
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def ended_alone(name, ground):
    command = [sys.executable, "-c", SCRIPT, *name.split(), *LINES[name]]
    return subprocess.run(command, cwd=ground, capture_output=True, text=True).returncode


def check(name, after, ground):
    code, errors = stopped(name, after, ground)
    if code == 130:
        assert errors.count("gentle-clip: Stopped") == 1, (name, after, errors)
        assert errors.count("\n") == 1, (name, after, errors)
        return True
    # It had ended before, by itself; while Python ends, the signal does what it does everywhere.
    assert code in (0, 2, -signal.SIGINT), (name, after, code, errors)
    assert "Traceback" not in errors, (name, after, errors)
    assert errors.count("\n") <= 1, (name, after, errors)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("name", LINES)
def test_in_the_first_second(name, ground, record_property):
    record_property("tries", TRIES)
    rng = random.Random(name)
    moments = [0.0, *(rng.uniform(0.0, 1.0) for _ in range(TRIES - 1))]
    found = [check(name, after, ground) for after in moments]
    assert any(found)


def test_while_packages_are_imported(ground):
    for after in (0.0, 0.3):
        assert check("align", after, ground)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("time.sleep(60)", 130),
        # An exception that is lost, as in a callback of a library.
        ("import weakref\nclass A: pass\na = A(); w = weakref.ref(a, lambda _: time.sleep(60))\n"
         "del a\ntime.sleep(60)", 130),
        # One that something takes for its own.
        ("try: time.sleep(60)\nexcept BaseException: pass\ntime.sleep(60)", 130),
        # A module that is imported when it comes.
        ("sys.path.insert(0, '.'); import slow_module", 130),
        # A command that handles it, as review does, and goes on for longer than others may.
        ("try: time.sleep(60)\nexcept KeyboardInterrupt: interrupt.handled(); time.sleep(1.5)\n"
         "sys.exit(0)", 0),
    ],
    ids=["raised", "lost", "taken", "importing", "handled"],
)  # fmt: skip
def test_wherever_it_comes(body, code, tmp_path):
    (tmp_path / "slow_module.py").write_text("import time; time.sleep(60)\n")
    (tmp_path / "body.py").write_text(body)
    script = (
        "import sys, time\n"
        "from gentle_clip_jax.commands import main\n"
        "from gentle_clip_jax.parallel import interrupt\n"
        "interrupt._GRACE = 0.5\n"
        "def run(argv, is_step):\n"
        "    print('up', flush=True)\n"
        "    exec(open('body.py').read(), globals())\n"
        "main._run = run\n"
        "sys.exit(main.main())\n"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, **pipes
    ) as process:
        assert process.stdout.readline() == "up\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == code
        assert process.stderr.read().endswith(SAID) == (code == 130)
