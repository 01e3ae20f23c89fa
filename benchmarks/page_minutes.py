"""What a person's minutes bring: the figure, its page, and the section of evidence.md."""

import itertools
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from few_pairs.cells import DEFAULT, is_clear
from minutes_figure import figure
from published import groups, machine_of, read, spread, table

FIGURE = "figures/minutes.svg"
ALT = "Partners among the first ten by minutes of a person, on four fields"
FIELDS = {
    "photographs": "Photographs and captions",
    "aerial_images": "Aerial images and captions",
    "molecules": "Molecules and descriptions",
    "emoji": "Emoji and names",
}
WAYS = {
    "random": "random items",
    "ask": "items of ask",
    "review": "ask and review",
    "names": "class names",
    "nothing": "no pair",
}
SCREEN, DESCRIPTION = 6, 30  # seconds, assumed
ASSUMED = ((3, 10), (6, 30), (15, 60), (15, 10), (3, 60))
LEVEL = 20  # per cent of the partners, among the first ten
DESCRIBED, BEGUN, SCREENS = 30, 12, 100  # in a quarter of an hour: items, or items and screens
WITHOUT = "gromov_wasserstein"
Cell = tuple[str, int, int]  # way, descriptions, screens
NAMES, RANDOM, ASK = ("names", 0, 0), ("random", DESCRIBED, 0), ("ask", DESCRIBED, 0)
REVIEW = ("review", BEGUN, SCREENS)
GAPS = {"ask": (ASK, RANDOM), "review": (REVIEW, ASK)}
SECTION = """\
## Is it worth a person's time?

On four of the fields: partners among the first ten by minutes of a person. Assumed are 30
seconds to describe an item and 6 for a screen of a review; no person was timed, and a description
is taken to be as good as the true partner.

![{alt}]({figure})

*Per cent of the test items whose partner is among the first ten, by the default of `align` with all
pairs by then; bars are 95 % intervals over draws. Items of ask: `ask` names those to describe. Ask
and review: 12 of these, then up to 200 screens, whose answers a program gives. Class names:
`--classes=encoder`, no minutes. No pair: Gromov-Wasserstein.*

What a quarter of an hour brings: partners among the first ten / first choices that are right,
per cent; differences of the former in points, bold if the 95 % interval does not include 0. Items
of `ask` are clearly above random items on {ask_above} of four fields and below on {ask_below}; 12
of them and 100 screens (16 minutes) are clearly above 30 of them (15 minutes) on {review_above} and
below on {review_below}. {most} screens ({during:.0f} minutes) confirmed {least} to {greatest} pairs
besides the 12 (means on the fields); {instead:.0f} descriptions take as long.
[All figures](results/minutes.md).
"""
ASSUMPTIONS = f"""\
Minutes until {LEVEL} % of the partners are among the first ten, at other seconds for a screen and a
description:
"""
HEAD = """\
# What minutes of a person bring

![{alt}](../{figure})

*Partners among the first ten by minutes of a person, at 6 seconds for a screen of a review and 30
for the description of an item; bars are 95 % intervals over draws.*

Fields, test items and fits are those of [the few-pairs benchmark](few_pairs_benchmark.md); rows of
random items and of no pair are its own, the former of the default. Every fit is of `align` as
shipped with all pairs so far; the quick refits of a review only choose its screens. Draws differ in
the random items, and of `ask`, which names nearly the same items each time, mostly in the order of
the unmatched ones: its intervals do not say how it would do with other items.

- *Described*: a person describes the item, which is taken to be as good as the true partner.
- *Review*: begins with an aligner of 12 items of `ask`, asks for the partner of an item among 48,
  and refits after every ten answers. A program clicks the partner if it is shown, else "none of
  these"; it makes no mistakes. With 12 pairs of more than 2,000 items a review would begin with
  the closest of ten; here all screens show 48.
- *Pairs*: described, or confirmed by then, which are all right.
- *Class names*: `align --classes=encoder` without a pair, for pictures with English texts only.
- *First ten*, *first*, *recall*: R@10, R@1, and the mean of R@1, R@5 and R@10, per cent, mean of
  both ways ± sample standard deviation.

Measured by `python benchmarks/minutes.py --data=DATA --cache=CACHE` at commit {commits}, on
{machine}.
"""


class Point(NamedTuple):
    """What a person did, and the rows of its draws."""

    descriptions: int
    screens: int
    rows: list[dict[str, Any]]

    def values(self, metric: str = "r10") -> list[float]:
        return [row[metric] for row in self.rows]

    def minutes(self, screen: float = SCREEN, description: float = DESCRIPTION) -> float:
        """Return a person's minutes, at so many seconds a screen and a description."""
        return (self.screens * screen + self.descriptions * description) / 60


def curves(field: str) -> dict[str, list[Point]]:
    """Return the points of a field by way, in the order of minutes; ways without rows are left out.

    A review goes on from the point of `ask` that it begins with.
    """
    rows = [row for row in read("minutes")["rows"] if row["field"] == field]
    found: dict[str, list[Point]] = {way: [] for way in WAYS}
    for (way, described, screens), some in groups(rows, "way", "descriptions", "screens").items():
        found[way].append(Point(described, screens, some))
    begun = {point.descriptions for point in found["review"]}
    found["review"] += [point for point in found["ask"] if point.descriptions in begun]
    rows = [row for row in read("few_pairs")["rows"] if row["field"] == field]
    for (method, pairs), some in groups(rows, "method", "pairs").items():
        some = [row for row in some if row["r10"] is not None]
        if some and (method == DEFAULT or (method == WITHOUT and not pairs)):
            found["random" if pairs else "nothing"].append(Point(pairs, 0, some))
    return {way: sorted(points, key=Point.minutes) for way, points in found.items() if points}


def reached(points: Sequence[Point], screen: float, description: float) -> str:
    """Return the minutes until a level is reached, by straight lines between the means.

    "under" the first point, or "over" the last, if it is not between them.
    """
    at = [point.minutes(screen, description) for point in points]
    means = [statistics.mean(point.values()) for point in points]
    if means[0] >= LEVEL:
        return f"under {at[0]:.0f}"
    for (a, low), (b, high) in itertools.pairwise(zip(at, means)):
        if low < LEVEL <= high:
            return f"{a + (b - a) * (LEVEL - low) / (high - low):.0f}"
    return f"over {at[-1]:.0f}"


def drawn() -> str:
    """Return the figure as SVG."""
    panels = {}
    for field, title in FIELDS.items():
        panels[title] = {
            way: [(point.minutes(), point.values()) for point in points]
            for way, points in curves(field).items()
        }
    return figure(panels, WAYS)


def section() -> str:
    """Return the text of the section of evidence.md, before its tables."""
    found = [curves(field) for field in FIELDS]
    said = {}
    for name, (more, less) in GAPS.items():
        gaps = [gap_of(of, more, less) for of in found]
        clear = [statistics.mean(gap) > 0 for gap in gaps if is_clear(gap)]
        said |= {f"{name}_above": sum(clear), f"{name}_below": len(clear) - sum(clear)}
    return SECTION.format(figure=FIGURE, alt=ALT, **said, **_confirmed(found))


def _confirmed(found: list[dict[str, list[Point]]]) -> dict[str, Any]:
    """Return how many pairs the longest reviews confirmed, and what else takes as long."""
    longest = [of["review"][-1] for of in found]
    screens = longest[0].screens
    pairs = [statistics.mean(point.values("pairs")) - point.descriptions for point in longest]
    return {
        "most": screens,
        "during": screens * SCREEN / 60,
        "least": f"{min(pairs):.0f}",
        "greatest": f"{max(pairs):.0f}",
        "instead": screens * SCREEN / DESCRIPTION,
    }


def quarter() -> str:
    """Return what a quarter of an hour brings, a row for each field."""
    heads = "data | class names | 30 random | 30 of `ask` | 12 of `ask`, 100 screens"
    heads += " | `ask` minus random | review minus `ask`"
    rows = []
    for field, title in FIELDS.items():
        found = curves(field)
        gaps = [gap_of(found, *cells) for cells in GAPS.values()]
        shown = [spread(gap, sign="+") for gap in gaps]
        bold = [f"**{one}**" if is_clear(gap) else one for one, gap in zip(shown, gaps)]
        rows.append([title, *(_both(found, cell) for cell in (NAMES, RANDOM, ASK, REVIEW)), *bold])
    return table(heads, rows)


def assumptions() -> str:
    """Return the table of minutes until the level is reached, a row for each field and way."""
    heads = ["data", "way", *(f"{one} and {other} s" for one, other in ASSUMED)]
    rows = []
    for field, title in FIELDS.items():
        found = curves(field)
        for way in ("random", "ask", "review"):
            cells = [reached(found[way], *seconds) for seconds in ASSUMED]
            rows.append([title, WAYS[way], *cells])
    return table(heads, rows, left=2)


def page() -> str:
    """Return docs/results/minutes.md."""
    content = read("minutes")
    commits = ", ".join(dict.fromkeys(row["commit"] for row in content["rows"]))
    head = HEAD.format(alt=ALT, figure=FIGURE, machine=machine_of(content), commits=commits)
    parts = [f"**{title}**\n\n{_table(curves(field))}" for field, title in FIELDS.items()]
    return "\n".join([head, *parts])


def gap_of(found: dict[str, list[Point]], more: Cell, less: Cell) -> list[float]:
    """Return the partners among the first ten by one cell minus another, seed by seed."""
    first, second = (
        {row["seed"]: row["r10"] for row in point_of(found, cell).rows} for cell in (more, less)
    )
    return [first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())]


def point_of(found: dict[str, list[Point]], cell: Cell) -> Point:
    way, *done = cell
    (point,) = (one for one in found[way] if [one.descriptions, one.screens] == done)
    return point


def _both(found: dict[str, list[Point]], cell: Cell) -> str:
    """Return partners among the first ten, and first, in per cent; "" if the way does not exist."""
    if cell[0] not in found:
        return ""
    means = (statistics.mean(point_of(found, cell).values(metric)) for metric in ("r10", "r1"))
    return " / ".join(f"{mean:.1f}" for mean in means)


def _table(found: dict[str, list[Point]]) -> str:
    heads = "way | described | screens | minutes | pairs | draws | first ten | first | recall"
    rows = []
    for way, points in found.items():
        for point in points:
            pairs = statistics.mean(row["pairs"] for row in point.rows)
            rows.append(
                [
                    WAYS[way],
                    f"{point.descriptions:,}",
                    f"{point.screens:,}",
                    f"{point.minutes():.1f}",
                    f"{pairs:,.0f}",
                    f"{len(point.rows)}",
                    *(spread(point.values(metric)) for metric in ("r10", "r1", "recall")),
                ]
            )
    return table(heads, rows)
