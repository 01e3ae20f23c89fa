"""Section on the number of right matches, and how often its interval holds."""

import statistics
from collections.abc import Sequence
from typing import Any

from published import groups, machine_of, read, table

_HEADS = (
    "draws of | way | fits | interval holds, % | fewer right, % | more right, % | right | expected "
    "| width of the interval"
)


def section() -> str:
    """Return the section, or nothing if it was not measured."""
    content = read("expected_right")
    if not content:
        return ""
    every = content["rows"]
    by_set, by_pairs = (groups(every, name, "one_to_one") for name in ("set", "pairs"))
    shown = [_row(name, rows) for (name, _), rows in by_set.items()]
    shown += [_row(f"{number:,} pairs", rows) for (number, _), rows in sorted(by_pairs.items())]
    shown += [_row("all", rows) for rows in groups(every, "one_to_one").values()]
    draws = sorted({row["draw"] for row in every})
    return f"""
## The expected number of right matches

`match` states how many matches it expects to be right, with a 95 % interval. Here CCA of 60, 100,
300 and 1,000 pairs matches all other items of four sets, with every partner in y or half of them.
[The estimate](../review_and_match.md#how-probabilities-are-calibrated) was chosen on draws 100 to
119 of the same sets, where an earlier one held in 86 % of 600 fits many to one and in 68 % one to
one. Draws 120 to 122 were seen before the extrapolation was added, and are left out; these are
draws {draws[0]} to {draws[-1]}. Fits of one draw share pairs, so they are no independent sample.

*Right*, *expected* and *width*: means of the fits, in matches.

{table(_HEADS, shown)}
Measured by `{content["command"]}` at {content["commit"][:7]} on {machine_of(content)}; every draw:
[expected_right.json](expected_right.json).
"""


def _row(name: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the figures of fits that match in one way."""
    way = "one to one" if rows[0]["one_to_one"] else "many to one"
    fewer, more = (
        100 * statistics.mean(is_out) for is_out in zip(*(_outside(row) for row in rows))
    )
    right, value, width = (
        statistics.mean(of)
        for of in zip(*((row["right"], row["value"], row["high"] - row["low"]) for row in rows))
    )
    figures = (100 - fewer - more, fewer, more, right, value, width)
    return [name, way, str(len(rows)), *(f"{figure:.0f}" for figure in figures)]


def _outside(row: dict[str, Any]) -> tuple[bool, bool]:
    return row["right"] < row["low"], row["right"] > row["high"]
