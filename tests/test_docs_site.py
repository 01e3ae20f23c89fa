"""The site that is made of docs/: every public name, every page, no warning."""

import html.parser
import pathlib
import re
import subprocess
import sys
import urllib.parse

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
    functions = page.partition("\n## Command line\n")[0]
    assert {*re.findall(r"^\| \[?`(\w+)", functions, flags=re.M)} == {*gentle_clip_jax.__all__}


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
    for door in ("I have two folders", "I have features", "I write JAX"):
        assert door in start
    assert "review.png" in start
    assert "quickstart.png" in start
    assert "Search" in start
    assert (site / "searchindex.js").exists()
    assert "prefers-color-scheme" in "".join(
        path.read_text() for path in site.glob("_static/styles/*.css")
    )


@pytest.mark.slow
def test_formulas_are_formulas(site):
    page = (site / "method.html").read_text()
    assert page.count('class="math"') == page.count("<math ") > 20
    for path in site.rglob("*.html"):
        assert not re.findall(r">[^<]*\\\\[a-z]+[^<]*</m", path.read_text()), path  # TeX left over


@pytest.mark.slow
def test_nothing_is_fetched_from_elsewhere(site):
    for path in (*site.rglob("*.html"), *site.rglob("*.css")):
        fetched = r"<(?:script|img|link|iframe|source)\b[^>]*?(?:src|href)=\"(?:https?:)?//[^\"]*"
        assert not re.findall(rf"{fetched}|url\([\"']?(?:https?:)?//", path.read_text()), path


class Page(html.parser.HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = set(), set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        """Notes them."""
        named = dict(attrs)
        self.anchors |= {named[key] for key in ("id", "name") if named.get(key)}
        self.links |= {named[key] for key in ("href", "src") if named.get(key)}


@pytest.mark.slow
def test_every_link_within_leads_to_a_page_and_a_place_in_it(site):
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    for path, page in pages.items():
        for link in page.links:
            address = urllib.parse.urlsplit(link)
            if address.scheme or address.netloc:
                continue
            name = urllib.parse.unquote(address.path)
            target = (path.parent / name).resolve() if name else path
            assert target.exists(), f"{path.name}: {link}"
            anchor = urllib.parse.unquote(address.fragment)
            if anchor and target in pages:
                assert anchor in pages[target].anchors, f"{path.name}: {link}"


@pytest.mark.slow
def test_the_reference_shows_every_public_name_with_its_docstring(site):
    page = (site / "reference.html").read_text()
    for name in NAMES:
        assert f'id="{name}"' in page or f'id="module-{name}"' in page, name
    assert "y[i] is the partner of x[i]" in page
    assert "Raises" in page
