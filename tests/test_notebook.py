"""The notebooks are their sources, install the wheel beside them, and run from top to bottom."""

import ast
import base64
import importlib.util
import io
import json
import pathlib
import shutil
import sys

import numpy as np
import pytest
from built_wheel import PIP, run
from PIL import Image

import gentle_clip_jax

jupytext = pytest.importorskip("jupytext")
nbformat = pytest.importorskip("nbformat")

FOLDER = pathlib.Path(__file__).parents[1] / "launch" / "colab"
SOURCES = sorted(FOLDER.glob("*.py"))
NAMES = [path.stem for path in SOURCES]


def test_there_are_three():
    assert NAMES == ["own_folders", "own_loop", "quickstart"]


@pytest.mark.parametrize("name", NAMES)
def test_the_notebook_is_its_source(name):
    """Mended by: jupytext --to ipynb launch/colab/*.py"""
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    source = jupytext.read(FOLDER / f"{name}.py")
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        (cell.cell_type, cell.source) for cell in source.cells
    ]
    assert len(notebook.cells) <= 20
    assert not any(cell.get("outputs") for cell in notebook.cells)


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_the_notebook_needs_the_public_names_alone(path):
    """So that it does not break when a module moves."""
    loaded = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("gentle_clip_jax"):
            assert node.module == "gentle_clip_jax"
            assert {alias.name for alias in node.names} <= {*gentle_clip_jax.__all__}
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("gentle_clip_jax.") for alias in node.names)
            loaded |= {alias.name.partition(".")[0] for alias in node.names}
    if path.stem == "own_folders":
        assert loaded <= {"gentle_clip_jax", *sys.stdlib_module_names}


def install_cell(path: pathlib.Path) -> str:
    (cell,) = (cell.source for cell in jupytext.read(path).cells if "%pip" in cell.source)
    return cell


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
@pytest.mark.parametrize("beside", [True, False])
def test_a_wheel_beside_it_comes_first_and_a_failed_install_stops_it(
    path, beside, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for version in ("0.1.0", "0.2.0") if beside else ():
        (tmp_path / f"gentle_clip_jax-{version}-py3-none-any.whl").touch()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    asked = []
    cell = install_cell(path).replace('%pip install -q "{package}', 'asked.append(f"{package}')
    cell = cell.replace(']"\n', ']")\n').replace("%pip", "# %pip")
    with pytest.raises(SystemExit, match="put its wheel beside this notebook"):
        exec(cell, {"asked": asked})
    (package,) = asked
    wheel = "./gentle_clip_jax-0.2.0-py3-none-any.whl"
    assert package.partition("[")[0] == (wheel if beside else "gentle-clip-jax")


@pytest.fixture(scope="module")
def folder(dist, tmp_path_factory):
    """The notebooks beside the wheel, and an environment that has Jupyter's kernel alone."""
    folder = tmp_path_factory.mktemp("notebooks")
    for path in [*FOLDER.glob("*.ipynb"), *dist.glob("*.whl")]:
        shutil.copy(path, folder)
    run(sys.executable, "-m", "venv", "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    run(python, *PIP, "install", "--quiet", "ipykernel", cwd=folder)
    kernel = {"argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
    kernel |= {"display_name": "wheel", "language": "python"}
    (folder / "jupyter" / "kernels" / "wheel").mkdir(parents=True)
    (folder / "jupyter" / "kernels" / "wheel" / "kernel.json").write_text(json.dumps(kernel))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of the notebook's own machinery
@pytest.mark.parametrize("name", NAMES)
def test_the_notebook_runs_with_the_wheel_beside_it(name, folder, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("JUPYTER_PATH", str(folder / "jupyter"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    notebook = nbformat.read(folder / f"{name}.ipynb", 4)
    few = {
        "quickstart": ("train.steps=200", "train.steps=50"),
        "own_folders": ('"--out=example"', '"--out=example", "--num=120"'),
    }
    if name in few:
        whole, part = few[name]
        (cell,) = (cell for cell in notebook.cells if whole in cell.source)
        cell.source = cell.source.replace(whole, part)
    nbclient.NotebookClient(
        notebook,
        timeout=1200,
        kernel_name="wheel",
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert [output["text"] for output in outputs if output.get("name") == "stderr"] == []
    data = [output.get("data", {}) for output in outputs]
    pictures = [formats["image/png"] for formats in data if "image/png" in formats]
    assert len(pictures) == {"quickstart": 2, "own_loop": 1, "own_folders": 0}[name]
    for picture in pictures:
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("L"))
        assert pixels.std() > 5
    if name == "own_folders":
        shown = [
            formats["text/html"].partition("(")[0] for formats in data if "text/html" in formats
        ]
        assert shown == ["<p>Sheet", "<p>Hits", "<p>Reviewed", "<p>Matches"]
        pairs, matches = (
            (folder / path).read_text().splitlines()[1:]
            for path in ("review/pairs.csv", "matches/matches.csv")
        )
        assert len(pairs) > 30
        assert len(pairs) + len(matches) == 120
