"""Every reader of files, given sound files that were damaged at random: a result or a ValueError.

No error of another kind, no hang, no memory beyond a bound.
"""

import os
import pathlib
import signal
import subprocess
import sys
import tracemalloc

import hypothesis
import pytest
from fuzz_readers import ARRAYS, PICTURES, READERS, SETTINGS, TEXTS, damage, read_or_refused

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
_BOUND = 64 * 2**20  # bytes
_PATIENCE = 20  # seconds
_TRIES = 40  # of each reader
_NEEDS = {"weights.pth": "torch"}
_NEEDS |= {"protein.pdb": "biotite", "protein.cif": "biotite"}


def too_long(*_):
    raise AssertionError(f"it goes on for more than {_PATIENCE} s")


def sound_file(name):
    if name in _NEEDS:
        pytest.importorskip(_NEEDS[name])
    return READERS[name][0]()


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused(name, record_property):
    record_property("tries", _TRIES)
    sound = sound_file(name)
    read_or_refused(name, sound)  # loads what it needs

    @hypothesis.settings(max_examples=_TRIES, deadline=None, derandomize=True, database=None)
    @hypothesis.given(damage())
    def check(damaged):
        content = damaged(sound)
        signal.signal(signal.SIGALRM, too_long)
        signal.alarm(_PATIENCE)
        tracemalloc.start()
        try:
            read_or_refused(name, content)
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            signal.alarm(0)
        assert peak < _BOUND

    check()


@pytest.mark.parametrize("name", READERS)
def test_a_sound_file_is_read(name):
    assert read_or_refused(name, sound_file(name)) == "read"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
@pytest.mark.parametrize("group", [ARRAYS, PICTURES, TEXTS, SETTINGS], ids=min)
def test_within_memory_and_time(group, record_property):
    """Read by a process that may take 600 MiB more than it has, and ten seconds for a file."""
    for package in {_NEEDS[name] for name in group if name in _NEEDS}:
        pytest.importorskip(package)
    tests = pathlib.Path(__file__).parent
    # What libraries say from Rust and C, beyond Python's reach.
    command = [sys.executable, "-W", "ignore", str(tests / "fuzz_readers.py"), "200", *group]
    environment = os.environ | {"PYTHONPATH": str(tests.parent)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1200)
    assert done.returncode == 0, done.stderr[-3000:]
    counts = [
        (int(read), int(refused)) for _, read, refused in map(str.split, done.stdout.splitlines())
    ]
    assert len(counts) == len(group)
    assert all(sum(one) > 20 for one in counts), done.stdout
    assert all(sum(one) > 100 for one in zip(*counts))
    record_property("tries", sum(map(sum, counts)))
