"""A folder of features made on a Ray cluster is the one that a single process makes."""

import json
import logging
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
import zipfile

import numpy as np
import pytest
from PIL import Image
from tiny_encoders import encode_by_command, encode_images, manifest

from gentle_clip_jax.features import encode, kept, update, work

ray = pytest.importorskip("ray", reason="run pip install '.[ray]' for this")
ray_engine = pytest.importorskip("gentle_clip_jax.features.ray_engine")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")]
HERE = pathlib.Path(__file__)
SILENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}


@pytest.fixture(scope="module")
def path():
    """Where processes of the cluster find the tiny encoders."""
    return os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])


@pytest.fixture(scope="module")
def cluster(path):
    """Two CPUs, and two GPUs by their name alone: JAX finds none."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, value in (SILENT | {"PYTHONPATH": path}).items():
            patch.setenv(name, value)
        quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
        ray.init(num_cpus=2, num_gpus=2, object_store_memory=2**28, **quiet)
        yield
        ray.shutdown()


@pytest.fixture(autouse=True)
def two_a_block(monkeypatch):
    monkeypatch.setattr(update, "BLOCK", 2)


@pytest.fixture
def pictures(pictures):
    """In files, a zip file and a parquet file; two are equal, and two cannot be used."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    content = {}
    for number in range(12):
        path = pictures / f"n{number}.png"
        Image.new("RGB", (9, 9), (number, 7, 9)).save(path)
        content[number] = path.read_bytes()
    with zipfile.ZipFile(pictures / "some.zip", "w") as archive:
        for number in (1, 2, 3):
            archive.write(pictures / f"n{number}.png", f"zipped/{number + 20}.png")
    images = [content[1], content[4]]
    pq.write_table(pa.table({"id": ["p", "q"], "image": images}), pictures / "more.parquet")
    (pictures / "c.png").write_bytes(b"no image")
    (pictures / "z.png").symlink_to("/dev/zero")
    return pictures


def assert_equal(one, other):
    np.testing.assert_allclose(
        np.load(one / "features.npy"), np.load(other / "features.npy"), atol=1e-6
    )
    assert (one / "rows.jsonl").read_bytes() == (other / "rows.jsonl").read_bytes()
    assert manifest(one)["skipped"] == manifest(other)["skipped"]
    assert sorted(p.name for p in one.iterdir()) == sorted(p.name for p in other.iterdir())


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("kind", "options"), [("pictures", ("--dtype=float16",)), ("texts", ("--workers=1",))]
)
def test_it_is_one_run(kind, options, request, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    data = request.getfixturevalue(kind).relative_to(tmp_path)
    options = [*options, "--batch-size=2"]
    assert (
        encode_by_command(data, tmp_path / "one", *(o for o in options if "workers" not in o)) == 0
    )
    said = capfd.readouterr()
    assert encode_by_command(data, tmp_path / "out", "--engine=ray", *options) == 0
    found = capfd.readouterr()
    assert (found.out, found.err) == (said.out.replace("/one", "/out"), said.err)
    assert_equal(tmp_path / "out", tmp_path / "one")


def slow(work, log):
    """A work that takes its time, and notes each part that is begun, and by which process."""

    def note(what, decoded):
        with log.open("a") as file:
            file.write(json.dumps([what, os.getpid(), len(decoded)]) + "\n")
        time.sleep(0.3)

    def decode(inputs, digests):
        note("decode", inputs)
        return work.decode(inputs, digests)

    def load():
        embed = work.load()

        def embed_slowly(decoded):
            note("embed", decoded)
            return embed(decoded)

        return embed_slowly

    return work._replace(decode=decode, load=load)


def noted(log):
    """Of each part that was begun: what was done, by which process, and how many inputs it has."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [json.loads(line) for line in lines]


def noted_from_now_on(monkeypatch, log):
    real = encode._work
    monkeypatch.setattr(encode, "_work", lambda *args: slow(real(*args), log))
    return log


def wait_until(holds, seconds=240):  # a machine may be busy
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.01)


def kill(log, moments, killed):
    """Kills the process that began something last, each time so much more was begun."""
    pids = []
    for begun, seconds in moments:
        wait_until(lambda begun=begun: len(noted(log)) >= begun)
        time.sleep(seconds)
        wait_until(lambda: noted(log)[-1][1] not in pids)
        what, pid, _ = noted(log)[-1]
        os.kill(pid, signal.SIGKILL)
        killed.append(what)
        pids.append(pid)


@pytest.mark.usefixtures("cluster")
def test_a_killed_process_costs_a_block_at_most(pictures, tmp_path, monkeypatch):
    encode_images(pictures, tmp_path / "one")
    log, written, killed = noted_from_now_on(monkeypatch, tmp_path / "log"), [], []
    write = kept.write_part
    monkeypatch.setattr(kept, "write_part", lambda *args: written.append(args) or write(*args))
    draw = random.Random(0)
    moments = [(begun + draw.randrange(4), draw.uniform(0, 0.3)) for begun in (2, 8, 14)]
    killer = threading.Thread(target=kill, args=(log, moments, killed))
    killer.start()
    encode_images(pictures, tmp_path / "out", engine="ray", workers=1)
    killer.join()
    assert_equal(tmp_path / "out", tmp_path / "one")
    begun = [what for what, *_ in noted(log)]
    assert len(killed) == 3
    for what in ("decode", "embed"):
        again = begun.count(what) - len(written)
        assert 0 <= again <= killed.count(what)


@pytest.mark.usefixtures("cluster")
def test_what_is_wrong_is_one_sentence(pictures, tmp_path, monkeypatch, capfd):
    assert encode_by_command(pictures, tmp_path / "out", "--engine=ray", "--workers=3") == 2
    assert capfd.readouterr().err == "gentle-clip: --workers=3: the Ray cluster has 2 GPUs.\n"
    real = work.image_work

    def changed(*args):
        made = real(*args)
        return made._replace(contents=lambda numbers: [("another", None) for _ in numbers])

    monkeypatch.setattr(encode, "image_work", changed)
    assert encode_by_command(pictures, tmp_path / "out", "--engine=ray") == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert "changed while it was encoded: give the same command again" in error


def test_nobody_listens_at_the_address(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(ValueError, match=r"No Ray cluster can be used at RAY_ADDRESS=127.0.0.1:1"):
        ray_engine._start()


DRIVER = """
import pathlib, sys
import pytest, tiny_encoders
from gentle_clip_jax.commands import main
from gentle_clip_jax.features import encode, update
sys.path.insert(0, str(pathlib.Path(tiny_encoders.__file__).parent / "features"))
import test_ray

patch = pytest.MonkeyPatch()
weights, log, *command = sys.argv[1:]
tiny_encoders.install(pathlib.Path(weights), patch)
patch.setattr(update, "BLOCK", 2)
test_ray.noted_from_now_on(patch, pathlib.Path(log))
sys.exit(main.main(command))
"""


def test_a_cluster_of_its_own_and_a_command_that_is_killed(pictures, weights, path, tmp_path):
    encode_images(pictures, tmp_path / "one")
    options = [f"--{k}={v}" for k, v in (("data", pictures), ("out", tmp_path / "out"))]
    command = ["encode", "--encoder=efficientnet-lite0", "--engine=ray", *options]

    def start(log):
        return subprocess.Popen(
            [sys.executable, "-c", DRIVER, weights, log, *command],
            env={k: v for k, v in os.environ.items() if k not in SILENT} | {"PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    first, parts = start(tmp_path / "first"), tmp_path / "out" / "parts"
    wait_until(lambda: len([*parts.glob("*.npz")]) >= 3)
    first.kill()
    first.communicate()
    there = sum(len(np.load(part)["features"]) for part in parts.glob("*.npz"))
    actor = next(pid for what, pid, _ in noted(tmp_path / "first") if what == "embed")
    wait_until(lambda: not pathlib.Path(f"/proc/{actor}/status").exists(), 30)
    second = start(tmp_path / "second")
    out, err = second.communicate(timeout=240)
    # Notices of this package alone: Ray and its processes stay silent.
    skipped = "Skipped: c is not an image that Pillow can read.\nSkipped: z is no regular file.\n"
    assert (second.returncode, err) == (0, skipped)
    assert out == f"21 rows.\nWritten: {tmp_path / 'out'}.\n"
    assert_equal(tmp_path / "out", tmp_path / "one")
    embedded = sum(number for what, _, number in noted(tmp_path / "second") if what == "embed")
    everything = {row["sha256"] for row in rows(tmp_path / "one")} | {"c.png"}
    assert embedded == len(everything) - there


def rows(folder):
    return [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
