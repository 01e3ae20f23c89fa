"""The rendering of templates: one HTML file that loads nothing and runs nothing."""

import base64
import functools
import pathlib
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from gentle_clip_jax.storage.writing import write_text

if TYPE_CHECKING:  # slow to load
    import jinja2
    from markdown_it import MarkdownIt

_PACKAGE = pathlib.Path(__file__).parents[1]
ASSETS = pathlib.Path(__file__).parent / "assets"


class Step(NamedTuple):
    """A next step for the reader: a sentence, and the command for it, which may be empty."""

    sentence: str
    command: str = ""


def render(template: str, **values: Any) -> Markup:
    """Return a template filled with values, which are escaped unless rendered before.

    template: its path in the package, such as "report/templates/report.html".
    """
    text = _environment().get_template(template).render(**values)
    # A path on the disk may be no text.
    return Markup(text.encode("utf-8", "backslashreplace").decode())


def write(path: str | pathlib.Path, text: str) -> None:
    """Write a file atomically.

    Raises ValueError, in one sentence, if it cannot be written.
    """
    try:
        write_text(pathlib.Path(path) if isinstance(path, str) else path, text)
    except OSError as error:
        raise ValueError(f"{path} cannot be written ({error.strerror}).") from error


@functools.cache
def style() -> str:
    """Return the stylesheet of every page."""
    return (ASSETS / "pages.css").read_text("utf-8")


@functools.cache
def _environment() -> "jinja2.Environment":
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PACKAGE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"data_url": _data_url, "prose": _prose}
    made.globals |= {"style": Markup(style())}
    return made


def _data_url(content: bytes) -> str:
    """Return a picture, JPEG or PNG, as a data URL."""
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _prose(text: str) -> Markup:
    """Return the text with Markdown's emphasis and code as HTML, and all else escaped.

    >>> _prose("**a < b** and `c`")
    Markup('<strong>a &lt; b</strong> and <code>c</code>')
    """
    return Markup(_markdown().renderInline(text))


@functools.cache
def _markdown() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).disable(["link", "image", "autolink"])
