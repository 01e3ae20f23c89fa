"""Curves over the steps, one small plot for each."""

from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from gentle_clip_jax.pages import render
from gentle_clip_jax.pages.colours import SERIES
from gentle_clip_jax.pages.plot import PAGE, plot
from gentle_clip_jax.report import results
from gentle_clip_jax.runs.read import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# What a curve is called, and what it says.
_CURVES = {
    "loss/total": ("Total loss", "The sum of the weighted terms, which training minimises."),
    "loss/clip": (
        "CLIP, matched pairs",
        "Low if matched pairs are clearly closer than mismatched ones.",
    ),
    "loss/mmd": ("MK-MMD, coarse", "Distance between the two sets as wholes; 0 if they are alike."),
    "loss/sdd": ("SDD, fine", "Difference of the two sets' densities around items; 0 if alike."),
    "loss/ssl": ("SSL, two views", "Low if two views of an item are close."),
    "alignment/modality_gap": ("Modality gap", "Distance between the means of both modalities."),
    "alignment/mmd": ("MK-MMD of the sets", "Distance between the two sets; 0 if they are alike."),
    "grad_norm": ("Gradient norm", "A sudden peak hints at an unstable step."),
    "temperature": ("Temperature", "The divisor of cosines; lower is sharper."),
    "examples_per_second": ("Examples per second", "It should stay level."),
}
_VALIDATION = {
    "mean_recall": "Mean of the recalls of both ways, on validation items.",
    "i2t_r10": "Validation items whose partner is among the ten nearest.",
    "t2i_r10": "Validation items whose partner is among the ten nearest.",
    "zero_shot_accuracy": "Validation items whose class is named rightly.",
}
_OTHERWISE = "As logged by the run."
_MAX_POINTS = 150
_DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))


def curves_section(runs: dict[str, Run]) -> Markup:
    """Loss terms, validation and the training's health; the compared runs where they have them."""
    run = next(iter(runs.values()))
    train, validation = run.curve_names("train"), run.curve_names("validation")
    terms = [name for name in train if name.startswith("loss/")]
    terms.sort(key=lambda name: name != "loss/total")
    shown = [name for name in _VALIDATION if name in validation] or validation
    groups = (
        ("Loss terms", "train", terms),
        ("Validation", "validation", shown),
        ("Alignment and health", "train", [name for name in train if name not in terms]),
    )
    return render(
        "report/templates/curves.html",
        logged=bool(run.metrics),
        names=[*zip(runs, SERIES)],
        groups=[
            (title, [_figure(kind, name, runs) for name in names])
            for title, kind, names in groups
            if names
        ],
        validated=bool(validation),
        log=run.folder.metrics.name,
        damaged=run.num_unreadable_lines,
    )


def _figure(kind: str, name: str, runs: dict[str, Run]) -> dict[str, Any]:
    share = kind == "validation" and results.is_share(name)
    scale = 100 if share else 1
    # A fourth compared run or a later one has its place in the table, not in the pictures.
    first, *_ = shown = [*runs.values()][: len(SERIES)]
    series = [run.curve(kind, name) for run in shown]
    series = [(steps, scale * values) for steps, values in series]
    title, note = _CURVES.get(name, (name, _OTHERWISE))
    if kind == "validation":
        title, note = results.label(name, first.modalities), _VALIDATION.get(name, _OTHERWISE)
    svg = plot(
        f"{kind}-{name}", f"{title} over the steps", lambda axes: _paint(axes, series, share)
    )
    last = _short(series[0][1][-1]) + ("\u202f%" if share else "")
    return {"title": title, "note": note, "last": last, "svg": svg}


def _short(value: float) -> str:
    """Return the number with three digits, without an exponent where possible."""
    return (
        f"{value:,.0f}"
        if abs(value) >= 1000
        else f"{value:.2g}"
        if abs(value) < 1e-3
        else f"{value:.3g}"
    )


def _paint(axes: "Axes", series: list[tuple[np.ndarray, np.ndarray]], share: bool) -> None:
    # Imported here: matplotlib takes a second, and the terminal's table has no use for it.
    from matplotlib.ticker import MaxNLocator

    for i, (steps, values) in reversed([*enumerate(series)]):
        x, low, mean, high = _binned(steps, values)
        style = {"color": PAGE[SERIES[i]], "linestyle": _DASHES[i], "linewidth": 1.6 if i else 2.0}
        axes.plot(x, mean, **style, marker="o" if len(x) < 2 else None, solid_capstyle="round")
        axes.fill_between(x, low, high, color=PAGE[SERIES[i]], alpha=0.15, linewidth=0)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], integer=True))
    axes.set_xlabel("step")
    if share:
        axes.set_ylabel("per cent")


def _binned(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, ...]:
    """At most _MAX_POINTS steps [b], with the lowest, mean and highest value [b] around each."""
    parts = min(len(steps), _MAX_POINTS)
    if parts == 0:
        return steps, values, values, values
    bins = [
        (np.mean(s), np.min(v), np.mean(v), np.max(v))
        for s, v in zip(np.array_split(steps, parts), np.array_split(values, parts))
    ]
    return tuple(np.array(bins).T)
