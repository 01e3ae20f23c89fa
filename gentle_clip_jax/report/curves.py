"""Curves over the steps, one small picture for each."""

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from gentle_clip_jax.report import results
from gentle_clip_jax.report.picture import SERIES, draw
from gentle_clip_jax.runs.read import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLES = {
    "loss/total": "Total loss",
    "loss/clip": "CLIP, matched pairs",
    "loss/mmd": "MK-MMD, coarse",
    "loss/sdd": "SDD, fine",
    "loss/ssl": "SSL, two views",
    "alignment/modality_gap": "Modality gap",
    "alignment/mmd": "MK-MMD of the sets",
    "grad_norm": "Gradient norm",
    "temperature": "Temperature",
    "examples_per_second": "Examples per second",
}
_VALIDATION = ("mean_recall", "i2t_r10", "t2i_r10", "zero_shot_accuracy")
_MAX_POINTS = 150
_DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))


def curves_section(runs: dict[str, Run]) -> str:
    """Loss terms, validation and the training's health; the compared runs where they have them."""
    run = next(iter(runs.values()))
    if not run.metrics:
        return "<section><h2>Training</h2><p>No step has been logged yet.</p></section>"
    train, validation = run.curve_names("train"), run.curve_names("validation")
    terms = [name for name in train if name.startswith("loss/")]
    terms.sort(key=lambda name: name != "loss/total")
    shown = [name for name in _VALIDATION if name in validation] or validation
    groups = (
        ("Loss terms", "train", terms),
        ("Validation", "validation", shown),
        ("Alignment and health", "train", [name for name in train if name not in terms]),
    )
    body = "".join(_group(title, kind, group, runs) for title, kind, group in groups if group)
    if not validation:
        body += "<p>No validation has been logged yet.</p>"
    if run.num_unreadable_lines:
        body += f'<p class="note">Damaged lines of {run.folder.metrics.name} left out: '
        body += f"{run.num_unreadable_lines}.</p>"
    return f"""
<section><h2>Training</h2>{_legend(runs)}{body}
<p class="note">Every curve runs over the training steps; the figure beside its title is this run's
last. Long runs are shown by means over neighbouring steps, in a band from lowest to highest.</p>
</section>"""


def _legend(runs: dict[str, Run]) -> str:
    keys = (
        f'<li><i class="key key-{i}"></i>{escape(name)}</li>'
        for i, name in enumerate([*runs][: len(SERIES)])
    )
    return f'<ul class="legend">{"".join(keys)}</ul>' if len(runs) > 1 else ""


def _group(title: str, kind: str, curves: list[str], runs: dict[str, Run]) -> str:
    figures = "".join(_figure(kind, curve, runs) for curve in curves)
    return f'<h3>{title}</h3><div class="panels">{figures}</div>'


def _figure(kind: str, name: str, runs: dict[str, Run]) -> str:
    share = kind == "validation" and results.is_share(name)
    scale = 100 if share else 1
    # A fourth compared run or a later one has its place in the table, not in the pictures.
    first, *_ = shown = [*runs.values()][: len(SERIES)]
    series = [run.curve(kind, name) for run in shown]
    series = [(steps, scale * values) for steps, values in series]
    unit = "&#8239;%" if share else ""
    title = _TITLES.get(name, name)
    if kind == "validation":
        title = results.label(name, first.modalities)
    last = f"{_short(series[0][1][-1])}{unit}"
    svg = draw(f"{kind}-{name}", f"{title} over the steps", lambda axes: _paint(axes, series))
    return (
        f"<figure><figcaption><b>{escape(title)}</b> <span>{last}</span></figcaption>{svg}</figure>"
    )


def _short(value: float) -> str:
    """Three digits, and no exponent where there is no need of one."""
    return (
        f"{value:,.0f}"
        if abs(value) >= 1000
        else f"{value:.2g}"
        if abs(value) < 1e-3
        else f"{value:.3g}"
    )


def _paint(axes: "Axes", series: list[tuple[np.ndarray, np.ndarray]]) -> None:
    # Imported here: matplotlib takes a second, and the terminal's table has no use for it.
    from matplotlib.ticker import MaxNLocator

    for i, (steps, values) in reversed([*enumerate(series)]):
        x, low, mean, high = _binned(steps, values)
        style = {"color": SERIES[i], "linestyle": _DASHES[i], "linewidth": 1.6 if i else 2.0}
        axes.plot(x, mean, **style, marker="o" if len(x) < 2 else None, solid_capstyle="round")
        axes.fill_between(x, low, high, color=SERIES[i], alpha=0.15, linewidth=0)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], integer=True))


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
