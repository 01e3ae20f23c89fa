"""The scripts that a newcomer starts with."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
SCRIPTS = [*sorted(ROOT.glob("launch/*.sh")), ROOT / ".ci" / "run"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_sound(script):
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    beside = pathlib.Path(sys.executable).parent
    if shellcheck := shutil.which("shellcheck", path=f"{beside}{os.pathsep}{os.environ['PATH']}"):
        subprocess.run([shellcheck, script], check=True)


@pytest.fixture
def checkout(tmp_path):
    """A copy of the scripts and of what they read, without a .venv."""
    shutil.copytree(ROOT / "launch", tmp_path / "launch")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["quickstart.sh", "test.sh"])
def test_a_python_that_will_not_do_is_named(name, checkout):
    process = subprocess.run(
        [checkout / "launch" / name],
        env=os.environ | {"PYTHON": "/usr/bin/false"},
        cwd="/",
        capture_output=True,
        text=True,
    )
    assert process.returncode == 1
    assert process.stderr.startswith("/usr/bin/false will not do: a Python 3.11, 3.12 or 3.13")
    assert not (checkout / ".venv").exists()


def test_what_is_installed_is_not_installed_again(checkout):
    (checkout / ".venv" / "bin").mkdir(parents=True)
    python = checkout / ".venv" / "bin" / "python"  # a stand-in that says what it is asked to do
    python.write_text('#!/usr/bin/env bash\nif [[ $1 == -m ]]; then echo "installs"; fi\n')
    python.chmod(0o755)
    outputs = [
        subprocess.run(
            [checkout / "launch" / "install.sh", extras], capture_output=True, text=True, check=True
        ).stdout
        for extras in ("dev,parity", "dev,parity", "dev", "dev,weights")
    ]
    assert ["installs" in output for output in outputs] == [True, False, False, True]
    assert outputs[1:3] == ["", ""]
