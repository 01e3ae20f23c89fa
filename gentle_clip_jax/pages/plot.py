"""Small plots by matplotlib, as inline SVG in the page's own colours."""

import io
import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}
_NAMES = ("ink", "muted", "line", "blue", "orange", "green", "violet", "pink", "teal", "gold")
# In colours that nobody would pick, then replaced by the page's: they follow light and dark.
PAGE = {name: f"#0102{i:02x}" for i, name in enumerate((*_NAMES, "red", "grey"), start=3)}

_alone = threading.Lock()  # matplotlib's settings are those of all threads


def plot(
    key: str, label: str, paint: Callable[["Axes"], None], size: tuple[float, float] = (3.4, 2.1)
) -> Markup:
    """Return an SVG of the axes that `paint` fills, in colours of `PAGE`.

    Args:
      key: tells the picture's ids from those of the page's other pictures.
      label: for those who cannot see it.
      paint: draws.
      size: in inches, at which text of the page has 9 points.
    """
    # Imported here: matplotlib takes a second, and a terminal's table has no use for it.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with _alone, mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": key, "font.size": 9}):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        frame(axes, PAGE["muted"], PAGE["line"])
        paint(axes)
        picture = io.StringIO()
        figure.savefig(picture, format="svg", transparent=True, metadata=NO_METADATA)
    return _themed(picture.getvalue(), key, label)


def frame(axes: "Axes", ink: str, line: str) -> None:
    """Strip the axes to a grid of levels and few ticks."""
    from matplotlib.ticker import MaxNLocator

    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(line)
    axes.grid(axis="y", color=line, linewidth=0.8)
    axes.tick_params(colors=ink, length=0)
    axes.xaxis.label.set_color(ink)
    axes.yaxis.label.set_color(ink)
    axes.set_axisbelow(True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))


def plain(text: str) -> str:
    """Return a text that matplotlib does not parse as a formula."""
    return text.replace("$", r"\$")


def _themed(svg: str, key: str, label: str) -> Markup:
    """Return an inline SVG with the page's colours and unique ids."""
    svg = svg[svg.index("<svg") :]
    for name, color in PAGE.items():
        svg = svg.replace(color, f"var(--{name})")
    prefix = re.sub(r"\W", "-", key)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r"(url\(#|href=\"#)", rf"\g<1>{prefix}-", svg)
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1))
