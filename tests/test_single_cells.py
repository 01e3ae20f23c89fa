"""The page on single cells: cells are made and commands typed; without anndata all is the same."""

import contextlib
import io
import json
import re
import shlex
import sys

import numpy as np
import pytest
from test_docs import DOCS, blocks
from test_docs_commands import commands
from test_tutorial import typed

from gentle_clip_jax.features.read import read

PAGE = DOCS / "single_cells.md"
MADE, CHECKED = blocks(PAGE)
COMMANDS = [shlex.join(line) for line in commands(PAGE) if line[0] == "gentle-clip"]


def run(block):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(block, {})
    return said.getvalue()


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """The folder of the cells that the page makes."""
    pytest.importorskip("anndata", reason="it is in the extra tables")
    folder = tmp_path_factory.mktemp("cells")
    with contextlib.chdir(folder):
        run(MADE)
    return folder


@pytest.mark.slow
def test_what_the_page_says(cells, monkeypatch):
    monkeypatch.chdir(cells)
    for command in COMMANDS:
        typed(command, cells)
    said = run(CHECKED)
    found, right, alike = map(int, re.findall(r"\d+", said.partition("\n")[0]))
    assert 1300 < found <= 1400
    assert 10 < right < 100  # the page shows 45; by chance one
    assert alike > 0.75 * found  # the page shows 85 %; by chance 13
    nearer, transferred = map(float, re.findall(r"\d\.\d+", said.partition("\n")[2]))
    assert nearer == pytest.approx(0.07, abs=0.03)
    assert transferred == pytest.approx(0.91, abs=0.03)
    compared = json.loads((cells / "compare" / "comparison.json").read_text())
    assert {"cca", "gentle_transport"} <= {one["method"] for one in compared["methods"]}


@pytest.mark.slow
def test_without_anndata_the_cells_are_the_same(cells, tmp_path, monkeypatch):
    """So are the results, then."""
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "anndata", None)
        run(MADE)
        tables = read("rna.csv"), read("atac.csv")
    for place, table in zip(("rna.h5ad:X_pca", "atac.h5ad:X_lsi"), tables):
        whole = read(str(cells / place))
        np.testing.assert_array_equal(table.features, whole.features)
        assert [*table.ids] == [*whole.ids]
        assert [*table.labels] == [*whole.labels]
