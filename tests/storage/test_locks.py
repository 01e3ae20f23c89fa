"""A folder that one process writes to is closed to others, and open when it ends."""

import subprocess
import sys

import pytest

from gentle_clip_jax.storage import locks

HOLD = """
import pathlib, sys, time
from gentle_clip_jax.storage import locks
with locks.alone_in(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def held(tmp_path):
    """A folder that another process holds, and that process."""
    folder = tmp_path / "deep" / "folder"
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        yield folder, other
        other.kill()


def test_one_process_at_a_time(held):
    folder, other = held
    with (
        pytest.raises(ValueError, match=r"Another process writes to .*folder: wait for it"),
        locks.alone_in(folder),
    ):
        pass
    other.kill()
    other.wait()
    for _ in range(2):
        with locks.alone_in(folder):
            pass


def test_preparing_is_for_one_process(held, tmp_path):
    from gentle_clip_jax.data import prepare

    pytest.importorskip("tensorflow_datasets")
    folder, _ = held
    folder.rename(tmp_path / "deep" / ".data.unfinished")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.png").write_bytes(b"no image")
    (tmp_path / "data" / "metadata.jsonl").write_text('{"id": "a", "captions": ["x"]}\n')
    with pytest.raises(ValueError, match=r"Another process writes to .*\.data\.unfinished"):
        prepare.prepare("folder", tmp_path / "data", tmp_path / "deep")
