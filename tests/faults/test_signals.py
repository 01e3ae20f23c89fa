"""SIGTERM and Ctrl-C."""

import signal
import time

import pytest
import real_runs as runs


def stopped(process, number):
    """Sends a signal; returns the exit code and the seconds until the end."""
    start = time.monotonic()
    process.kill(number)
    return process.end(), time.monotonic() - start


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_signal_saves_and_ends(tmp_path, whole, record, number, code):
    process = runs.train(tmp_path, "--config.train.checkpoint_every=50")
    process.wait_for_step_after(tmp_path, 3)
    assert runs.last_step(tmp_path) < 50
    found, seconds = stopped(process, number)
    assert found == code, process.text
    assert seconds < 10
    assert "saving after this step" in process.text
    assert 3 < runs.last_state(tmp_path)[0] <= 50
    record(number.name, seconds=[finished_as_whole(tmp_path, whole)])


def finished_as_whole(workdir, whole):
    step, _ = runs.last_state(workdir)
    process = runs.finish(workdir, "--config.train.checkpoint_every=50")
    assert f"going on from step {step} of 60" in process.text
    assert runs.last_state(workdir) == runs.last_state(whole[0])
    return process.goes_on_after()


def test_a_second_interrupt_ends_at_once(tmp_path, record):
    process = runs.train(tmp_path, "--config.train.steps=100000")
    process.wait_for_step_after(tmp_path, 3)
    process.kill(signal.SIGSTOP)  # so that both are there before a step is done
    for _ in range(2):
        process.kill(signal.SIGINT)
        time.sleep(0.05)
    process.kill(signal.SIGCONT)
    assert process.end(10) == 130
    record("Ctrl-C twice")


def test_before_the_first_step_there_is_nothing_to_save(tmp_path, record):
    cache = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"), "JAX_LOG_COMPILES": "1"}
    for number, code in ((signal.SIGTERM, 0), (signal.SIGINT, 130)):
        process = runs.train(tmp_path / "run", environment=cache)
        process.wait_for_text("Compiling jit(train_step)")
        found, seconds = stopped(process, number)
        assert found == code
        assert seconds < 10
        assert (
            "Stopped before a step was done; run the same command to start again." in process.text
        )
        assert "Traceback" not in process.text
    record("SIGTERM or Ctrl-C during the first compilation", tried=2)
