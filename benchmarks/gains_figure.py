"""The figure of evidence.md: gain of the default by number of pairs, a panel for each field."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

from few_pairs.cells import half_width
from few_pairs.protocol import PAIRS

from gentle_clip_jax.pages.colours import light

ACROSS = 5  # panels
PANEL = (160, 120)  # of a plot, in pixels
GAP = (22, 52)  # between plots: room for a title and for the numbers of pairs
MARGIN = (46, 24, 12, 50)  # left, above, right, below
FONT = 11
STEP = 2  # points between horizontal lines
INK, LINE, FAINT = "#1b1d22", light("blue"), "#dfe2e8"
STYLE = (
    f"text{{font:{FONT}px system-ui,sans-serif;fill:{INK}}}.m{{text-anchor:middle}}"
    f".e{{text-anchor:end}}path{{fill:none}}.g{{stroke:{FAINT}}}.z{{stroke:{INK}}}"
    f".c{{stroke:{LINE};stroke-width:2}}.b{{stroke:{LINE}}}circle{{fill:{LINE}}}"
)

Panel = Mapping[int, Sequence[float]]  # gains by number of pairs


def figure(panels: Mapping[str, Panel]) -> str:
    """Return the SVG; panels: by title."""
    ends = [
        statistics.mean(gain) + sign * half_width(gain)
        for panel in panels.values()
        for gain in panel.values()
        for sign in (-1, 1)
    ]
    low, high = (STEP * way(at(ends) / STEP) for way, at in ((math.floor, min), (math.ceil, max)))
    down = math.ceil(len(panels) / ACROSS)
    width = MARGIN[0] + ACROSS * (PANEL[0] + GAP[0]) - GAP[0] + MARGIN[2]
    height = MARGIN[1] + down * (PANEL[1] + GAP[1]) - GAP[1] + MARGIN[3]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">',
        "<title>Gain of the default over the best pairs-only method</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for number, (title, panel) in enumerate(panels.items()):
        column, row = number % ACROSS, number // ACROSS
        left = MARGIN[0] + column * (PANEL[0] + GAP[0])
        top = MARGIN[1] + row * (PANEL[1] + GAP[1])
        parts.append(f'<g transform="translate({left} {top})">')
        parts += _panel(title, panel, (low, high), numbered=not column)
        parts.append("</g>")
    parts.append(f'<text class="m" x="{width / 2}" y="{height - 8}">matched pairs</text>')
    parts.append(
        f'<text class="m" transform="translate(13 {height / 2}) rotate(-90)">'
        "gain, points of recall</text>"
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(title: str, panel: Panel, ends: tuple[int, int], numbered: bool) -> Iterable[str]:
    low, high = ends

    def down(value: float) -> str:
        return f"{PANEL[1] * (high - value) / (high - low):.1f}"

    def right(pairs: int) -> str:
        share = math.log(pairs / PAIRS[0]) / math.log(PAIRS[-1] / PAIRS[0])
        return f"{8 + (PANEL[0] - 16) * share:.1f}"

    yield f'<text y="-8">{title}</text>'
    for line in range(low, high + 1, STEP):
        yield f'<path class="{"g" if line else "z"}" d="M0 {down(line)}H{PANEL[0]}"/>'
        if numbered:
            words = f"{line:+}" if line else "0"
            yield f'<text class="e" x="-6" y="{float(down(line)) + 4:.1f}">{words}</text>'
    for pairs in PAIRS:
        yield f'<text class="m" x="{right(pairs)}" y="{PANEL[1] + 16}">{pairs:,}</text>'
    means = {pairs: statistics.mean(gain) for pairs, gain in panel.items()}
    at = "L".join(f"{right(pairs)} {down(mean)}" for pairs, mean in means.items())
    yield f'<path class="c" d="M{at}"/>'
    for pairs, mean in means.items():
        half = half_width(panel[pairs])
        yield f'<path class="b" d="M{right(pairs)} {down(mean - half)}V{down(mean + half)}"/>'
        yield f'<circle cx="{right(pairs)}" cy="{down(mean)}" r="3"/>'
