"""The notebook runs from top to bottom, and is what its source says.

Its install cell does nothing here, since the package is installed.
"""

import base64
import io
import pathlib

import numpy as np
import pytest
from PIL import Image

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
