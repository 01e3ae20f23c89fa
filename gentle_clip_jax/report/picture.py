"""Small pictures by matplotlib, as inline SVG in the page's own colours."""

import io
import re
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}

# Drawn in colours that nobody would pick, then replaced by the page's: they follow light and dark.
INK, GRID = "#010203", "#010204"
SERIES = ("#010205", "#010206", "#010207", "#010208")
_VARIABLES = {INK: "--muted", GRID: "--line"} | {
    color: f"--series-{i}" for i, color in enumerate(SERIES)
}


def draw(key: str, label: str, paint: Callable[["Axes"], None]) -> str:
    """An SVG of what `paint` puts on the axes, with a label for those who cannot see it.

    key: tells the picture's ids from those of the page's other pictures.
    """
    # Imported here: matplotlib takes a second, and the terminal's table has no use for it.
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": key, "font.size": 9}):
        figure = Figure(figsize=(3.1, 1.9), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(GRID)
        axes.grid(axis="y", color=GRID, linewidth=0.8)
        axes.tick_params(colors=INK, length=0)
        axes.set_axisbelow(True)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        paint(axes)
        picture = io.StringIO()
        figure.savefig(picture, format="svg", transparent=True, metadata=_NO_METADATA)
    return _themed(picture.getvalue(), key, label)


def plain(text: str) -> str:
    """A text that matplotlib takes for no formula."""
    return text.replace("$", r"\$")


def _themed(svg: str, key: str, label: str) -> str:
    """An inline SVG whose colours are the page's and whose ids are its own."""
    svg = svg[svg.index("<svg") :]
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    prefix = re.sub(r"\W", "-", key)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r"(url\(#|href=\"#)", rf"\g<1>{prefix}-", svg)
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)
