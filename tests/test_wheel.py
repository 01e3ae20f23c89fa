"""What pip installs: a wheel from a copy of the tree, in an empty environment outside of it."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import zipfile

import pytest

import gentle_clip_jax

ROOT = pathlib.Path(__file__).parents[1]
FEW = [
    "--config.train.steps=2",
    "--config.train.checkpoint_every=2",
    "--config.train.batch_matched=8",
    "--config.optimizer.warmup_steps=1",
]


def sources() -> set[str]:
    """Modules, configs, and what pages are made of."""
    kinds = ("**/*.py", "**/templates/*", "**/assets/*")
    found = [path for kind in kinds for path in ROOT.glob(f"gentle_clip_jax/{kind}")]
    return {str(path.relative_to(ROOT)) for path in [*found, *ROOT.glob("configs/*.py")]}


def run(*command: str | os.PathLike, cwd: pathlib.Path, **variables: str) -> str:
    # Nothing of this environment or of the repository may be found by chance.
    kept = ("PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
    prefixes = ("PIP_", "http", "HTTP", "no_proxy", "NO_PROXY")
    env = {key: one for key, one in os.environ.items() if key in kept or key.startswith(prefixes)}
    process = subprocess.run(command, cwd=cwd, env=env | variables, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def test_git_keeps_every_module():
    """A pattern of .gitignore, such as runs/, may mean more folders than was thought of."""
    process = subprocess.run(
        ["git", "check-ignore", *sorted(sources())], cwd=ROOT, capture_output=True, text=True
    )
    if process.returncode == 128:
        pytest.skip("this is no git checkout")
    assert process.stdout.split() == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    copy = tmp_path_factory.mktemp("copy")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", *sorted(sources())):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    (copy / "gentle_clip_jax" / "py.typed").touch()
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    if subprocess.run((*pip, "index", "versions", "setuptools"), capture_output=True).returncode:
        pytest.skip("pip reaches no package index from here")
    run(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", "dist", ".", cwd=copy)
    (path,) = (copy / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The bin folder of an environment that holds the wheel with what the quickstart needs."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "venv", cwd=folder)
    pip = (folder / "venv" / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", f"{wheel}[quickstart]", cwd=folder)
    yield folder / "venv" / "bin"
    shutil.rmtree(folder)


@pytest.mark.slow
def test_the_wheel_holds_every_module(wheel):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == {re.sub("^configs/", "gentle_clip_jax/configs/", name) for name in sources()} | {
        "gentle_clip_jax/py.typed"
    }


@pytest.mark.slow
def test_the_quickstart_runs_where_the_wheel_is_installed(installed, tmp_path):
    (block,) = re.findall(
        r"```bash\n(gentle-clip train.*?)```", (ROOT / "README.md").read_text(), re.S
    )
    commands = [shlex.split(line) for line in block.splitlines()]
    assert [words[1] for words in commands] == 2 * ["train"] + 2 * ["evaluate"] + ["report"]
    compiled = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled")}
    for program, *words in commands:
        overrides = FEW if words[0] == "train" else []
        said = run(installed / program, *words, *overrides, cwd=tmp_path, **compiled)
    assert (tmp_path / said.strip()).read_text().startswith("<!")


@pytest.mark.slow
def test_what_is_installed(installed, tmp_path):
    assert run(installed / "gentle-clip", "--version", cwd=tmp_path).strip() == (
        gentle_clip_jax.__version__
    )
    script = (
        "import importlib.util, pathlib, sys, gentle_clip_jax.configs.default as default;"
        "assert pathlib.Path(default.__file__).is_relative_to(sys.prefix), default.__file__;"
        "assert importlib.util.find_spec('configs') is None;"
        "assert importlib.util.find_spec('torch') is None;"
        "import gentle_clip_jax;"
        "[getattr(gentle_clip_jax, name) for name in gentle_clip_jax.__all__]"
    )
    run(installed / "python", "-c", script, cwd=tmp_path)
