"""Several processes that train as one."""

import os
import shlex
import signal
import subprocess
import time

import numpy as np
import pytest
import real_runs as runs

STEPS = "--config.train.steps=24", "--config.train.checkpoint_every=8"
# Programs that are optimised less differ more by the order of sums, where devices share a state.
OPTIMIZED = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "0"}
# Where the input of a ReLU is within a rounding of 0, another order of sums turns it on or off, and
# later losses differ by 1e-4; under a GELU one rounding stays one.
SMOOTH = {"TINY_SMOOTH": "1"}
TERMS = ("loss/total", "loss/clip", "loss/mmd", "loss/sdd", "loss/ssl", "grad_norm")


def end_all(processes):
    for process in processes:
        assert process.end() == 0, process.text


def losses(workdir):
    lines = runs.logged(workdir)
    assert [line["step"] for line in lines] == list(range(1, 25))
    return np.array([[line[name] for name in TERMS] for line in lines])


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """One process with four devices."""
    folder = tmp_path_factory.mktemp("alone")
    runs.finish(folder, *STEPS, devices=4)
    return folder


def test_processes_share_a_state_as_devices_do(tmp_path):
    """Losses of devices that hold all over 24 steps: to 1e-6 in one process, to 1e-5 in two.

    One process adds the devices' gradients in their order, as where each holds all. Two add them
    around a ring, so that sums differ by one rounding, and losses by up to 2e-6.
    """
    wide, shared = (*STEPS, "--config.model.text.width=128"), "--config.mesh.fsdp=4"
    environment = OPTIMIZED | SMOOTH
    runs.finish(tmp_path / "whole", *wide, devices=4, environment=environment)
    runs.finish(tmp_path / "shared", *wide, shared, devices=4, environment=environment)
    together = tmp_path / "together"
    end_all(runs.train_together(together, 2, *wide, shared, devices=2, environment=environment))
    whole = losses(tmp_path / "whole")
    np.testing.assert_allclose(losses(tmp_path / "shared"), whole, rtol=1e-6)
    np.testing.assert_allclose(losses(together), whole, rtol=1e-5)


def test_the_script_trains_as_one(tmp_path, alone):
    script = runs.HERE.parents[1] / "launch" / "local_processes.sh"
    arguments = "2", f"--config={runs.HERE / 'tiny_config.py'}", f"--workdir={tmp_path}", *STEPS
    command = {"GENTLE_CLIP": shlex.join([*runs.COMMAND, "2"])}
    subprocess.run([script, *arguments], env=os.environ | command, check=True)
    np.testing.assert_allclose(losses(tmp_path), losses(alone), rtol=1e-6)
    assert runs.logged(tmp_path, "validation") == runs.logged(alone, "validation")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["SIGKILL", "SIGSTOP"])
@pytest.mark.parametrize("victim", [0, 1])
def test_one_that_is_lost_ends_the_others_in_a_sentence(tmp_path, record, number, victim):
    """Then all are started again, as many as there are now."""
    processes = runs.train_together(tmp_path, 2, "--config.train.steps=100000", devices=2)
    processes[0].wait_for_step_after(tmp_path, 6)
    trainer = child_of(processes[victim].popen.pid)
    start = time.monotonic()
    os.kill(trainer, number)
    other = processes[1 - victim]
    try:
        assert other.end(60) != 0
        seconds = time.monotonic() - start
    finally:
        if number == signal.SIGSTOP:
            os.kill(trainer, signal.SIGKILL)  # or it would stay, stopped
        processes[victim].end()
    assert seconds < 30
    assert "Another process was lost: it was killed or stopped, " in other.text
    assert "Traceback" not in other.text
    record(f"One of two processes: {number.name}", seconds=[seconds])


def test_another_number_of_processes_goes_on(tmp_path, alone, record):
    """One, then two, then one again: losses to 1e-5, with as many devices as processes."""
    processes, step = runs.train_together(tmp_path, 1, *STEPS), 0
    for before, after in ((1, 2), (2, 1)):
        processes[0].wait_for_step_after(tmp_path, step + 2)
        processes[0].kill(signal.SIGTERM)
        end_all(processes)
        step, _ = runs.last_state(tmp_path)
        processes = runs.train_together(tmp_path, after, *STEPS)
        processes[0].wait_for_text(f"going on from step {step} of 24")
        seconds = [processes[0].goes_on_after()]
        stopped = f"one of {before} processes" if before > 1 else "the only process"
        record(f"SIGTERM to {stopped}, continued with {after}", seconds=seconds)
    end_all(processes)
    np.testing.assert_allclose(losses(tmp_path), losses(alone), rtol=1e-5)


def child_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return int(file.read().split()[0])
