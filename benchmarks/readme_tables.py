"""The tables of README.md, from docs/results/*.json.

    python benchmarks/readme_tables.py

Writes each between its two marks; a test compares what is there with what this would write.
"""

import argparse
import json
import pathlib
import statistics
from collections.abc import Iterable, Sequence

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
RESULTS = ROOT / "docs" / "results"
MAIN = ("zero_shot", "i2t", "t2i")
FIELDS = {"aerial images": "remote_sensing", "photographs": "vision_language"}


def main() -> None:
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    README.write_text(with_tables(README.read_text()))


def with_tables(text: str) -> str:
    """The text with every table as the kept results have it."""
    for name, make in TABLES.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}{make()}{end}{after}"
    return text


def kept(name: str) -> dict:
    return json.loads((RESULTS / f"{name}.json").read_text())


def cell(values: Sequence[float]) -> str:
    """Mean and spread, in per cent; one seed has none."""
    spread = f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.1f}{spread}"


def lines(head: str, rows: Iterable[Sequence[str]]) -> str:
    width = head.count("|") - 1
    rule = "|".join(["", " --- ", *[" ---: "] * (width - 1), ""])
    return "\n".join([head, rule, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def icons() -> str:
    runs = kept("icons")["runs"]
    metrics = ("mean_recall", "i2t_r10", "t2i_r10", "zero_shot_accuracy")
    rows = []
    for label, name in (
        ("Gentle-CLIP, 637 pairs", "gentle_clip"),
        ("CLIP + SSL, the same 637 pairs, nothing unmatched", "clip_ssl_pairs"),
        ("CLIP, the same 637 pairs", "clip_only"),
        ("CLIP, all 6,367 pairs, 3,000 steps", "all_pairs"),
    ):
        tests = [run["test"] for run in runs.get(name, {}).values()]
        if tests:
            one = " (one seed)" if len(tests) == 1 else ""
            rows.append([label + one, *(cell([test[m] for test in tests]) for m in metrics)])
    head = "| | mean of the six R@k | R@10, image to text | R@10, text to image | zero-shot |"
    return lines(head, rows)


def frozen() -> str:
    columns = {"CCA of the pairs": "cca", "gentle transport": "gentle_transport"}
    columns |= {"gentle transport + names": "named_transport"}
    columns |= {"Gentle-CLIP heads": "gentle_clip"}
    rows = []
    for field, numbers in (
        ("aerial images", (12, 104, 312, 1041, 10414)),
        ("photographs", (60, 600, 6000)),
    ):
        runs = [*kept(f"{FIELDS[field]}_heads")["runs"], *kept(f"{FIELDS[field]}_frozen")["runs"]]
        for pairs in numbers:
            found = {m: _main(runs, m, pairs) for m in columns.values()}
            if found["named_transport"] and found["named_transport"] == found["gentle_transport"]:
                found["named_transport"] = "turned down"
            rows.append([f"{field}, {pairs:,} pairs", *found.values()])
    rows.insert(-3, ["photographs, no pair", "", "", _without_pairs(), ""])
    return lines(f"| | {' | '.join(columns)} |", rows)


def _main(runs: Iterable[dict], method: str, pairs: int) -> str:
    found = [r["metrics"] for r in runs if (r["method"], r["pairs"]) == (method, pairs)]
    return (
        " / ".join(f"{100 * statistics.mean(m[k] for m in found):.1f}" for k in MAIN)
        if found
        else ""
    )


def _without_pairs() -> str:
    rows = [
        r["after"]
        for r in kept("zero_pairs")["rows"]
        if r["field"] == "photographs" and "names" in r["start"]
    ]
    # Of several restarts the first is that of the names.
    return " / ".join(f"{statistics.mean(after[0][i] for after in rows):.1f}" for i in range(3))


def towers() -> str:
    head = "| | Gentle-CLIP | CLIP, the same pairs | CLIP with the term of residues | "
    head += "CLIP, all pairs | best without training |"
    rows = []
    for label, field, pairs in (
        ("aerial images, 1,041 pairs", "remote_sensing", 1041),
        ("photographs, 2,000 pairs", "vision_language", 2000),
    ):
        runs = kept(field)["runs"]
        made = [_images(runs.get(name, {})) for name in ("gentle_clip", "clip", "", "all_pairs")]
        rows.append([label, *made, _frozen_images(field, pairs)])
    for label, field, share in (
        ("protein domains, 30 pairs", "protein", "0.01"),
        ("protein domains, 305 pairs", "protein", "0.1"),
        ("DSSP strings, 978 pairs", "protein_scope", "0.1"),
    ):
        content = kept(field)
        names = (
            f"gentle_clip/{share}",
            f"clip/{share}",
            f"clip_residues/{share}",
            "clip_residues/1.0",
        )
        made = [_proteins(run["test"] for run in content["runs"][n].values()) for n in names]
        rows.append([label, *made, _untrained(content["untrained"][share])])
    return lines(head, rows)


def _images(runs: dict[str, dict]) -> str:
    tests = [run["test"] for run in runs.values()]
    metrics = ("mean_recall", "zero_shot_accuracy")
    found = " / ".join(cell([test[m] for test in tests]) for m in metrics) if tests else ""
    return found + " (one seed)" * (len(tests) == 1)


def _frozen_images(field: str, pairs: int) -> str:
    """Gentle transport of frozen features at 224 pixels, counted as towers are."""
    runs = kept(f"{field}_frozen")["runs"]
    found = [r["metrics"] for r in runs if (r["method"], r["pairs"]) == ("gentle_transport", pairs)]
    if not found:
        return ""
    recall = cell([(m["i2t_strict"] + m["t2i"]) / 2 for m in found])
    return f"{recall} / {cell([m['zero_shot'] for m in found])}"


def _proteins(tests: Iterable[dict]) -> str:
    tests = [*tests]
    return " / ".join(cell([test[m] for test in tests]) for m in ("crop_mrr", "class_transfer"))


def _untrained(seeds: dict[str, dict]) -> str:
    """The best of each figure, which need not be one method."""
    best = []
    for metric in ("crop_mrr", "class_transfer"):
        methods = {name for made in seeds.values() for name in made}
        values = [
            [m[n]["test"][metric] for m in seeds.values() if metric in m[n]["test"]]
            for n in methods
        ]
        best.append(cell(max(filter(None, values), key=statistics.mean)))
    return " / ".join(best)


TABLES = {"icons": icons, "frozen": frozen, "towers": towers}

if __name__ == "__main__":
    main()
