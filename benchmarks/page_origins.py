"""Section on pairs that are no random sample."""

import statistics

from published import groups, machine_of, read, table

_HEADS = (
    "field, pairs | draws | right | expected, all alike | interval holds | bound of lists holds "
    "| expected, fair sample | interval holds | bound of lists holds"
)
_WAYS = {
    "random": "random",
    "asked": "chosen by ask",
    "reviewed": "30 random, then reviewed",
    "easy, then reviewed": "200 easy, then reviewed",
}


def section() -> str:
    """Return the section, or nothing if it was not measured."""
    content = read("origins")
    if not content:
        return ""
    rows, held = [], {False: [0, 0], True: [0, 0]}
    for (field, way), here in groups(content["rows"], "field", "way").items():
        line = []
        for fair in (False, True):
            some = [row for row in here if row["fair"] == fair]
            draws = [*{row["draw"]: row for row in some}.values()]
            inside = sum(row["low"] <= row["right"] <= row["high"] for row in draws)
            lists = [row for row in some if row["length"]]
            bound = sum(row["wrong"] <= row["upper"] * row["length"] for row in lists)
            line += [_mean(draws, "expected"), f"{inside} of {len(draws)}"]
            line.append(f"{bound} of {len(lists)}" if lists else "none given")
            if "reviewed" in way:
                held[fair][0] += inside
                held[fair][1] += len(draws)
        name = f"{field.replace('_', ' ')}, {_WAYS[way]}"
        rows.append([name, str(len(draws)), _mean(draws, "right"), *line])
    (before, count), (after, _) = held.values()
    return f"""
## Pairs that are no random sample

[How `match` uses the origins of pairs](../review_and_match.md#pairs-that-are-no-random-sample) was
settled on product offers and icons, and then measured here, once. Fields of the [few-pairs
benchmark](few_pairs_benchmark.md), at most 2,000 items each; all other items are matched, by CCA,
and all have a partner. *Random* and *chosen by ask*: 400 pairs; 100 of those of `ask` are random.
*Reviewed*: 500 screens of a simulated review, which refits after every 50 pairs and finds a partner
if it is on the screen. *Easy*: random items of the third whose partners are nearest by a fit to
other items, and their origin is not known. *Lists* are those at an error of 10, 20 or 50 %, of all
draws together; `match` gives none where pairs differ from the items to match.

After a review the interval of right matches holds in {before} of {count} draws if all pairs count
alike, and in {after} by the fair sample. It holds less often than stated on emoji, with random
pairs too. Photographs and aerial images have fewer draws, as the run was ended early.

{table(_HEADS, rows)}
Measured by `{content["command"]}` at {content["commit"][:7]} on {machine_of(content)}; every draw:
[origins.json](origins.json).
"""


def _mean(rows: list[dict], name: str) -> str:
    return f"{statistics.mean(row[name] for row in rows):.0f}"
