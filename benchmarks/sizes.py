"""A thousand items to a hundred million: what each step takes, measured or reckoned.

    python benchmarks/sizes.py

Measures nothing: reads docs/results/encoders.json, large.json, large_sets.json and search.json, and
writes sizes.md and sizes.json. What is beyond the sizes measured there is reckoned by the formulas
on the page.
"""

import argparse
import json
import math
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gentle_clip_jax.files import write_json, write_text  # noqa: E402

SIZES = [10**power for power in range(3, 9)]
WIDTH, DIM = 1280, 128  # features of EfficientNet-Lite0, numbers of a row in the joint space
SEARCH = {  # where its page has each figure
    "exact_ms": ("exact", "median_ms"),
    "exact_mib": ("exact", "peak_mib"),
    "build_s": ("usearch_build", "seconds"),
    "build_mib": ("usearch_build", "peak_mib"),
    "index_mib": ("usearch_build", "disk_mib"),
    "indexed_ms": ("usearch", "median_ms"),
}
GROWTHS = {"build_s": lambda n: n * math.log(n)}  # others are linear
MANY = 10**6  # items, beyond which a search without an index takes more than a moment
CORES = 2  # of every machine that was measured on
DAY = 86_400  # seconds in which images are to be encoded
BREAKS = {
    10**3: "nothing",
    10**4: "nothing",
    10**5: "the time of encoding: use `--shard` on several machines, or an accelerator",
    10**6: "a query that compares all, and embedding all when a search opens: use `index`",
    10**7: "one folder of small files (use .zip or .parquet files), and the memory of comparing "
    "all",
    10**8: "the graph of usearch, which no longer fits memory: use `index --engine=lance`",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    args = parser.parse_args()
    names = ("encoders", "large", "large_sets", "search")
    known = {name: json.loads((args.out / f"{name}.json").read_text()) for name in names}
    inputs = read_inputs(known)
    rows = [reckon(number, inputs, known) for number in SIZES]
    summary = [summarized(row) for row in rows]
    write_json(args.out / "sizes.json", {"inputs": inputs, "rows": rows, "summary": summary})
    write_text(args.out / "sizes.md", page(inputs, rows))


def read_inputs(known: dict) -> dict[str, float]:
    """What the formulas take from the pages."""
    rates = {(case, form): rate for case, form, _, rate in known["encoders"]["rates"]}
    small, large = known["large"]["rows"][0], known["large"]["rows"][-1]
    more = (large["one"]["peak_mib"] - small["one"]["peak_mib"]) * 2**20
    return {
        "images_a_second": rates["encode", "images"],
        "encode_mib": small["one"]["peak_mib"],
        "encode_bytes_an_item": more / (large["items"] - small["items"]),
    }


def reckon(number: int, inputs: dict[str, float], known: dict) -> dict:
    """Each figure of a size; whether those of search, align and embed are measured."""
    searched = known["search"]["rows"]
    sets = known["large_sets"]
    planned = {row["planned"]: row for row in sets["made"] if row["planned"]}
    embedded = {row["rows"]: row for row in sets["embedded"]}
    seconds = number / inputs["images_a_second"]
    shards = max(1, math.ceil(seconds / DAY))
    return {
        "items": number,
        "shards": shards,
        "encode_s": seconds / shards,
        "encode_mib": inputs["encode_mib"] + number * inputs["encode_bytes_an_item"] / 2**20,
        "features_mib": number * WIDTH * 4 / 2**20,
        "measured": any(row["items"] == number and "usearch" in row for row in searched),
        **{name: of_search(name, number, searched) for name in SEARCH},
        **carried("align", number, planned),
        **carried("embed", number, embedded),
        "breaks": BREAKS[number],
    }


def carried(step: str, number: int, rows: dict[int, dict]) -> dict[str, float]:
    """Seconds of two idle cores and MiB, measured or on the line through least and largest size."""
    few, many = min(rows), max(rows)

    def of(name: str) -> float:
        if number <= few or number in rows:
            return rows[max(few, number)][name]
        slope = (rows[many][name] - rows[few][name]) / (many - few)
        return rows[few][name] + (number - few) * slope

    about = {f"{step}_s": of("cpu") / CORES, f"{step}_mib": 1024 * of("peak_gib")}
    return about | {f"{step}_measured": number in rows}


def of_search(name: str, number: int, searched: list[dict]) -> float:
    """A figure of the page on search, or what the two largest sizes there let expect."""
    step, key = SEARCH[name]
    known = {row["items"]: row[step][key] for row in searched if step in row}
    if number in known or number < min(known):
        return known.get(number, known[min(known)])
    (n, before), (m, last) = sorted(known.items())[-2:]
    grows = GROWTHS.get(name, float)
    return last + (last - before) * (grows(number) - grows(m)) / (grows(m) - grows(n))


def summarized(row: dict) -> list[str]:
    """The line of docs/scaling.md: command, time and memory of each step, and what breaks first."""
    shards = f"`--shard` on {row['shards']}: " if row["shards"] > 1 else ""
    cells = [f"*{shards}{duration(row['encode_s'])}, {size(row['encode_mib'])}*"]
    for step in ("embed", "align"):
        cell = f"{duration(row[f'{step}_s'])}, {size(row[f'{step}_mib'])}"
        cells.append(cell if row[f"{step}_measured"] else f"*{cell}*")
    is_many = row["items"] > MANY
    cell = f"{row['indexed_ms' if is_many else 'exact_ms']:,.0f} ms, "
    cell = f"`index`: {cell}{size(row['build_mib'])}" if is_many else cell + size(row["exact_mib"])
    cells.append(cell if row["measured"] else f"*{cell}*")
    return [f"{row['items']:,}", *cells, row["breaks"]]


def page(inputs: dict[str, float], rows: list[dict]) -> str:
    lines = [
        "# A thousand items to a hundred million",
        "",
        "Written by `python benchmarks/sizes.py` from [encoders](encoders.md), [large](large.md), "
        "[large sets](large_sets.md) and [search](search.md), which name their machines, of two "
        "cores each. *Slanted* figures are reckoned, not measured.",
        "",
        f"Images by EfficientNet-Lite0, {WIDTH:,} features in float32, by `gentle-clip encode`, or "
        "`encode --shard=I/N` on as many machines as make it a day:",
        "",
        "| items | shards | time of each | memory of each | features on disk |",
        "|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        cells = [f"{row['items']:,}", f"{row['shards']:,}", f"*{duration(row['encode_s'])}*"]
        cells += [f"*{size(row['encode_mib'])}*", f"*{size(row['features_mib'])}*"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "`gentle-clip align --plan-items=N` with 1,000 pairs, N unmatched items of either side all "
        "in the plan, 1,280 and 384 features; without the option it takes what 4,096 take. "
        "`gentle-clip embed` of N rows of 512 features. Times are CPU seconds halved: those of an "
        "idle machine.",
        "",
        "| items | aligning | memory | embedding | memory |",
        "|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        cells = [f"{row['items']:,}"]
        for step in ("align", "embed"):
            figures = [duration(row[f"{step}_s"]), size(row[f"{step}_mib"])]
            cells += figures if row[f"{step}_measured"] else [f"*{f}*" for f in figures]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        f"Search, rows of {DIM} numbers: `gentle-clip search`, all compared, and after "
        "`gentle-clip index`:",
        "",
        "| items | a query, all compared | memory | building an index | memory | on disk "
        "| a query by the index | what breaks first |",
        "|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        figures = [f"{row['exact_ms']:,.0f} ms", size(row["exact_mib"]), duration(row["build_s"])]
        figures += [size(row["build_mib"]), size(row["index_mib"]), f"{row['indexed_ms']:,.0f} ms"]
        cells = figures if row["measured"] else [f"*{figure}*" for figure in figures]
        lines.append(f"| {row['items']:,} | {' | '.join(cells)} | {BREAKS[row['items']]} |")
    lines += [
        "",
        f"Formulas, of n items: encoding n / {inputs['images_a_second']:.0f} images a second; its "
        f"memory {inputs['encode_mib']:,.0f} MiB + n x {inputs['encode_bytes_an_item']:,.0f} "
        "bytes, as each shard lists all items; features n x 5,120 bytes. Of search the two largest "
        "sizes measured are carried on: queries, memory and disk with n, building with n log n. Of "
        "align and embed the line through the smallest and the largest size measured is carried "
        "on. All of it holds while what is read fits the memory of the machine; then each query "
        "waits for the disk.",
    ]
    return "\n".join(lines) + "\n"


def duration(seconds: float) -> str:
    for unit, least in (("days", 2 * DAY), ("h", 5400), ("min", 90)):
        if seconds >= least:
            return f"{seconds / {'days': DAY, 'h': 3600, 'min': 60}[unit]:,.0f} {unit}"
    return f"{seconds:.0f} s"


def size(mib: float) -> str:
    if mib >= 2**20:
        return f"{mib / 2**20:,.1f} TiB"
    return f"{mib / 2**10:,.1f} GiB" if mib >= 2**10 else f"{mib:,.0f} MiB"


if __name__ == "__main__":
    main()
