"""The notebook runs from top to bottom, and is what its source says.

Its install cell does nothing here, since the package is installed.
"""

import ast
import base64
import importlib.util
import io
import pathlib

import numpy as np
import pytest
from PIL import Image

import gentle_clip_jax

jupytext = pytest.importorskip("jupytext")
nbformat = pytest.importorskip("nbformat")

FOLDER = pathlib.Path(__file__).parents[1] / "launch" / "colab"
NOTEBOOK = FOLDER / "quickstart.ipynb"


def test_the_notebook_is_its_source():
    """Mended by: jupytext --to ipynb launch/colab/quickstart.py"""
    notebook, source = nbformat.read(NOTEBOOK, 4), jupytext.read(FOLDER / "quickstart.py")
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        (cell.cell_type, cell.source) for cell in source.cells
    ]
    assert len(notebook.cells) <= 14
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_the_notebook_needs_the_public_names_alone():
    """So that it does not break when a module moves."""
    for node in ast.walk(ast.parse((FOLDER / "quickstart.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("gentle_clip_jax"):
            assert node.module == "gentle_clip_jax"
            assert {alias.name for alias in node.names} <= {*gentle_clip_jax.__all__}
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("gentle_clip_jax.") for alias in node.names)


@pytest.mark.parametrize(
    ("owner", "words"),
    [("OWNER", "Put the address"), ("someone", "someone/gentle_clip_jax is not")],
)
def test_an_install_that_fails_stops_the_notebook(owner, words, monkeypatch):
    cells = jupytext.read(FOLDER / "quickstart.py").cells
    (cell,) = (one.source for one in cells if "REPOSITORY =" in one.source)
    assert '%pip install -q "gentle-clip-jax[quickstart] @ git+{REPOSITORY}"' in cell
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match=words):
        exec(cell.replace("%pip", "# %pip").replace("OWNER/gentle", f"{owner}/gentle"), {})


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of the notebook's own machinery
def test_the_notebook_runs():
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(NOTEBOOK, 4)
    nbclient.NotebookClient(
        notebook, timeout=1200, resources={"metadata": {"path": str(FOLDER)}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    data = [output.get("data", {}) for output in outputs]
    pictures = [formats["image/png"] for formats in data if "image/png" in formats]
    assert len(pictures) == 2
    for picture in pictures:
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("L"))
        assert pixels.std() > 5
    assert not any(output.get("name") == "stderr" for output in outputs)
