"""What several processes need that one process can show; the rest is in tests/faults."""

import os
import signal
import socket
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from gentle_clip_jax.commands import main
from gentle_clip_jax.parallel import address, memory, mesh, processes

SCRIPT = """
import os, signal, sys
from gentle_clip_jax.commands import output
from gentle_clip_jax.parallel import processes
if not processes.is_supervised():
    with output._notices(quiet=False):  # as a command shows them
        sys.exit(processes.supervise())
print("E1125 12:00:00.000000 1 agent.cc:1] Polled an error", file=sys.stderr)
print("    @ 0x7fcc92f0cd5b  std::function", file=sys.stderr)
print("what a person said", file=sys.stderr, flush=True)
exec(sys.argv[1])
"""


@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({}, False),
        ({"JAX_COORDINATOR_ADDRESS": "localhost:1234"}, True),
        ({"SLURM_STEP_NUM_TASKS": "1"}, False),
        ({"SLURM_STEP_NUM_TASKS": "2"}, True),
        ({"OMPI_COMM_WORLD_SIZE": "4"}, True),
        ({"TPU_WORKER_HOSTNAMES": "a"}, False),
        ({"TPU_WORKER_HOSTNAMES": "a,b"}, True),
    ],
)
def test_a_cluster_says_whether_there_are_several(monkeypatch, variables, asked):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert processes.is_asked_for(None) == asked
    assert processes.is_asked_for("auto")


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("sys.exit(3)", 3, ""),
        ("os.abort()", 1, f"gentle-clip: {processes.LOST}\n"),
        ("os.kill(os.getpid(), 9)", 137, "gentle-clip: This process was ended by SIGKILL.\n"),
    ],
    ids=["exit", "abort", "kill"],
)
def test_the_parent_says_how_its_process_ended(tmp_path, end, code, said):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    process = subprocess.run([sys.executable, script, end], capture_output=True, text=True)
    assert process.returncode == code
    assert process.stderr == f"what a person said\n{said}"


def test_the_parent_passes_signals_on(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    wait = (
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5)); print('ready', flush=True); "
        "signal.pause()"
    )
    process = subprocess.Popen(
        [sys.executable, script, wait], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 5


def test_processes_that_cannot_meet(tmp_path):
    """Of a place whose port is taken, which JAX ends a process for by a signal."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        arguments = ["train", "--config=icons", f"--workdir={tmp_path}"]
        arguments += [f"--coordinator=localhost:{port}", "--num-processes=2", "--process-id=0"]
        command = [sys.executable, "-m", "gentle_clip_jax", *arguments]
        process = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert process.returncode == 2
    assert process.stderr.startswith(f"gentle-clip: Port {port} cannot be used (")
    assert process.stderr.count("\n") == 1


def test_a_free_port_can_be_listened_at():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    address.check_processes(f"localhost:{port}", 2, 0)


@pytest.mark.parametrize(
    ("variables", "given", "words"),
    [
        ({"JAX_COORDINATOR_ADDRESS": "here"}, (None, None, None), "'here' must be HOST:PORT"),
        ({"JAX_COORDINATOR_ADDRESS": "localhost:99999"}, (None, 1, 0), "port from 1 to 65535"),
        ({"JAX_NUM_PROCESSES": "two"}, ("localhost:81", None, 1), "JAX_NUM_PROCESSES=two"),
        (
            {"JAX_PROCESS_ID": "3"},
            ("localhost:81", 2, None),
            "--process-id=3 is not one of 2 processes",
        ),
        ({}, (None, 2, None), "need the address of the first process"),
    ],
)
def test_what_the_environment_says_is_checked(monkeypatch, variables, given, words):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=words):
        address.check_processes(*given)


def test_a_cluster_knows_where_its_processes_meet(monkeypatch):
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    address.check_processes(None, 2, 0)
    address.check_processes("auto", None, None)


def test_a_step_that_cannot_fit_is_refused_with_the_figure(monkeypatch, notices):
    step, rows = jax.jit(lambda rows: rows @ rows.T), jnp.ones((1024, 8))
    compiled = memory.compiled_to_fit(step, rows)
    np.testing.assert_array_equal(compiled(rows), 8)
    assert "a step takes 4 MiB on each of 4 devices" in notices()
    monkeypatch.setattr(memory, "limit_bytes", lambda device: 3 * 2**20)
    with pytest.raises(ValueError, match=r"needs 4 MiB on each device, which has 3: raise"):
        memory.compiled_to_fit(step, rows)
    assert "takes 4 MiB of 3 on each" in notices()


def test_large_arrays_are_spread_along_their_longest_axis():
    tree = {
        "matrix": jnp.zeros((128, 256)),
        "kernel": jnp.zeros((3, 3, 64, 64)),
        "odd": jnp.zeros((129, 300)),
        "vector": jnp.zeros(1024),
        "step": jnp.int32(0),
    }
    devices = mesh.data_mesh(4)
    assert dict(devices.shape) == {"data": 1, "fsdp": 4}
    found = jax.tree.map(lambda sharding: sharding.spec, mesh.of_state(tree, devices))
    assert found == {
        "matrix": PartitionSpec(None, "fsdp"),
        "kernel": PartitionSpec(None, None, "fsdp"),
        "odd": PartitionSpec(None, "fsdp"),
        "vector": PartitionSpec(),
        "step": PartitionSpec(),
    }
    placed = mesh.place(tree, mesh.of_state(tree, devices))
    assert placed["matrix"].addressable_shards[0].data.shape == (128, 64)
    whole = mesh.of_state(tree, mesh.data_mesh())
    assert all(sharding.spec == PartitionSpec() for sharding in jax.tree.leaves(whole))


@pytest.mark.parametrize("fsdp", [0, 3, 8, 128])
def test_devices_that_cannot_share(fsdp):
    with pytest.raises(ValueError, match=rf"divides the number of devices, 4, not {fsdp}\."):
        mesh.data_mesh(fsdp)


def test_a_process_that_fails_alone_does_not_wait(monkeypatch, capsys):
    left = []
    monkeypatch.setattr(processes, "is_supervised", lambda: True)
    monkeypatch.setattr(processes, "leave", left.append)
    assert main.main(["report", "--workdir=no/such/folder"]) == 2
    assert left == [2]
