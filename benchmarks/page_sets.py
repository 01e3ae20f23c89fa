"""Section on prediction sets of matches, items without a partner, and first choices."""

import itertools
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from published import groups, machine_of, read, table

EDGES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)  # of bins of probabilities
LOW, HIGH = 88, 93  # per cent: bounds of the mean coverage that were set beforehand
NARROW = 0.5  # width of an interval of the share that is stated
_SETS = (
    "set, pairs | items of y | partner in its set, % | in 95 of 100 draws | median size "
    "| mean size | at most 48, %"
)
_ABSENT = (
    "set, pairs | no partner in the set of items without one, % | of items with one, % "
    "| Brier skill, % | interval of the share holds | of them narrow"
)
_FIRST = "set, pairs | right | expected | interval holds | Brier skill, %"
Row = dict[str, Any]


def section() -> str:
    """Return the section, or nothing if it was not measured."""
    content = read("sets")
    if not content:
        return ""
    cells = groups(content["rows"], "set", "pairs")
    draws = sorted({len(rows) // 2 for rows in cells.values()})
    whole = {key: [row for row in rows if row["share"] == 1] for key, rows in cells.items()}
    half = {key: [row for row in rows if row["share"] < 1] for key, rows in cells.items()}
    means = {key: _mean(rows, "held") for key, rows in whole.items()}
    outside = [_name(*key) for key, mean in means.items() if not LOW <= mean <= HIGH]
    inside = f"{len(means) - len(outside)} of {len(means)} settings"
    named = f" (the others: {'; '.join(outside)})" if outside else ""
    return f"""
## Prediction sets of matches

[How `match --coverage` chooses a set](../review_and_match.md#sets-that-hold-the-partner). Measured
at a coverage of 90 %, with {" to ".join(map(str, draws))} draws of pairs of aerial images,
photographs, proteins and drawings (the run was ended before 40). All other items are matched, by
CCA. The score was chosen on six other draws.

*Partner in its set*: mean over draws. *In 95 of 100 draws*: how far the coverage varies from draw
to draw, because few held-out pairs decide. *Size*: number of items of y in a set.

The mean coverage is between {LOW} and {HIGH} % in {inside}{named}.

{table(_SETS, [_of_sets(_name(*key), rows) for key, rows in whole.items()])}
Half of the items to match have no partner here. *Brier skill*: of the probability of having no
partner, beside one that is 50 % for every item; 0 for no skill. *Interval holds*: draws in which
the 95 % interval of the share has the true one, or says nothing. *Narrow*: narrower than 50 points,
so that the summary states it.

{table(_ABSENT, [_of_absent(_name(*key), rows) for key, rows in half.items()])}
### Probabilities of first choices, beside the base rate

The same draws, every item with a partner. *Interval holds*: draws in which the number of right
first choices is in the stated 95 % interval. *Brier skill*: of the probabilities, beside the share
of right first choices for every item.

{table(_FIRST, [_of_first(_name(*key), rows) for key, rows in whole.items()])}
Reliability: first choices by their stated probability{content["bins_note"]}. In the cells: per cent
of them that are right, in brackets their number.

{table("set | " + " | ".join(_ranges()), _reliability(content["bins"]))}
Measured by `{content["command"]}` at {content["commit"][:7]} on {machine_of(content)}; every draw:
[sets.json](sets.json).
"""


def _name(name: str, pairs: int) -> str:
    return f"{name}, {pairs:,}"


def _of_sets(name: str, rows: Sequence[Row]) -> list[str]:
    held = [100 * row["held"] for row in rows if row["held"] is not None]
    low, high = _middle(held)
    return [
        name,
        f"{rows[0]['gallery']:,}",
        f"{statistics.fmean(held):.1f}",
        f"{low:.0f} to {high:.0f}",
        f"{statistics.fmean(row['median'] for row in rows if row['median'] is not None):.0f}",
        f"{statistics.fmean(row['mean'] for row in rows if row['mean'] is not None):.0f}",
        f"{_mean(rows, 'short'):.0f}",
    ]


def _of_absent(name: str, rows: Sequence[Row]) -> list[str]:
    given = [row for row in rows if row["low"] is not None]
    narrow = [row for row in given if row["high"] - row["low"] < NARROW]
    holding = len(rows) - len(given) + sum(map(_holds, given))
    return [
        name,
        f"{_mean(rows, 'none_held'):.1f}",
        f"{_mean(rows, 'none_given'):.1f}",
        f"{_mean(rows, 'skill'):.1f}",
        f"{holding} of {len(rows)}",
        f"{sum(map(_holds, narrow))} of {len(narrow)}" if narrow else "",
    ]


def _of_first(name: str, rows: Sequence[Row]) -> list[str]:
    holding = sum(row["expected_low"] <= row["right"] <= row["expected_high"] for row in rows)
    means = [f"{statistics.fmean(row[key] for row in rows):.0f}" for key in ("right", "expected")]
    return [name, *means, f"{holding} of {len(rows)}", f"{_mean(rows, 'first_skill'):.1f}"]


def _ranges() -> list[str]:
    edges = ["0", *(f"{100 * edge:g}" for edge in EDGES), "100"]
    return [f"{low} to {high} %" for low, high in itertools.pairwise(edges)]


def _reliability(bins: dict[str, list[list[float]]]) -> list[list[str]]:
    """Return a line for each set, summed over the numbers of pairs, where all have partners."""
    rows: dict[str, list[list[float]]] = {}
    for key, here in bins.items():
        name, _, share = key.split(", ")
        if float(share) == 1:
            one = rows.setdefault(name, [[0.0] * 3 for _ in here])
            rows[name] = [[a + b for a, b in zip(*both)] for both in zip(one, here)]
    return [
        [
            name,
            *(
                f"{100 * right / count:.0f} ({count:,.0f})" if count else ""
                for count, _, right in one
            ),
        ]
        for name, one in rows.items()
    ]


def _holds(row: Row) -> bool:
    return row["low"] <= row["share"] <= row["high"]


def _mean(rows: Iterable[Row], key: str) -> float:
    """Return the mean in per cent over the rows that have it; not -0.0."""
    mean = 100 * statistics.fmean(row[key] for row in rows if row[key] is not None)
    return round(mean, 2) + 0.0 if abs(mean) >= 0.05 else 0.0


def _middle(values: Sequence[float]) -> tuple[float, float]:
    """Return the bounds of the middle 95 % of values."""
    cuts = statistics.quantiles(values, n=40, method="inclusive")
    return cuts[0], cuts[-1]
