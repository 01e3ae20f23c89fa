"""Damage of checkpoints, of the folder they are in, of data and of numbers."""

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys

import pytest
import real_runs as runs

from gentle_clip_jax.storage.records import read_record, write_record


def largest_file(folder):
    return max(
        (path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )


def truncate(folder):
    path = largest_file(folder / "60" / "state")
    path.write_bytes(path.read_bytes()[:100])


def flip_a_byte(folder):
    # Orbax keeps some arrays in two files of which it reads one.
    for path in (folder / "60" / "state").rglob("d/*"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


def lose_a_file(folder):
    largest_file(folder / "60" / "state").unlink()


def add_an_empty_step(folder):
    (folder / "99").mkdir()


def change_file_times(folder):
    """All is ten years ahead, and the clock is put right only now."""
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (2e9, 2e9))


@pytest.mark.parametrize(
    ("damages", "unsound"),
    [
        ((truncate,), 60),
        ((flip_a_byte,), 60),
        ((lose_a_file,), 60),
        ((add_an_empty_step, change_file_times), 99),
    ],
    ids=["truncate", "flip_a_byte", "lose_a_file", "empty_step_and_times"],
)
def test_a_damaged_checkpoint(tmp_path, whole, record, damages, unsound):
    workdir = shutil.copytree(whole[0], tmp_path / "run")
    for damage in damages:
        damage(workdir / "checkpoints")
    process = runs.finish(workdir)
    assert f"Checkpoint {unsound} is damaged and is skipped: " in process.text
    assert (workdir / "checkpoints" / f"{unsound}.unsound").is_dir()
    expected = "going on from step 54" if unsound == 60 else "all 60 steps are done"
    assert expected in process.text
    assert runs.last_state(workdir) == runs.last_state(whole[0])
    seconds = process.goes_on_after() or process.lines[-1][0]
    for damage in damages:
        record(f"Checkpoint: {damage.__name__.replace('_', ' ')}", seconds=[seconds])


@contextlib.contextmanager
def mounted(folder, size):
    """A file system of its own in memory; skips where that may not be had."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def assert_a_sentence(process, *words):
    assert process.end() == 2, process.text
    assert "Traceback" not in process.text
    assert all(word in process.text for word in words), process.text


def test_a_full_disk(tmp_path, whole, record):
    size = sum(p.stat().st_size for p in (whole[0] / "checkpoints" / "60").rglob("*"))
    with mounted(tmp_path / "disk", 2 * size) as disk:
        process = runs.train(disk / "run")
        assert_a_sentence(process, "be written to", "o space left on device")
        remount(disk, f"size={20 * size}")
        process = runs.finish(disk / "run")
        assert runs.last_state(disk / "run") == runs.last_state(whole[0])
    record("Disk full", seconds=[process.goes_on_after() or process.lines[-1][0]])


def test_files_that_may_grow_no_further(tmp_path, whole, record):
    """What a quota does, and what can be had without mounting anything."""
    most = largest_file(whole[0] / "checkpoints" / "60").stat().st_size // 2
    process = runs.train(tmp_path)
    resource.prlimit(process.popen.pid, resource.RLIMIT_FSIZE, (most, most))
    assert_a_sentence(process, "be written to", "ile too large")
    process = runs.finish(tmp_path)
    assert runs.last_state(tmp_path) == runs.last_state(whole[0])
    record("File size limit", seconds=[process.goes_on_after() or process.lines[-1][0]])


def test_a_folder_that_may_only_be_read(tmp_path, whole, record):
    with mounted(tmp_path / "disk", "50m") as disk:
        workdir = shutil.copytree(whole[0], disk / "run")
        shutil.rmtree(workdir / "checkpoints" / "60")
        remount(disk, "ro")
        assert_a_sentence(runs.train(workdir), f"Cannot write to the workdir {workdir}")
        remount(disk, "rw")
        process = runs.finish(workdir)
        assert runs.last_state(workdir) == runs.last_state(whole[0])
    record("Folder read-only", seconds=[process.goes_on_after()])


def test_two_runs_in_one_folder(tmp_path, whole, record):
    first = runs.train(tmp_path)
    first.wait_for((tmp_path / "lock.holder").exists, "lock")
    second = runs.train(tmp_path)
    assert_a_sentence(second, f"{tmp_path} is in use by process {first.popen.pid} on ")
    assert first.end() == 0
    assert runs.last_state(tmp_path) == runs.last_state(whole[0])
    record("Two runs in one folder")


def test_data_that_cannot_be_read_in_mid_run(tmp_path, record):
    damaged = {"TINY_DAMAGED": "3 11"}
    process = runs.train(tmp_path, environment=damaged)
    assert_a_sentence(process, "The picture ", "More than config.train.max_damaged=0 items")
    process = runs.finish(tmp_path, "--config.train.max_damaged=2", environment=damaged)
    assert "The picture 3 cannot be decoded: mend it. Skipped: " in process.text
    assert "The picture 11 cannot be decoded: mend it. Skipped: " in process.text
    record("Items that cannot be read", lost="the skipped items", tried=2)


def test_a_loss_that_is_not_finite(tmp_path, record):
    spoilt = {"TINY_SPOILT": "8 20"}
    assert_a_sentence(runs.train(tmp_path, environment=spoilt), " is nan at step 8: ")
    assert json.loads((tmp_path / "bad_step_8.json").read_text())["step"] == 8
    options = {"environment": spoilt}
    process = runs.finish(tmp_path, "--config.train.max_skipped=2", **options)
    assert process.text.count("; skipped, ") == 2
    assert [line["step"] for line in runs.logged(tmp_path, "skipped")] == [8, 20]
    record("Loss not finite", lost="the skipped steps", seconds=[process.goes_on_after()])


def test_a_checkpoint_of_another_config(tmp_path, whole, record):
    """As if both config.json were another's: shapes are told apart one by one, nothing is cast."""
    workdir = shutil.copytree(whole[0], tmp_path / "run")
    for path in (workdir / "config.json", workdir / "checkpoints" / "config.json"):
        config = read_record(path)
        config["model"]["embedding_dim"] = 8
        write_record(path, config)
    process = runs.train(workdir, "--config.model.embedding_dim=8")
    assert_a_sentence(process, "is from another model: ", " has the shape [16, 16], not [16, 8]")
    record("Checkpoint of another config")


def restricted(tmp_path, **variables):
    """The environment of a job with next to nothing; programs are those of the other runs."""
    keep = ("PATH", "LD_LIBRARY_PATH", "JAX_COMPILATION_CACHE_DIR")
    keep += ("JAX_DISABLE_MOST_OPTIMIZATIONS", "XLA_FLAGS")
    return {name: os.environ[name] for name in keep if name in os.environ} | variables


def test_no_home_no_caches_no_network(tmp_path, whole, record):
    """Without HOME, with caches that cannot be written, and with no way out."""
    environment = restricted(
        tmp_path, XDG_CACHE_HOME="/proc/none", JAX_COMPILATION_CACHE_DIR="/proc/none"
    )
    script = [sys.executable, str(runs.HERE / "tiny_command.py"), "1", "train"]
    script += [f"--config={runs.HERE / 'tiny_config.py'}", f"--workdir={tmp_path / 'run'}"]
    alone = (
        ["unshare", "--net"] if not subprocess.run(["unshare", "--net", "true"]).returncode else []
    )
    process = subprocess.run(
        [*alone, *script], env=environment, capture_output=True, text=True, timeout=runs.PATIENCE
    )
    assert process.returncode == 0, process.stderr
    assert runs.last_state(tmp_path / "run") == runs.last_state(whole[0])
    record("No HOME, no writable cache, no network")
