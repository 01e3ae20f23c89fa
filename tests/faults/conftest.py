"""All tests of this folder are slow; what they find goes into docs/reliability.md."""

import fcntl
import json
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import real_runs as runs

RECORDS = os.environ.get("GENTLE_CLIP_FAULTS")  # a file for benchmarks/reliability.py


def pytest_collection_modifyitems(items):
    for item in items:
        if pathlib.Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def common(tmp_path_factory):
    """The folder that all workers of pytest share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if os.environ.get("PYTEST_XDIST_WORKER") else folder


@pytest.fixture(scope="session", autouse=True)
def compile_cache(common):
    """What one process compiles, the others read: those of other workers of pytest too.

    It is thrown away, as processes are killed that may be writing into it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(common / "compiled"))
        yield


@pytest.fixture(scope="session")
def whole(common, compile_cache):
    """The folder of a run that nothing happened to, and the seconds that it took.

    The first worker that asks makes it for all of them.
    """
    folder, seconds = common / "whole", common / "whole.json"
    with (common / "whole.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not seconds.exists():
            runs.finish(folder)  # compiles
            process = runs.finish(common / "again")
            assert runs.last_state(folder) == runs.last_state(common / "again")
            seconds.write_text(json.dumps(process.lines[-1][0]))
    return folder, json.loads(seconds.read_text())


@pytest.fixture
def record(request):
    """Notes a fault that was survived, in the file that GENTLE_CLIP_FAULTS names.

    A test that ends without a note is noted as a fault that was not.
    """
    notes = []

    def note(fault, *, tried=1, lost="nothing", seconds=()):
        notes.append(
            {"fault": fault, "tried": tried, "lost": lost, "seconds": [*seconds], "survived": True}
        )

    yield note
    lost = {"tried": 1, "lost": "?", "seconds": [], "survived": False}
    if RECORDS:
        with open(RECORDS, "a") as file:
            for found in notes or [{"fault": request.node.name, **lost}]:
                file.write(json.dumps(found) + "\n")
