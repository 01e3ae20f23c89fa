"""The main metrics of a comparison against the number of pairs, as one picture."""

import io
from typing import TYPE_CHECKING

import numpy as np

from gentle_clip_jax.report.comparison.cells import Comparison
from gentle_clip_jax.report.picture import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which the colour-blind tell apart; the markers say the same again.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#1b1d22")
_MARKERS = "os^DvPX*<>"
_INK, _GRID = "#626873", "#e2e4e9"
_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}


def comparison_figure(comparison: Comparison) -> str:
    """An SVG: a panel a metric, a line a method, error bars of one spread.

    Methods that use unmatched items are solid, the others dashed.
    """
    # Imported here: matplotlib takes a second, and the terminal's table has no use for it.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    num_columns = max(2, len(comparison.main))
    num_rows = -(-len(comparison.methods) // num_columns)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "comparison", "font.size": 9}):
        size = (3.2 * num_columns, 3.2 + 0.2 * num_rows)
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        panels = figure.subplots(1, len(comparison.main), squeeze=False)[0]
        for axes, metric in zip(panels, comparison.main):
            _panel(axes, comparison, metric)
        figure.legend(
            *panels[0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=num_columns,
            frameon=False,
            handlelength=3,
        )
        picture = io.StringIO()
        figure.savefig(picture, format="svg", metadata=_NO_METADATA)
    return picture.getvalue()


def _panel(axes: "Axes", comparison: Comparison, metric: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_title(plain(f"{comparison.label(metric)}, %"), fontsize=10, loc="left")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_GRID)
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    axes.tick_params(colors=_INK, length=0)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.set_xscale("log")
    axes.set_xticks([*comparison.pairs], [f"{pairs:,}" for pairs in comparison.pairs])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("pairs", color=_INK)
    for i, method in enumerate(comparison.methods):
        _line(axes, comparison, metric, method, i)


def _line(axes: "Axes", comparison: Comparison, metric: str, method: str, place: int) -> None:
    solid = method in comparison.unmatched
    kin = [name for name in comparison.methods if (name in comparison.unmatched) == solid]
    # Few methods have a colour each; of many, a dashed and a solid one share theirs.
    color = place if len(comparison.methods) <= len(_COLORS) else kin.index(method)
    found = [(pairs, comparison.row(pairs, metric).get(method)) for pairs in comparison.pairs]
    points = [
        (pairs, 100 * cell.mean, 100 * (cell.spread or 0))
        for pairs, cell in found
        if cell is not None
    ]
    x, y, spread = np.array(points).T if points else np.zeros((3, 0))
    # A little aside of each other, so that every error bar is seen.
    aside = 1.015 ** (place - (len(comparison.methods) - 1) / 2)
    axes.errorbar(
        aside * x,
        y,
        spread,
        color=_COLORS[color % len(_COLORS)],
        marker=_MARKERS[place % len(_MARKERS)],
        linestyle="-" if solid else (0, (4, 2)),
        linewidth=1.2,
        markersize=4,
        elinewidth=0.9,
        label=plain(comparison.methods[method]),
    )
