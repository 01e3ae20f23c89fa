"""Plots of a diagnosis, each with a line on how to read it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from gentle_clip_jax.pages.colours import X, Y
from gentle_clip_jax.pages.plot import PAGE, plain, plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LETTERS = 12  # of a name in a picture; longer ones leave no room for the rest
_HERE = PAGE["orange"]  # what was measured, before what chance does


def draw(key: str, picture: Mapping[str, Any]) -> tuple[Markup, str]:
    """Return the SVG of a finding and a line on how to read it; `key` selects the plot."""
    paint, note = _KINDS[picture["kind"]](picture)
    height = 0.7 + 0.35 * len(picture["values"]) if picture["kind"] == "bars" else 2.3
    return plot(key, picture["title"], paint, (4.2, height)), note


_Drawn = tuple[Callable[["Axes"], None], str]


def _histogram(picture: Mapping[str, Any]) -> _Drawn:
    def paint(axes: "Axes") -> None:
        axes.stairs(picture["counts"], picture["edges"], fill=True, color=PAGE["grey"], alpha=0.45)
        for name, value in picture["marks"].items():
            axes.axvline(value, color=_HERE, linewidth=2)
            axes.annotate(
                plain(name),
                (value, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 1),
                textcoords="offset points",
                color=_HERE,
                ha="center",
            )
        axes.set_xlabel(plain(picture["label"]))
        axes.set_ylabel("how often")
        axes.set_yticks([])

    if not picture["marks"]:
        return paint, "Each bar counts the values in its range."
    return (
        paint,
        "Each bar counts the values by chance in its range; the line is that of the data.",
    )


def _bars(picture: Mapping[str, Any]) -> _Drawn:
    names = [*picture["values"]]

    def paint(axes: "Axes") -> None:
        bars = axes.barh(range(len(names)), [*picture["values"].values()], color=_HERE, height=0.5)
        axes.bar_label(bars, fmt=lambda value: "" if value else "none", padding=4)
        for name, value in picture["chance"].items():
            axes.plot(
                value, names.index(name), "|", color=PAGE["ink"], markersize=20, markeredgewidth=2
            )
        title = picture["title"][:1].lower() + picture["title"][1:]
        alone = len(names) == 1  # and says what is measured
        axes.set_yticks(
            [0] if alone else range(len(names)), [""] if alone else [*map(_short, names)]
        )
        axes.set_xlabel(plain(names[0] if alone else title))
        axes.set_xlim(0, picture["full"])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.grid(visible=False)

    return paint, "Bars show the data" + ("; the mark shows chance." if picture["chance"] else ".")


def _scatter(picture: Mapping[str, Any]) -> _Drawn:
    def paint(axes: "Axes") -> None:
        for name, hue, marker in (("x", X, "o"), ("y", Y, "D")):
            first, second = zip(*picture[name])
            axes.scatter(
                first, second, s=5, color=PAGE[hue], marker=marker, alpha=0.5, linewidths=0
            )
            label = _short(picture["names"][name])
            axes.scatter([], [], color=PAGE[hue], marker=marker, label=label)
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 2, "borderaxespad": 0}
        axes.legend(frameon=False, labelcolor=PAGE["muted"], fontsize=8, handletextpad=0.2, **above)
        axes.set_xlabel("first principal component")
        axes.set_ylabel("second")
        axes.set_xticks([])
        axes.set_yticks([])

    return paint, "Each mark is an item; similar sets overlap."


_KINDS = {"histogram": _histogram, "bars": _bars, "scatter": _scatter}


def _short(name: str) -> str:
    return plain(name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…")
