"""The site of these pages: sphinx-build -W docs build/site

Pages are written for a forge, which shows them as they are. Three things are added for the site:
the tree of pages, which is that of README.md here, addresses of files outside of this folder, and
formulas as MathML, which browsers draw without a script from elsewhere.
"""

import os
import pathlib
import re
import tomllib

from docutils import nodes
from latex2mathml.converter import convert
from pygments.lexers import JsonLexer, TextLexer

DOCS = pathlib.Path(__file__).resolve().parent
PROJECT = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]
# A forge that builds the site says where the repository is; elsewhere files are named, not linked.
FORGE = "GITHUB_SERVER_URL", "GITHUB_REPOSITORY"
ADDRESS = "/".join(map(os.environ.__getitem__, FORGE)) if {*FORGE} <= {*os.environ} else ""

project = "gentle_clip_jax"
version = release = PROJECT["version"]
root_doc = "index"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
default_role = "literal"  # docstrings put names between single backticks
autodoc_typehints = "none"  # they say shapes, which types do not
html_theme = "furo"
html_title = f"gentle_clip_jax {release}"
html_copy_source = False


html_math_renderer = "mathml"


def setup(app):
    app.add_html_math_renderer("mathml", (in_line, None), (on_its_own, None))
    app.connect("source-read", read)
    app.add_lexer("jsonl", JsonLexer)
    app.add_lexer("csv", TextLexer)


def read(app, docname, source):
    page = DOCS / f"{docname}.md"
    links = re.compile(r"\[([^\]]*)\]\((\.\.[^)\s]*)\)")
    source[0] = links.sub(lambda link: outside(page, link), source[0])
    if docname == "README":  # the index for a forge; here the tree is beside every page
        source[0] = f"---\norphan: true\n---\n{source[0]}"
    if docname == root_doc:
        source[0] += trees((DOCS / "README.md").read_text())


def in_line(translator, node):
    translator.body.append(f'<span class="math">{convert(node.astext())}</span>')
    raise nodes.SkipNode


def on_its_own(translator, node):
    formula = convert(node.astext(), display="block")
    style = "overflow-y: hidden; padding-block: 0.5em"  # it scrolls to the side alone
    translator.body.append(f'<div class="math" style="{style}">{formula}</div>')
    raise nodes.SkipNode


def outside(page: pathlib.Path, link: re.Match) -> str:
    """A link, with an address if it leads out of this folder; without one, its words."""
    text, target = link.groups()
    path = (page.parent / target.partition("#")[0]).resolve()
    if path.is_relative_to(DOCS):
        return link[0]
    return f"[{text}]({ADDRESS}/blob/main/{path.relative_to(DOCS.parent)})" if ADDRESS else text


def trees(index: str) -> str:
    """The tree of pages: a part for each heading of the index, with the pages of its tables."""
    made = ""
    for part in re.split(r"^#+ ", index, flags=re.MULTILINE)[1:]:
        title, _, rest = part.partition("\n")
        pages = re.findall(r"^\| \[[^\]]*\]\(([^.)]+)\.md\)", rest, flags=re.MULTILINE)
        listed = "\n".join(pages)
        made += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{listed}\n```\n" if pages else ""
    return made
