"""The figure of minutes.md: partners found by minutes of a person, a panel for each field."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from few_pairs.cells import half_width
from gains_figure import FAINT, INK

from gentle_clip_jax.pages.colours import light

ACROSS = 2  # panels
PANEL = (176, 132)  # of a plot, in pixels
GAP = (22, 46)  # between plots: room for a title and for the minutes
MARGIN = (46, 62, 10, 46)  # left, above, right, below
FONT = 12
TICKS, MOST = (0, 15, 30, 45), 54  # minutes
STEP = 10  # per cent between horizontal lines
LEAST_DRAWS = 3  # of an interval that is drawn


class Look(NamedTuple):
    """Colour, dashes and mark of a way; the mark is drawn around 0, 0."""

    colour: str
    mark: str
    dashes: str = ""


CIRCLE, RING = '<circle r="3.2"/>', '<circle r="2.6" fill="#fff"/>'
TRIANGLE, DIAMOND = '<path d="M0-4.2L4 3.2H-4Z"/>', '<path d="M0-5L4.4 0 0 5-4.4 0Z"/>'
CROSS = '<path d="M-3.5-3.5L3.5 3.5M-3.5 3.5L3.5-3.5"/>'
LOOKS = {
    "random": Look(light("grey"), RING, "4 3"),
    "ask": Look(light("blue"), CIRCLE),
    "review": Look(light("orange"), TRIANGLE),
    "names": Look(light("teal"), DIAMOND),
    "nothing": Look(light("grey"), CROSS),
}
STYLE = (
    f"text{{font:{FONT}px system-ui,sans-serif;fill:{INK}}}.m{{text-anchor:middle}}"
    f".e{{text-anchor:end}}.g{{stroke:{FAINT}}}.c{{fill:none;stroke-width:2}}"
    + "".join(f".{way}{{stroke:{look.colour};fill:{look.colour}}}" for way, look in LOOKS.items())
)

Curve = Sequence[tuple[float, Sequence[float]]]  # minutes, and the values of the draws


def figure(panels: Mapping[str, Mapping[str, Curve]], labels: Mapping[str, str]) -> str:
    """Return the SVG; panels: curves by title and way; labels: of the ways."""
    ends = [
        statistics.mean(values) + _half(values)
        for curves in panels.values()
        for curve in curves.values()
        for at, values in curve
        if at <= MOST
    ]
    high = STEP * -int(-max(ends) // STEP)
    down = -(-len(panels) // ACROSS)
    width = MARGIN[0] + ACROSS * (PANEL[0] + GAP[0]) - GAP[0] + MARGIN[2]
    height = MARGIN[1] + down * (PANEL[1] + GAP[1]) - GAP[1] + MARGIN[3]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">',
        "<title>Partners found by minutes of a person</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        *_legend(labels),
    ]
    for number, (title, curves) in enumerate(panels.items()):
        column, row = number % ACROSS, number // ACROSS
        left = MARGIN[0] + column * (PANEL[0] + GAP[0])
        top = MARGIN[1] + row * (PANEL[1] + GAP[1])
        parts.append(f'<g transform="translate({left} {top})">')
        parts += _panel(title, curves, high, numbered=not column)
        parts.append("</g>")
    parts.append(f'<text class="m" x="{width / 2}" y="{height - 8}">minutes of a person</text>')
    parts.append(
        f'<text class="m" transform="translate(13 {height / 2}) rotate(-90)">'
        "partner among the first ten, %</text>"
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend(labels: Mapping[str, str]) -> Iterable[str]:
    """Yield the marks with their labels, three in a line."""
    for number, (way, label) in enumerate(labels.items()):
        x, y = 20 + number % 3 * 132, 14 + number // 3 * 17
        yield f'<g class="{way}" transform="translate({x} {y})">{LOOKS[way].mark}</g>'
        yield f'<text x="{x + 10}" y="{y + 4}">{label}</text>'


def _panel(title: str, curves: Mapping[str, Curve], high: int, numbered: bool) -> Iterable[str]:
    def down(value: float) -> str:
        return f"{PANEL[1] * (high - value) / high:.1f}"

    def right(minutes: float) -> str:
        return f"{8 + (PANEL[0] - 8) * minutes / MOST:.1f}"

    yield f'<text y="-8">{title}</text>'
    for line in range(0, high + 1, STEP):
        yield f'<path class="g" d="M0 {down(line)}H{PANEL[0]}"/>'
        if numbered:
            yield f'<text class="e" x="-6" y="{float(down(line)) + 4:.1f}">{line}</text>'
    for minutes in TICKS:
        yield f'<text class="m" x="{right(minutes)}" y="{PANEL[1] + 16}">{minutes}</text>'
    for way, curve in curves.items():
        shown = [(at, statistics.mean(values), _half(values)) for at, values in curve]
        shown = [point for point in shown if point[0] <= MOST]
        dashes = f' stroke-dasharray="{LOOKS[way].dashes}"' if LOOKS[way].dashes else ""
        yield f'<g class="{way}">'
        if len(shown) > 1:
            line = "L".join(f"{right(at)} {down(mean)}" for at, mean, _ in shown)
            yield f'<path class="c"{dashes} d="M{line}"/>'
        for at, mean, half in shown:
            if half:
                yield f'<path d="M{right(at)} {down(max(mean - half, 0))}V{down(mean + half)}"/>'
            place = f"translate({right(at)} {down(mean)})"
            yield f'<g transform="{place}">{LOOKS[way].mark}</g>'
        yield "</g>"


def _half(values: Sequence[float]) -> float:
    return half_width(values) if len(values) >= LEAST_DRAWS else 0.0
