"""Curves over the steps, one small picture for each, as SVG in the page's own colours."""

import io
import re
from html import escape

import numpy as np

from gentle_clip_jax.report import results
from gentle_clip_jax.report.run_folder import Run

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

_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}

# Drawn in colours that nobody would pick, then replaced by the page's: they follow light and dark.
_INK, _GRID = "#010203", "#010204"
_SERIES = ("#010205", "#010206", "#010207", "#010208")
_VARIABLES = {_INK: "--muted", _GRID: "--line"} | {
    color: f"--series-{i}" for i, color in enumerate(_SERIES)
}


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
        body += f'<p class="note">Unreadable lines left out: {run.num_unreadable_lines}.</p>'
    return f"""
<section><h2>Training</h2>{_legend(runs)}{body}
<p class="note">Every curve runs over the training steps; the figure beside its title is this run's
last. Long runs are shown by means over neighbouring steps, in a band from lowest to highest.</p>
</section>"""


def _legend(runs: dict[str, Run]) -> str:
    keys = (
        f'<li><i class="key key-{i}"></i>{escape(name)}</li>'
        for i, name in enumerate([*runs][: len(_SERIES)])
    )
    return f'<ul class="legend">{"".join(keys)}</ul>' if len(runs) > 1 else ""


def _group(title: str, kind: str, curves: list[str], runs: dict[str, Run]) -> str:
    figures = "".join(_figure(kind, curve, runs) for curve in curves)
    return f'<h3>{title}</h3><div class="panels">{figures}</div>'


def _figure(kind: str, name: str, runs: dict[str, Run]) -> str:
    share = kind == "validation" and results.is_share(name)
    scale = 100 if share else 1
    # A fourth compared run or a later one has its place in the table, not in the pictures.
    series = [run.curve(kind, name) for run in [*runs.values()][: len(_SERIES)]]
    series = [(steps, scale * values) for steps, values in series]
    unit = "&#8239;%" if share else ""
    title = results.label(name) if kind == "validation" else _TITLES.get(name, name)
    last = f"{_short(series[0][1][-1])}{unit}"
    return (
        f"<figure><figcaption><b>{escape(title)}</b> <span>{last}</span></figcaption>"
        f"{_draw(f'{kind}-{name}', title, series)}</figure>"
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


def _draw(key: str, title: str, series: list[tuple[np.ndarray, np.ndarray]]) -> str:
    # Imported here: matplotlib takes a second, and the terminal's table has no use for it.
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": key, "font.size": 9}):
        figure = Figure(figsize=(3.1, 1.9), layout="constrained")
        axes = figure.add_subplot()
        for i, (steps, values) in reversed([*enumerate(series)]):
            x, low, mean, high = _binned(steps, values)
            style = {"color": _SERIES[i], "linestyle": _DASHES[i], "linewidth": 1.6 if i else 2.0}
            axes.plot(x, mean, **style, marker="o" if len(x) < 2 else None, solid_capstyle="round")
            axes.fill_between(x, low, high, color=_SERIES[i], alpha=0.15, linewidth=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(_GRID)
        axes.grid(axis="y", color=_GRID, linewidth=0.8)
        axes.tick_params(colors=_INK, length=0)
        axes.set_axisbelow(True)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        picture = io.StringIO()
        figure.savefig(picture, format="svg", transparent=True, metadata=_NO_METADATA)
    return _themed(picture.getvalue(), key, title)


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


def _themed(svg: str, key: str, title: str) -> str:
    """An inline SVG whose colours are the page's and whose ids are its own."""
    svg = svg[svg.index("<svg") :]
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    prefix = re.sub(r"\W", "-", key)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r"(url\(#|href=\"#)", rf"\g<1>{prefix}-", svg)
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(title)} over the steps"', 1)
