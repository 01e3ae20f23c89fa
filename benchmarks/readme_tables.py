"""The tables of README.md, docs/results/README.md and docs/is_this_for_me.md, from stored results.

    python benchmarks/readme_tables.py

Writes each between its two marks; a test compares what is there with what this would write.
"""

import argparse
import statistics
from collections.abc import Callable, Iterable

from few_pairs import cells as of_cells
from few_pairs.cells import DEFAULT
from few_pairs.protocol import PAIRS
from published import RESULTS, ROOT, groups, means, percent, read, spread, table

PAGES = (ROOT / "README.md", RESULTS / "README.md", ROOT / "docs" / "is_this_for_me.md")
FIELDS = {  # of the few-pairs benchmark
    "photographs": "photographs and captions",
    "aerial_images": "aerial images and captions",
    "molecules": "molecules and descriptions",
    "offers": "offers of two shops",
    "emoji": "emoji and names",
    "icons": "icons and names",
    "cells": "cells, RNA and chromatin",
    "sentences": "German and English sentences",
    "protein_names": "proteins and names",
    "protein_structures": "proteins and structures",
}
MAIN = ("zero_shot", "i2t", "t2i")
NAMES_ALONE = {"aerial images": "remote sensing", "photographs": "photographs"}
TURNED = "aerial images, more layers, four turns"
MIRRORED = "photographs, more layers, mirror images"
PAGES_OF = {
    "aerial images": ("remote_sensing_heads", "remote_sensing_frozen"),
    TURNED: ("remote_sensing_turns",),
    "photographs": ("vision_language_heads", "vision_language_frozen"),
    MIRRORED: ("vision_language_mirror",),
}


def main() -> None:
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    for page in PAGES:
        page.write_text(with_tables(page.read_text()))


def with_tables(text: str) -> str:
    """Return the text with the table between each pair of marks made from the stored results."""
    for name, make in TABLES.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if begin not in text:
            continue
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}{make()}{end}{after}"
    return text


def results() -> str:
    """Return the sentence on the default in the fields of the few-pairs benchmark."""
    cells = of_cells.by_cell(read("few_pairs")["rows"])
    above, below = (len(of_cells.clear(cells, sign)) for sign in (1, -1))
    return (
        f"In {above} of {len(cells)} settings the default is above the best pairs-only method by "
        f"more than the 95 % interval of the\ndifference, in {below} below "
        "([all figures](docs/evidence.md), [glossary](docs/reference.md#glossary)).\n"
    )


def results_of_towers() -> str:
    """Return the main figure of each training task: CLIP, the same extras, Gentle-CLIP, all."""
    head = ["towers trained on", "pairs", "CLIP", "CLIP with the same extras", "Gentle-CLIP"]
    head += ["CLIP of all pairs"]
    rows = []
    for label, field, pairs, share, metric in (
        ("icons", "icons", 637, "", "mean_recall"),
        ("aerial images", "remote_sensing", 1041, "", "mean_recall"),
        ("photographs", "vision_language", 2000, "", "mean_recall"),
        ("protein domains", "protein", 305, "/0.1", "crop_mrr"),
        ("DSSP strings", "protein_scope", 978, "/0.1", "crop_mrr"),
    ):
        runs = read(field)["runs"]
        names = [f"{name}{share}" for name in ("clip", "clip_ssl_pairs", "gentle_clip")]
        if field == "icons":
            names[0] = "clip_only"
        names.append("clip_residues/1.0" if share else "all_pairs")
        cells = [percent([run["test"][metric] for run in runs[name].values()]) for name in names]
        rows.append([label, f"{pairs:,}", *cells])
    return _table(head, rows)


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    return table(head, rows).replace("|  |", "| |", 1)  # the first head is empty


def icons() -> str:
    runs = read("icons")["runs"]
    metrics = ("mean_recall", "i2t_r10", "t2i_r10", "zero_shot_accuracy")
    rows = []
    for label, name in (
        ("Gentle-CLIP, 637 pairs", "gentle_clip"),
        ("CLIP + SSL, the same 637 pairs, no unmatched items", "clip_ssl_pairs"),
        ("CLIP, the same 637 pairs", "clip_only"),
        ("CLIP, all 6,367 pairs, 3,000 steps", "all_pairs"),
    ):
        tests = [run["test"] for run in runs.get(name, {}).values()]
        if tests:
            one = " (one seed)" if len(tests) == 1 else ""
            rows.append([label + one, *(percent([test[m] for test in tests]) for m in metrics)])
    head = ["", "mean of the six R@k", "R@10, image to text", "R@10, text to image", "zero-shot"]
    return _table(head, rows)


def frozen() -> str:
    columns = {
        "cca": "CCA of the pairs",
        "cca+drawn": "CCA, smoothed gallery",
        "gentle_transport": "gentle transport",
        "gentle_transport+drawn": "gentle transport, smoothed gallery",
        "named_transport": "gentle transport + class names",
        "s_clip": "S-CLIP heads",
        "gentle_clip": "Gentle-CLIP heads",
    }
    rows = []
    for field, numbers in (
        ("aerial images", (12, 104, 312, 1041, 10414)),
        (TURNED, (12, 104, 312, 1041, 10414)),
        ("photographs", (60, 600, 6000)),
        (MIRRORED, (60, 600, 6000)),
    ):
        if field in NAMES_ALONE:
            for when, words in (("before", ", no transport"), ("after", "")):
                found = dict.fromkeys(columns, "") | {"named_transport": names_alone(field, when)}
                rows.append([f"{field}, no pair{words}", *found.values()])
        runs = _features(field)
        for pairs in numbers:
            found = {method: _main(runs, method, pairs) for method in columns}
            if found["named_transport"] and found["named_transport"] == found["gentle_transport"]:
                found["named_transport"] = "not used"
            rows.append([f"{field}, {pairs:,} pairs", *found.values()])
    return _table(["", *columns.values()], rows)


def _features(field: str) -> list[dict]:
    return [run for page in PAGES_OF[field] for run in read(page)["runs"]]


def _main(runs: Iterable[dict], method: str, pairs: int) -> str:
    found = [r["metrics"] for r in runs if (r["method"], r["pairs"]) == (method, pairs)]
    return (
        " / ".join(f"{100 * statistics.mean(m[k] for m in found):.1f}" for k in MAIN)
        if found
        else ""
    )


def names_alone(field: str, when: str = "before") -> str:
    """Return the figures of class names without a pair, before or after rounds of transport."""
    return means(row[when][0] for row in named(field))


def named(field: str) -> list[dict]:
    """Return the runs that start from the class names alone, which are tried once."""
    rows = read("zero_pairs")["rows"]
    return [r for r in rows if r["field"] == NAMES_ALONE[field] and "names" in r["start"]]


def towers() -> str:
    head = ["", "Gentle-CLIP", "CLIP, the same pairs", "CLIP with the residue loss"]
    head += ["CLIP + SSL on the pairs, same start and residue loss", "CLIP, all pairs"]
    head += ["best untrained method"]
    rows = []
    for label, field, pairs in (
        ("aerial images, 1,041 pairs", "remote_sensing", 1041),
        ("photographs, 2,000 pairs", "vision_language", 2000),
    ):
        runs = read(field)["runs"]
        names = ("gentle_clip", "clip", "", "clip_ssl_pairs", "all_pairs")
        made = [_images(runs.get(name, {})) for name in names]
        rows.append([label, *made, _frozen_images(field, pairs)])
    for label, field, share in (
        ("protein domains, 30 pairs", "protein", "0.01"),
        ("protein domains, 305 pairs", "protein", "0.1"),
        ("DSSP strings, 978 pairs", "protein_scope", "0.1"),
    ):
        content = read(field)
        names = (
            f"gentle_clip/{share}",
            f"clip/{share}",
            f"clip_residues/{share}",
            f"clip_ssl_pairs/{share}",
            "clip_residues/1.0",
        )
        made = [_proteins(run["test"] for run in content["runs"][name].values()) for name in names]
        rows.append([label, *made, _untrained(content["untrained"][share])])
    return _table(head, rows)


def _images(runs: dict[str, dict]) -> str:
    tests = [run["test"] for run in runs.values()]
    metrics = ("mean_recall", "zero_shot_accuracy")
    found = " / ".join(percent([test[m] for test in tests]) for m in metrics) if tests else ""
    return found + " (one seed)" * (len(tests) == 1)


def _frozen_images(field: str, pairs: int) -> str:
    """Return gentle transport of frozen features at 224 pixels, in the measures of towers."""
    runs = read(f"{field}_frozen")["runs"]
    found = [r["metrics"] for r in runs if (r["method"], r["pairs"]) == ("gentle_transport", pairs)]
    if not found:
        return ""
    recall = percent([(m["i2t_strict"] + m["t2i"]) / 2 for m in found])
    return f"{recall} / {percent([m['zero_shot'] for m in found])}"


def _proteins(tests: Iterable[dict]) -> str:
    tests = [*tests]
    return " / ".join(percent([test[m] for test in tests]) for m in ("crop_mrr", "class_transfer"))


def _untrained(seeds: dict[str, dict]) -> str:
    """Return the best value of each figure; the methods may differ."""
    best = []
    for metric in ("crop_mrr", "class_transfer"):
        methods = {name for made in seeds.values() for name in made}
        values = [
            [m[n]["test"][metric] for m in seeds.values() if metric in m[n]["test"]]
            for n in methods
        ]
        best.append(percent(max(filter(None, values), key=statistics.mean)))
    return " / ".join(best)


def first_ten() -> str:
    """Return how often the partner is among the first ten, by the default."""
    content = read("few_pairs")
    rows = _of_pairs(content, "r10", lambda cell: spread(of_cells.values_of(cell, DEFAULT), 0))
    items = {name: f"{one['items']['test']:,}" for name, one in content["fields"].items() if one}
    lines = [[FIELDS[name], items[name], *cells] for name, cells in rows.items()]
    return table(["data", "among", *(f"{pairs:,} pairs" for pairs in PAIRS)], lines)


def gains() -> str:
    """Return the gain of the default for every field and number of pairs."""
    rows = _of_pairs(read("few_pairs"), "recall", gain)
    lines = [[FIELDS[name], *cells] for name, cells in rows.items()]
    return table(["data", *(f"{pairs:,} pairs" for pairs in PAIRS)], lines)


def gain(cell: of_cells.Cell) -> str:
    """Return the gain of the default over the best pairs-only method; bold where it is clear."""
    values = of_cells.gains(cell)
    shown = spread(values, sign="+")
    return f"**{shown}**" if of_cells.is_clear(values) else shown


def _of_pairs(
    content: dict, metric: str, shown: Callable[[of_cells.Cell], str]
) -> dict[str, list[str]]:
    cells = of_cells.by_cell(content["rows"], metric)
    return {
        name: [shown(cells[name, pairs]) if (name, pairs) in cells else "" for pairs in PAIRS]
        for name in FIELDS
    }


def reviewed() -> str:
    """Return how often a screen of a review has the partner, and the right first choices."""
    rows = []
    for (field, way, pairs), some in groups(
        read("matching")["rows"], "field", "way", "pairs"
    ).items():
        if way == "as they are" and pairs <= 1041:
            label = {"remote sensing": "aerial images", "photographs": "photographs"}[field]
            among, found = (statistics.mean(row[key] for row in some) for key in ("among", "found"))
            rows.append(
                [f"{label} and captions", f"{pairs:,}", f"{100 * among:.0f} %", f"{found:.0f}"]
            )
    heads = ["data", "pairs", "partner among the 48 candidates", "right first choices of 1,500"]
    return table(heads, rows)


TABLES = {
    "first_ten": first_ten,
    "reviewed": reviewed,
    "gains": gains,
    "results": results,
    "towers_of_all": results_of_towers,
    "icons": icons,
    "frozen": frozen,
    "towers": towers,
}

if __name__ == "__main__":
    main()
