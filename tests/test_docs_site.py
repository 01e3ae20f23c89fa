"""The site that is made of docs/: every public name, every page, no warning."""

import pathlib
import re
import subprocess
import sys

import pytest

import gentle_clip_jax
from gentle_clip_jax import losses

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
NAMES = {f"gentle_clip_jax.{name}" for name in gentle_clip_jax.__all__}
NAMES |= {f"gentle_clip_jax.losses.{name}" for name in vars(losses) if callable(vars(losses)[name])}


def test_the_reference_names_every_public_name():
    page = (DOCS / "reference.md").read_text()
    shown = set(re.findall(r"^\.\. auto(?:function|class|module):: (\S+)$", page, flags=re.M))
    assert shown >= NAMES
    assert shown - NAMES == {
        "gentle_clip_jax.losses.pairwise.normalize",
        "gentle_clip_jax.losses.official",
    }
    assert {*re.findall(r"^\| \[?`(\w+)", page, flags=re.M)} == {*gentle_clip_jax.__all__}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("furo", reason="it is in the extra docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", folder / "trees"]
    process = subprocess.run([*command, DOCS, folder / "html"], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return folder / "html"


@pytest.mark.slow
def test_it_is_built_without_warnings_and_has_every_page(site):
    pages = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    assert all((site / page).exists() for page in pages)
    start = (site / "index.html").read_text()
    tree = start[start.index("sidebar-tree") :]
    for page in pages - {pathlib.Path("index.html"), pathlib.Path("README.html")}:
        assert f'href="{page}"' in tree, page
    for door in ("I have two folders", "I have embeddings", "I write JAX"):
        assert door in start
    assert "review.png" in start
    assert "Search" in start
    assert (site / "searchindex.js").exists()
    assert "prefers-color-scheme" in "".join(
        path.read_text() for path in site.glob("_static/styles/*.css")
    )


@pytest.mark.slow
def test_formulas_are_formulas_and_no_link_leads_out_to_nothing(site):
    assert (site / "method.html").read_text().count('class="math') > 20
    for path in site.rglob("*.html"):
        text = path.read_text()
        for link in re.findall(r'<a [^>]*href="([^"#:]+)(?:#[^"]*)?"', text):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


@pytest.mark.slow
def test_the_reference_shows_every_public_name_with_its_docstring(site):
    page = (site / "reference.html").read_text()
    for name in NAMES:
        assert f'id="{name}"' in page or f'id="module-{name}"' in page, name
    assert "y[i] is the partner of x[i]" in page
    assert "Raises" in page
