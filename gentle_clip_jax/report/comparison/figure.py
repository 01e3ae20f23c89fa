"""The main metrics of a comparison against the number of pairs, in one picture or a plot each."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from gentle_clip_jax.pages.colours import light, look
from gentle_clip_jax.pages.plot import NO_METADATA, PAGE, frame, plain, plot
from gentle_clip_jax.report.comparison.cells import Cell, Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LETTERS = 26  # of a method's label beside an axis
Ink = Callable[[str], str]  # from the name of a hue to a colour


def comparison_figure(comparison: Comparison) -> str:
    """Return a stand-alone SVG: one panel per metric, one line per method, bars of one spread.

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
            axes.set_title(plain(f"{comparison.label(metric)}, %"), fontsize=10, loc="left")
            frame(axes, light("muted"), light("line"))
            _paint(axes, comparison, metric, light)
            if len(comparison.pairs) == 1:
                axes.set_yticks([])  # the legend names them
        figure.legend(
            *panels[0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=num_columns,
            frameon=False,
            handlelength=3,
        )
        picture = io.StringIO()
        figure.savefig(picture, format="svg", metadata=NO_METADATA)
    return picture.getvalue()


def comparison_plots(comparison: Comparison) -> list[tuple[str, Markup]]:
    """Return the same for a page in its own colours: a title and an SVG for each metric."""

    def plotted(metric: str) -> Markup:
        label = f"{comparison.label(metric)} against the number of pairs"
        height = 2.9 if len(comparison.pairs) > 1 else 0.7 + 0.24 * len(comparison.methods)
        return plot(
            metric,
            label,
            lambda axes: _paint(axes, comparison, metric, PAGE.__getitem__),
            (4.2, height),
        )

    return [(f"{comparison.label(metric)}, %", plotted(metric)) for metric in comparison.main]


def _paint(axes: "Axes", comparison: Comparison, metric: str, ink: Ink) -> None:
    if len(comparison.pairs) == 1:
        _points(axes, comparison, metric, ink)
        return
    axes.set_xscale("log")
    axes.set_xticks([*comparison.pairs], [f"{pairs:,}" for pairs in comparison.pairs])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("matched pairs")
    for place, method in enumerate(comparison.methods):
        cells = [(pairs, comparison.row(pairs, metric).get(method)) for pairs in comparison.pairs]
        measured = [(pairs, *_ends(cell)) for pairs, cell in cells if cell is not None]
        pairs, means, spreads = zip(*measured) if measured else ((), (), ())
        # A little aside of each other, so that every error bar is seen.
        aside = 1.015 ** (place - (len(comparison.methods) - 1) / 2)
        x = [aside * number for number in pairs]
        axes.errorbar(x, means, spreads, **_style(comparison, method, ink))


def _points(axes: "Axes", comparison: Comparison, metric: str, ink: Ink) -> None:
    """Plot one line per method, from the top, for a comparison with one number of pairs."""
    (pairs,) = comparison.pairs
    for place, method in enumerate(comparison.methods):
        cell = comparison.row(pairs, metric).get(method)
        mean, spread = ([value] for value in _ends(cell)) if cell is not None else ([], [])
        axes.errorbar(mean, [place] * len(mean), xerr=spread, **_style(comparison, method, ink))
    labels = comparison.methods.values()
    names = [plain(one if len(one) <= _LETTERS else f"{one[: _LETTERS - 1]}…") for one in labels]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel("per cent")
    axes.grid(axis="x", color=ink("line"), linewidth=0.8)


def _ends(cell: Cell) -> tuple[float, float]:
    """Return the mean and spread in per cent."""
    return 100 * cell.mean, 100 * (cell.spread or 0)


def _style(comparison: Comparison, method: str, ink: Ink) -> dict[str, Any]:
    style = look(method)
    return {
        "color": ink(style.hue),
        "marker": style.marker,
        "markerfacecolor": "none" if style.hollow else None,
        "linestyle": "-" if method in comparison.unmatched else (0, (4, 2)),
        "linewidth": 1.3,
        "markersize": 4.5,
        "elinewidth": 0.9,
        "label": plain(comparison.methods[method]),
    }
