"""Section of the page: whether the default hurts, and whether it says what to expect."""

import statistics
from collections.abc import Iterable
from typing import Any

import numpy as np
from published import read, spread, table
from scipy import stats

from few_pairs.cells import DEFAULT, TRANSPORT, best_pairs_only, by_cell, values_of
from few_pairs.protocol import PAIRS, SOUGHT

_MARGIN = 0.5  # points below the best pairs-only method that do not matter
TEXT = """\
## The default

`align` chooses by held-out pairs. The rule and the constants by which it extrapolates recall to all
pairs were chosen on the draws and items for choosing (seeds 10 to 12, ten fields, 12 to 300 pairs;
the script is `benchmarks/choosing.py` at commit 9bfa327). There the earlier rule was 0.50 points
below the best single method of a cell on average, lost up to 1.9 to the best pairs-only method, and
kept 94 % of transport's gain: it asked for a gain of two standard errors in 64 dimensions or fewer,
and for no loss from 60 pairs on. Now unmatched items are used unless they are worse by one standard
error: 0.33 points, 1.5, and 98 %. Taking CCA unless another pairs-only method is better by one or
two standard errors was hardly better than the earlier rule (0.48). Without extrapolation the 95 %
interval of the expected recall held in 85 % of the fits, with it in 97 %.
What follows is measured on the items and draws for testing, which had no part in it.
"""
RECALL = """
*Regret*: recall of the best single method of a cell (the mean over its seeds) minus that of the
default. *Gain kept*: gain of the default over CCA, in parts of that of gentle transport, over cells
where that gains more than a point. *Below*: cells in which the paired 95 % interval over seeds
(Holm's correction over all cells) of default minus best pairs-only method is wholly below -0.5.

"""
INTERVALS = f"""
The recall that `align` expects, and that of up to {SOUGHT} unmatched items among as many items:

"""
VERDICTS = """
What `diagnose` says of the same draws, and what gentle transport then gains over CCA on test items.
The first three verdicts are those of held-out pairs; the others rest on the remaining figures where
it is too early for these:

"""
NOISE = """
No pair of these draws is wrong. `diagnose` takes more than a tenth for wrong in {wrong} of the {of}
draws in which held-out pairs are recognised: there most pairs are hard, and look like random ones.
"""


def section(content: dict[str, Any]) -> str:
    """Return the section, "" before the default was measured."""
    rows = [row for row in content["rows"] if row["recall"] is not None and row["pairs"]]
    stated = read("few_pairs_default")
    if not stated or not stated["rows"]:
        return ""
    of_recall, of_intervals = _recalls(rows), _intervals(stated["rows"])
    text = TEXT + RECALL + of_recall + INTERVALS + of_intervals
    return text + _verdicts(rows)


def _recalls(rows: list[dict[str, Any]]) -> str:
    cells = by_cell(rows)
    below = _below(cells)
    lines = []
    for pairs in (*PAIRS, None):
        some = {cell: of for cell, of in cells.items() if pairs in (cell[1], None)}
        if some:
            lines.append((f"{pairs:,}" if pairs else "all", *_summary(some, below)))
    return table("pairs | cells | mean regret | gain kept | below", lines)


def _summary(cells: dict, below: set) -> tuple[str, ...]:
    regrets, gains, possible = [], [], []
    for of in cells.values():
        seeds = of[DEFAULT].keys()
        means = {
            name: statistics.mean(values[seed] for seed in seeds)
            for name, values in of.items()
            if values.keys() >= seeds
        }
        regrets.append(max(means.values()) - means[DEFAULT])
        if TRANSPORT in means and "cca" in means and means[TRANSPORT] > means["cca"] + 1:
            gains.append(means[DEFAULT] - means["cca"])
            possible.append(means[TRANSPORT] - means["cca"])
    kept = f"{100 * sum(gains) / sum(possible):.0f} %" if possible else ""
    named = ", ".join(f"{field} {pairs}" for field, pairs in sorted(below & cells.keys()))
    return f"{len(cells)}", f"{statistics.mean(regrets):.2f}", kept, named or "none"


def _below(cells: dict) -> set[tuple[str, int]]:
    """Return the cells that lose for sure: paired t-tests of a loss beyond the margin, by Holm."""
    values = {}
    for cell, of in cells.items():
        best = values_of(of, best_pairs_only(of))
        loss = np.array(best) - values_of(of, DEFAULT) - _MARGIN
        values[cell] = float(stats.ttest_1samp(loss, 0, alternative="greater").pvalue)
    found = set()
    for rank, (cell, value) in enumerate(sorted(values.items(), key=lambda one: one[1])):
        if value > 0.025 / (len(values) - rank):  # of a two-sided interval one end counts
            break
        found.add(cell)
    return found


def _intervals(rows: list[dict[str, Any]]) -> str:
    lines = []
    for pairs in (*PAIRS, None):
        some = [row for row in rows if pairs in (row["pairs"], None)]
        if some:
            lines.append((f"{pairs:,}" if pairs else "all", *_coverage(some)))
    heads = "pairs | fits | expected | true | interval holds | true above it | true below it"
    return table(heads, lines)


def _coverage(rows: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    expected, low, high, true = np.array(
        [[row[name] for name in ("expected", "low", "high", "unmatched_recall")] for row in rows]
    ).T
    above, below = np.mean(true > high), np.mean(true < low)
    shares = (f"{100 * share:.0f} %" for share in (1 - above - below, above, below))
    return f"{len(true)}", f"{expected.mean():.1f}", f"{true.mean():.1f}", *shares


def _verdicts(rows: list[dict[str, Any]]) -> str:
    """Return the table of verdicts of `diagnose`, "" before they were asked for."""
    said = (read("few_pairs_verdicts") or {"rows": []})["rows"]
    recall = {(r["method"], r["field"], r["pairs"], r["seed"]): r["recall"] for r in rows}
    gains: dict[str, list[float]] = {}
    for one in said:
        cell = one["field"], one["pairs"], one["seed"]
        if {(TRANSPORT, *cell), ("cca", *cell)} <= recall.keys():
            gain = recall[TRANSPORT, *cell] - recall["cca", *cell]
            gains.setdefault(one["verdict"], []).append(gain)
    if not gains:
        return ""
    lines = [
        (
            verdict,
            f"{len(gains[verdict])}",
            spread(gains[verdict], sign="+"),
            f"{100 * np.mean(np.array(gains[verdict]) > 0):.0f} %",
        )
        for verdict in ("helped", "alike", "hurt", "likely", "unclear", "unlikely")
        if verdict in gains
    ]
    shares = [one["wrong_pairs"] for one in said if one["wrong_pairs"] is not None]
    noise = NOISE.format(wrong=sum(share > 0.1 for share in shares), of=len(shares))
    return VERDICTS + table("verdict | draws | gain, points | above 0", lines) + noise
