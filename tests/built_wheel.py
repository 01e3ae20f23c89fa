"""Wheel and sdist of a copy of what git keeps, and programs run where nothing of ours is found."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FILES = ("pyproject.toml", "README.md", "LICENSE")
PIP = ("-m", "pip", "--disable-pip-version-check")


def sources() -> set[str]:
    """Modules, configs, and what pages are made of."""
    kinds = ("**/*.py", "**/templates/*", "**/assets/*", "**/imagenet_classes.*")
    found = [path for kind in kinds for path in ROOT.glob(f"gentle_clip_jax/{kind}")]
    return {str(path.relative_to(ROOT)) for path in [*found, *ROOT.glob("configs/*.py")]}


def run(*command: str | os.PathLike, cwd: pathlib.Path) -> str:
    # Nothing of this environment or of the repository may be found by chance. What JAX compiles for
    # tests is kept for all of them.
    kept = ("PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
    prefixes = ("JAX_", "XLA_", "PIP_", "http", "HTTP", "no_proxy", "NO_PROXY")
    env = {key: one for key, one in os.environ.items() if key in kept or key.startswith(prefixes)}
    process = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def built(copy: pathlib.Path) -> pathlib.Path:
    """The folder of a wheel, built from an sdist, and of that sdist."""
    pytest.importorskip("build", reason="it is in the extra dev")
    for name in (*FILES, *sorted(sources())):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    (copy / "gentle_clip_jax" / "py.typed").touch()
    asked = (sys.executable, *PIP, "index", "versions", "hatchling")
    if subprocess.run(asked, capture_output=True).returncode:
        pytest.skip("pip reaches no package index from here")
    run(sys.executable, "-m", "build", cwd=copy)
    return copy / "dist"
