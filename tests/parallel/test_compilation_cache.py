"""Programs that one command has compiled the next one reads, and that can fail no command."""

import os
import pathlib
import subprocess
import sys

import pytest

from gentle_clip_jax.commands import main
from gentle_clip_jax.parallel import compilation_cache

PROGRAM = """
import sys
from gentle_clip_jax.parallel import compilation_cache
compilation_cache.use()
assert "jax" not in sys.modules
import jax
import jax.numpy as jnp
counts = {"hits": 0, "misses": 0}
def count(event, **_):
    kind = event.rpartition("_")[2]
    if kind in counts and event.startswith("/jax/compilation_cache/cache_"):
        counts[kind] += 1
jax.monitoring.register_event_listener(count)
rows = jnp.arange(12.0).reshape(3, 4)
assert float(jax.jit(lambda rows: (rows @ rows.T).sum())(rows)) == 1134
print(counts["hits"], counts["misses"])
"""


def environment(folder, **variables):
    left_out = ("JAX_COMPILATION_CACHE", "JAX_PERSISTENT", "XDG_CACHE")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
    return kept | {"XDG_CACHE_HOME": str(folder)} | variables


def start(folder, **variables):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=environment(folder, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def counts(process):
    """How many programs were read from the cache, and how many were written there."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert not err
    return tuple(map(int, out.split()))


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """A cache after two processes at once."""
    folder = tmp_path_factory.mktemp("caches")
    for process in [start(folder), start(folder)]:
        hits, misses = counts(process)
        assert hits + misses > 1
    return folder


def programs(folder):
    return sorted(folder.glob("gentle-clip/compiled-*/*-cache"))


def test_two_processes_at_once_and_all_later_ones_share_it(used):
    hits, misses = counts(start(used))
    assert (hits, misses) == (len(programs(used)), 0)
    (folder,) = (used / "gentle-clip").iterdir()
    assert folder.stat().st_mode & 0o077 == 0


def test_a_damaged_program_is_compiled_again_and_kept(used):
    path = programs(used)[0]
    sound = path.read_bytes()
    path.write_bytes(sound[: len(sound) // 2] + b"damaged")
    hits, misses = counts(start(used))
    assert misses == 1
    assert hits == len(programs(used)) - 1
    assert counts(start(used)) == (hits + 1, 0)


def test_what_a_killed_process_left_is_removed(used):
    number = len(programs(used))
    path = programs(used)[0]
    half = path.with_name("jit_half-0-cache")
    half.write_bytes(b"half")  # JAX would read when it was used last, and write no program more
    path.unlink()
    assert counts(start(used)) == (number - 1, 1)
    assert not half.exists()


def test_another_kind_of_cpu_has_another_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    here = compilation_cache._folder()
    said = "flags : fpu avx2\nmodel name : A\nprocessor : 0\n"
    folders = set()
    for text in (said, said.replace("processor : 0", "processor : 1"), said + "flags : avx512f\n"):
        monkeypatch.setattr(pathlib.Path, "read_text", lambda _, text=text: text)
        folders.add(compilation_cache._folder())
    assert len(folders) == 2
    assert here not in folders


def test_a_folder_that_cannot_be_written_is_not_used(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    assert counts(start(tmp_path / "file")) == (0, 0)
    monkeypatch.delitem(sys.modules, "jax")
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)
    compilation_cache.use()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ


def test_what_the_environment_says_comes_first(tmp_path):
    own = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "own")}
    own["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    _, misses = counts(start(tmp_path, **own))
    assert misses == len([*(tmp_path / "own").glob("*-cache")]) > 1
    assert counts(start(tmp_path, JAX_ENABLE_COMPILATION_CACHE="0")) == (0, 0)
    assert not programs(tmp_path)


def test_the_commands_use_it_unless_told_not_to(monkeypatch):
    used = []
    monkeypatch.setattr(compilation_cache, "use", lambda: used.append("used"))
    monkeypatch.setattr("gentle_clip_jax.parallel.interrupt.listen", lambda: None)
    for options in ([], ["--no-compilation-cache"]):
        monkeypatch.setattr(sys, "argv", ["gentle-clip", *options, "report", "--workdir=no run"])
        assert main.main() == 2
    assert used == ["used"]
    assert main.main(["report", "--workdir=no run"]) == 2  # in another program's process
    assert used == ["used"]
