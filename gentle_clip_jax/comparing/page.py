"""Page of a comparison: the verdict, a plot and a table of the methods, and the next steps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gentle_clip_jax.pages import Step, render
from gentle_clip_jax.pages.colours import look
from gentle_clip_jax.pages.names import named
from gentle_clip_jax.pages.plot import PAGE, plain, plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEAD = ("method", "unmatched items", "recall, %", "95 %", "difference, points", "99 %")
_LETTERS = 34  # of a method's name beside the plot
_NOW = (
    Step(
        "Fit the method that held-out pairs choose to all pairs, and save it.",
        "gentle-clip align --x=X --y=Y --pairs=PAIRS --out=aligner",
    ),
    Step(
        "Too early to tell? More pairs, well chosen, say more than more methods.",
        "gentle-clip ask --x=X --num=30 --out=ask",
    ),
)


def comparison_page(metadata: Mapping[str, Any], summary: Sequence[str]) -> str:
    """Render the page of a comparison's figures and sentences."""
    x, y = metadata["modalities"]
    counts, rows = metadata["counts"], metadata["methods"]
    first, *lead = (named(sentence, x, y) for sentence in summary)
    verdict, _, rest = first.partition(". ")
    return render(
        "comparing/templates/comparison.html",
        kind="comparison",
        name=f"{counts['pairs']:,} pairs of {x} and {y}, {len(rows)} methods",
        verdict=verdict,
        lead=[rest, *lead],
        head=HEAD,
        rows=[(look(row["method"]), cells(row)) for row in rows],
        plot=_plot(rows, metadata["chance"]),
        metadata=metadata,
        now=_NOW,
    )


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a method below `HEAD`: figures in per cent and in points."""
    value, low, high = (100 * row["recall"][key] for key in ("value", "low", "high"))
    difference = "reference", ""
    if row["difference"]:
        more, least, most = (100 * row["difference"][key] for key in ("value", "low", "high"))
        difference = f"{more:+z.1f}", f"{least:+z.1f} to {most:+z.1f}"
    used = "used" if row["unmatched"] else "not used"
    return row["method"], used, f"{value:.1f}", f"{low:.1f} to {high:.1f}", *difference


def _plot(rows: Sequence[Mapping[str, Any]], chance: float) -> str:
    """Plot the recall of each method with its 95 % interval, from the top, and that by chance."""

    def paint(axes: "Axes") -> None:
        for place, row in enumerate(rows):
            value, low, high = (100 * row["recall"][key] for key in ("value", "low", "high"))
            style = look(row["method"])
            axes.plot([low, high], [place, place], color=PAGE[style.hue], linewidth=1.3)
            axes.plot(value, place, style.marker, color=PAGE[style.hue], markersize=5)
        axes.axvline(100 * chance, color=PAGE["muted"], linewidth=0.8, linestyle=(0, (4, 2)))
        names = [row["method"] for row in rows]
        names = [name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…" for name in names]
        axes.set_yticks(range(len(names)), [plain(name) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(left=0)  # a narrow range could lack ticks
        axes.locator_params(axis="x", nbins=6)
        axes.set_xlabel("recall, per cent")
        axes.grid(axis="x", color=PAGE["line"], linewidth=0.8)

    label = "Recall of held-out pairs by method"
    return plot("recall", label, paint, (5.6, 0.7 + 0.26 * len(rows)))
