"""SIGKILL at any moment: the run goes on as if nothing had happened."""

import contextlib
import os
import random
import subprocess

import pytest
import real_runs as runs


def assert_as_whole(workdir, whole):
    assert runs.last_state(workdir) == runs.last_state(whole[0])
    for kind in ("train", "validation"):
        assert runs.logged(workdir, kind) == runs.logged(whole[0], kind)


def finish_and_compare(workdir, whole, seconds):
    process = runs.finish(workdir)
    seconds.append(process.goes_on_after() or process.lines[-1][0])
    assert_as_whole(workdir, whole)


# Four for docs/reliability.md.
@pytest.mark.parametrize("seed", range(4 if os.environ.get("GENTLE_CLIP_FAULTS") else 1))
def test_killed_at_five_random_moments(tmp_path, whole, record, seed):
    """Of start-up, of steps, of validation and of writing, one after the other in one run."""
    rng, seconds = random.Random(seed), []
    for _ in range(5):
        process = runs.train(tmp_path)
        if rng.random() < 0.3:
            wait = rng.uniform(0, whole[1])
        else:
            process.wait_for_step_after(tmp_path, runs.last_step(tmp_path))
            wait = rng.uniform(0, 0.15 * whole[1])
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.popen.wait(wait)
        process.kill()
        process.end()
        if (after := process.goes_on_after()) is not None:
            seconds.append(after)
    finish_and_compare(tmp_path, whole, seconds)
    record("SIGKILL at a random moment", tried=5, seconds=seconds)


def test_killed_in_the_first_compilation(tmp_path, whole, record):
    cache = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"), "JAX_LOG_COMPILES": "1"}
    process = runs.train(tmp_path / "run", environment=cache)
    process.wait_for_text("Compiling jit(train_step)")
    process.kill()
    assert process.end() == -9
    assert runs.last_step(tmp_path / "run") == 0
    seconds = []
    finish_and_compare(tmp_path / "run", whole, seconds)
    record("SIGKILL during the first compilation", seconds=seconds)


def test_killed_while_a_checkpoint_is_written(tmp_path, whole, record):
    folder, seconds, seen = tmp_path / "checkpoints", [], 0

    def half_written():
        names = os.listdir(folder) if folder.is_dir() else []
        return [name for name in names if "tmp" in name]

    for _ in range(3):
        process = runs.train(tmp_path)
        process.wait_for_step_after(tmp_path, runs.last_step(tmp_path))
        process.wait_for(half_written, "checkpoint in the making")
        process.kill()
        process.end()
        seen += bool(half_written())
    assert seen
    finish_and_compare(tmp_path, whole, seconds)
    assert not half_written()
    record("SIGKILL while a checkpoint is written", tried=3, seconds=seconds)


def test_four_devices_train_twice_alike(tmp_path):
    """Bit-identical parameters from the same seed; on one device the fixture `whole` has them."""
    for name in ("one", "two"):
        runs.finish(tmp_path / name, "--config.train.checkpoint_every=30", devices=4)
    assert runs.last_state(tmp_path / "one") == runs.last_state(tmp_path / "two")
    assert runs.logged(tmp_path / "one") == runs.logged(tmp_path / "two")
