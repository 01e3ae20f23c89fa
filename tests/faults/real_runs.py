"""Training processes of their own, which tests stop, kill and start again."""

import contextlib
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).parent
COMMAND = [sys.executable, str(HERE / "tiny_command.py")]
PATIENCE = 240  # seconds; a machine may be busy


class Process:
    """gentle-clip on the tiny task; what it prints is collected as it comes, with the time."""

    def __init__(self, *arguments, devices=1, environment=None, **options):
        self.started = time.monotonic()
        self.popen = subprocess.Popen(
            [*COMMAND, str(devices), *map(str, arguments)],
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )
        self.lines: list[tuple[float, str]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.popen.stdout:
            self.lines.append((time.monotonic() - self.started, line.rstrip()))

    @property
    def text(self):
        return " ".join(" ".join(line for _, line in self.lines).split())

    def wait_for(self, happened, what):
        """Waits until happened() is true while the process runs; returns whether it is."""
        while not (result := happened()) and self.popen.poll() is None:
            assert time.monotonic() - self.started < PATIENCE, f"no {what}: {self.text}"
            time.sleep(0.005)
        return result

    def wait_for_step_after(self, workdir, step):
        self.wait_for(lambda: last_step(workdir) > step, f"step after {step}")

    def wait_for_text(self, words):
        assert self.wait_for(lambda: words in self.text, words), self.text

    def kill(self, number=signal.SIGKILL):
        self.popen.send_signal(number)

    def end(self, timeout=PATIENCE):
        """Waits for the end; returns the exit code."""
        code = self.popen.wait(timeout)
        self._reader.join(5)
        self.popen.stdout.close()
        return code

    def goes_on_after(self):
        """Seconds from the start until the run goes on, as it says."""
        return next((at for at, line in self.lines if "going on from" in line), None)


def train(workdir, *overrides, devices=1, environment=None, **options):
    """Starts a training run of the tiny task in a process of its own."""
    arguments = "train", f"--config={HERE / 'tiny_config.py'}", f"--workdir={workdir}"
    return Process(*arguments, *overrides, devices=devices, environment=environment, **options)


def train_together(workdir, count, *overrides, devices=1, **options):
    """Starts `count` processes that train together, with `devices` each."""
    port = free_port()
    return [
        train(
            workdir,
            f"--coordinator=localhost:{port}",
            f"--num-processes={count}",
            f"--process-id={number}",
            *overrides,
            devices=devices,
            **options,
        )
        for number in range(count)
    ]


def finish(workdir, *overrides, **options):
    """Trains to the end; returns the process."""
    process = train(workdir, *overrides, **options)
    assert process.end() == 0, process.text
    return process


def free_port():
    """A port that is free and stays so: below those that the system gives to others (Linux)."""
    while True:
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("localhost", port := random.randrange(20_000, 32_768)))
            return port


def last_state(workdir):
    """Step and SHA-256 of the newest checkpoint."""
    folder = pathlib.Path(workdir) / "checkpoints"
    step = max(int(path.name) for path in folder.iterdir() if path.name.isdigit())
    return step, json.loads((folder / str(step) / "manifest" / "metadata").read_text())["sha256"]


def logged(workdir, kind="train"):
    """The logged lines of a kind but for the speed, which no two runs share, and their check."""
    path = pathlib.Path(workdir) / "metrics.jsonl"
    lines = map(json.loads, path.read_text().splitlines() if path.exists() else [])
    drop = "examples_per_second", "check"
    return [
        {name: value for name, value in line.items() if name not in drop}
        for line in lines
        if line["kind"] == kind
    ]


def last_step(workdir):
    """The last step that was logged; 0 before the first."""
    path = pathlib.Path(workdir) / "metrics.jsonl"
    whole = [x for x in path.read_text().split("\n")[:-1] if x] if path.exists() else []
    return json.loads(whole[-1])["step"] if whole else 0
