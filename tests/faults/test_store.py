"""A run on an object store: as on the disk, though nothing can be renamed and nothing added to."""

import re
import socket

import fake_gcs
import pytest
import real_runs as runs

pytest.importorskip("gcsfs")

WORKDIR = f"gs://{fake_gcs.BUCKET}/runs/tiny"


@pytest.fixture
def store():
    return fake_gcs.Store()


@pytest.fixture
def environment(store, tmp_path):
    with fake_gcs.serving(store) as variables:
        yield variables | {"XDG_CACHE_HOME": str(tmp_path / "cache")}


def whole_steps(store):
    """The steps whose checkpoint Orbax has marked as whole."""
    names = list(store.objects)  # at once, as the store goes on
    found = (re.fullmatch(r".*/checkpoints/(\d+)/commit_success.txt", name) for name in names)
    return sorted(int(step[1]) for step in found if step)


def of_step(store, step):
    return [name for name in list(store.objects) if f"/checkpoints/{step}/" in name]


@pytest.fixture
def copied(store, tmp_path):
    """The function that copies the run to the disk, and returns the folder."""

    def copy():
        for name, content in store.objects.items():
            path = tmp_path / "copy" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return tmp_path / "copy" / "runs" / "tiny"

    return copy


def test_goes_on_after_kills_and_damage_and_is_read(store, environment, copied, whole):
    every = "--config.train.checkpoint_every=12"
    process = runs.train(WORKDIR, every, environment=environment)
    process.wait_for(lambda: whole_steps(store)[1:], "second checkpoint")
    process.kill()
    process.end()
    *_, newest = whole_steps(store)
    largest = max(of_step(store, newest), key=lambda name: len(store.objects[name]))
    content = bytearray(store.objects[largest])
    content[len(content) // 2] ^= 1
    store.put(largest, bytes(content))
    # As a kill before the last object of a step leaves it.
    for name in of_step(store, newest):
        if not name.endswith(f"/{newest}/commit_success.txt"):
            store.put(name.replace(f"/{newest}/", f"/{newest + 1}/"), store.objects[name])

    process = runs.finish(WORKDIR, every, environment=environment)
    assert f"Checkpoint {newest} is damaged and is skipped" in process.text
    assert f"Checkpoint {newest + 1}" not in process.text
    assert of_step(store, f"{newest}.unsound")
    assert runs.last_state(copied()) == runs.last_state(whole[0])
    assert runs.logged(copied()) == runs.logged(whole[0])
    validated = [line for line in runs.logged(whole[0], "validation") if line["step"] % 12 == 0]
    assert runs.logged(copied(), "validation") == validated
    for command in ("evaluate", "report"):
        process = runs.Process(command, f"--workdir={WORKDIR}", environment=environment)
        assert process.end() == 0, process.text
    for name in ("evaluation.json", "embeddings.npz", "report.html"):
        assert f"runs/tiny/{name}" in store.objects


def test_processes_train_as_one_and_are_preempted(store, environment, copied, tmp_path):
    steps = "--config.train.steps=24", "--config.train.checkpoint_every=4"
    runs.finish(tmp_path / "disk", *steps, devices=2)
    together = runs.train_together(WORKDIR, 2, *steps, environment=environment)
    together[0].wait_for(lambda: whole_steps(store), "checkpoint")
    for process in together:
        process.kill(15)  # SIGTERM, as a preemption sends it
    assert [process.end() for process in together] == [0, 0]
    assert whole_steps(store)[-1] < 24
    for process in runs.train_together(WORKDIR, 2, *steps, environment=environment):
        assert process.end() == 0, process.text
    on_disk, on_store = (runs.logged(folder) for folder in (tmp_path / "disk", copied()))
    assert [line["step"] for line in on_store] == list(range(1, 25))
    for name in ("loss/total", "grad_norm"):
        expected = pytest.approx([line[name] for line in on_disk], rel=1e-5)
        assert [line[name] for line in on_store] == expected


def test_a_store_that_takes_nothing(store, environment):
    store.read_only = True
    process = runs.train(WORKDIR, environment=environment)
    assert process.end() == 2
    assert f"gentle-clip: Cannot write to the workdir {WORKDIR} (Forbidden" in process.text


def test_a_store_that_is_not_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        environment = fake_gcs.environment(free.getsockname()[1])
    process = runs.train(WORKDIR, environment=environment)
    assert process.end() == 2
    assert f"gentle-clip: {WORKDIR} cannot be reached (" in process.text


def test_a_store_of_another_kind():
    process = runs.train("s3://bucket/run")
    assert process.end() == 2
    assert "s3://bucket/run is on a store that Orbax writes no checkpoints to" in process.text
