"""Section on the probabilities of matches."""

import itertools
import statistics

from published import commits_of, groups, machine_of, read, spread, table

MATCHING = {  # columns of matching.json: head, format
    "among": ("among 48", ".3f"),
    "found": ("right", ".0f"),
    "expected": ("expected", ".0f"),
    "low": ("from", ".0f"),
    "high": ("to", ".0f"),
    "item_ece": ("ECE of items", ".3f"),
    "group_ece": ("ECE of groups", ".3f"),
    "group_precision": ("precision at 20 %", ".3f"),
    "coverage": ("coverage of sets", ".3f"),
    "set_size": ("median set", ".0f"),
}
APART = ("other items", "shuffled pairs", "groups of single items")  # or the same runs again
NUM_MATCHED = 1500  # items in a run of matching.py
MANY = 1000  # pairs
EXPECTED = (0, 25, 50, 75, 100, 250)  # bins of the expected number of right matches


def section() -> str:
    """Return the section."""
    content, rows = read("matching"), []
    for (field, way, pairs), here in groups(content["rows"], "field", "way", "pairs").items():
        figures = [
            format(statistics.fmean(row[name] for row in here), how)
            for name, (_, how) in MATCHING.items()
        ]
        within = sum(row["low"] <= row["found"] <= row["high"] for row in here)
        way = way.replace("not drawn", "no smoothed gallery")
        way = way.replace("pairs that ask names", "pairs chosen by ask")
        label = f"{field.replace('remote sensing', 'aerial images')}, {way}"
        rows.append([label, f"{pairs:,}", *figures, f"{within} of {len(here)}"])
    heads = ["setting", "pairs", *(head for head, _ in MATCHING.values()), "within"]
    return f"""## Do the probabilities of matches mean what they say?

Means over the seeds. Pairs and 1,500 items to match are random items of the train splits.
*As they are*: random pairs, and one caption for each image. *Every caption*: the mean of all
captions of an image. *Other items*: all test items are matched. *Shuffled pairs*: every pair is
wrong. *Groups of single items*: groups are clusters of the items as they are, not averaged with
their neighbours. The method is CCA of the first 128 principal components of each modality, except
*gentle transport*, which uses full features. The largest number of pairs is all items except those
to match. *Rich features* are of layers that were changed after a test figure of photographs had
been seen ([how](closed.md#layers-of-the-image-encoder)).
All of this was measured before first choices corrected the probabilities of every method, and
before those of refits were extrapolated: [newer figures](#the-expected-number-of-right-matches).

*Among 48*: share of the images whose caption is one of their candidates. *Right*: first choices
(one to one: matches) that are the image's own caption; an identical caption of another image is
wrong. *Expected*: the sum of the probabilities; *from* and *to*: its 95 % interval; *within*: runs
whose interval includes the number of right matches. *ECE*: expected calibration error, ten bins.
*Precision at 20 %*: share of right groups among the fifth of the items with the highest group
probability. *Coverage of sets*: share of group sets that include the right group; the target is
0.9. *Median set*: median size of these sets, of 30 groups.

{table(heads, rows)}
{_calibration(content["rows"])}
Measured by `python benchmarks/matching.py --features=...` on {machine_of(content)}; figures first
stored at commits {commits_of(content)}. Every run:
[matching.json](matching.json).
"""


def _calibration(rows: list[dict]) -> str:
    """Return the tables of intervals by number of pairs, and of right matches by expected ones."""
    rows = [row for row in rows if not row["way"].startswith(APART)]
    by_pairs = []
    for (field, pairs), some in groups(rows, "field", "pairs").items():
        below = sum(row["found"] < row["low"] for row in some)
        above = sum(row["found"] > row["high"] for row in some)
        zero = statistics.fmean(row["found"] for row in some) / NUM_MATCHED
        by_pairs.append(
            [
                field.replace("remote sensing", "aerial images"),
                f"{pairs:,}",
                f"{len(some) - below - above} of {len(some)}",
                str(above),
                str(below),
                f"{statistics.fmean(row['item_ece'] for row in some):.3f}",
                f"{zero:.3f}",
            ]
        )
    heads = ["field", "pairs", "interval holds", "right above it", "right below it"]
    heads += ["ECE of items", "ECE of saying 0"]
    curve = []
    for low, high in itertools.pairwise(EXPECTED):
        some = [row for row in rows if low <= row["expected"] < high]
        if some:
            line = [spread([row[key] for row in some], 0) for key in ("expected", "found")]
            curve.append([f"{low} to {high}", str(len(some)), *line])
    many = [row for row in rows if row["pairs"] >= MANY]
    inside = sum(row["low"] <= row["found"] <= row["high"] for row in many)
    return f"""**Intervals by number of pairs.** Runs of all settings together, without other items,
shuffled pairs and groups of single items. The ECE of items is small because all probabilities are
small: a program that says 0 for every item has the ECE of the last column, the share of right first
choices, and one that says this share for every item has an ECE of 0. With {MANY:,} pairs or more
the probabilities are too low, and the interval holds the number of right matches in only {inside}
of {len(many)} runs.

{table(heads, by_pairs)}
**Right matches by expected ones.** The same runs by the number that they expected, mean ± sample
standard deviation over the runs, which share items, so that they are no independent draws. The
stored runs have no curve of single items and no Brier score.

{table(["expected, of 1,500", "runs", "expected", "right"], curve)}"""
