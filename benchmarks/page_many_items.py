"""Sections of the page of speed on many items: files, search, large sets, sizes, processes."""

import math
import statistics

from published import LEFT, fill, groups, machine_of, read, spread, table

SIZES = [10**power for power in range(3, 9)]
WIDTH = 1280  # features of EfficientNet-Lite0
SEARCH = {  # where search.json has each figure
    "exact_ms": ("all", "median_ms"),
    "exact_mib": ("all", "peak_mib"),
    "build_s": ("lance_build", "seconds"),
    "build_mib": ("lance_build", "peak_mib"),
    "index_mib": ("lance_build", "disk_mib"),
    "indexed_ms": ("lance", "median_ms"),
}
GROWTHS = {"build_s": lambda n: n * math.log(n)}  # others are linear
CORES = 2  # of every machine that was measured on
DAY = 86_400  # seconds in which images are to be encoded
BREAKS = {
    10**3: "nothing",
    10**4: "nothing",
    10**5: "encoding time: use `--shard` on several machines, or an accelerator",
    10**6: "time to open a search and to compare all rows: use `index`",
    10**7: "one folder of small files (use .zip or .parquet files), and memory to compare all rows",
    10**8: "memory to compare all rows: use `index --engine=lance`",
}
PAPER = {
    "towers": "towers",
    "losses": "losses",
    "losses_sent": "losses sent",
    "gradients_sent": "gradients sent",
    "step": "step",
}
_SEARCH = (
    "items | query, all rows | memory | building the index | memory | on disk "
    "| query, index | first bottleneck"
)


def sizes() -> str:
    encoders, large, sets, searched = map(read, ("encoders", "large", "large_sets", "search"))
    rate = next(r for case, form, _, r in encoders["rates"] if (case, form) == ("encode", "images"))
    one, *_, many = large["rows"]
    least = one["one"]["peak_mib"]
    each = (many["one"]["peak_mib"] - least) / (many["items"] - one["items"])
    encoding = []
    for n in SIZES:
        shards = max(1, math.ceil(n / rate / DAY))
        cells = duration(n / rate / shards), size(least + n * each), size(n * WIDTH * 4 / 2**20)
        encoding.append([f"{n:,}", f"{shards:,}", *map(_slanted, cells)])
    planned = {row["planned"]: row for row in sets["made"] if row["planned"]}
    embedded = {row["rows"]: row for row in sets["embedded"]}
    fitting = [[f"{n:,}", *_line(n, planned), *_line(n, embedded)] for n in SIZES]
    searching = [_search(n, searched["rows"]) for n in SIZES]
    return f"""## A thousand items to a hundred million

Sources: [encoders](#frozen-encoders), [many files](#many-files), [large
sets](#large-sets-of-unmatched-items) and [search](#search). *Italic* figures are extrapolated, not
measured. Encoding images by EfficientNet-Lite0, {WIDTH:,} features in float32, with `encode`, or
with `encode --shard=I/N` on enough machines to finish within a day:

{table(["items", "shards", "time of each", "memory of each", "features on disk"], encoding)}
`align --plan-items=N` with 1,000 pairs and N unmatched items of each modality, all in the plan,
1,280 and 384 features; the default is the cost of 4,096 items. `embed` of N rows of 512 features.
Times are CPU seconds divided by {CORES} cores.

{table(["items", "align", "memory", "embed", "memory"], fitting)}
Search among rows of 128 numbers, comparing all rows, or after `index --engine=lance`:

{table(_SEARCH, searching)}
Encoding takes n / {rate:.0f} s and {least:,.0f} MiB + n x {each * 2**20:,.0f} bytes. Search is
extrapolated from the two largest sizes measured: queries, memory and disk with n, building with n
log n; align and embed along the line through the smallest and the largest size. The extrapolation
holds if the data fits the memory of the machine.
"""


def _slanted(cell: str) -> str:
    return f"*{cell}*"


def _line(number: int, rows: dict[int, dict]) -> list[str]:
    """Return time and memory, measured or on the line through the smallest and the largest size."""
    few, many = min(rows), max(rows)

    def of(name: str) -> float:
        if number <= few or number in rows:
            return rows[max(few, number)][name]
        slope = (rows[many][name] - rows[few][name]) / (many - few)
        return rows[few][name] + (number - few) * slope

    cells = [duration(of("cpu") / CORES), size(1024 * of("peak_gib"))]
    return cells if number in rows else [*map(_slanted, cells)]


def _search(number: int, rows: list[dict]) -> list[str]:
    found = {name: _of_search(name, number, rows) for name in SEARCH}
    cells = [f"{found['exact_ms']:,.0f} ms", size(found["exact_mib"]), duration(found["build_s"])]
    cells += [size(found["build_mib"]), size(found["index_mib"]), f"{found['indexed_ms']:,.0f} ms"]
    is_measured = any(row["items"] == number and "lance" in row for row in rows)
    cells = cells if is_measured else [*map(_slanted, cells)]
    return [f"{number:,}", *cells, BREAKS[number]]


def _of_search(name: str, number: int, rows: list[dict]) -> float:
    """Return a measured figure, or the extrapolation of the two largest sizes."""
    step, key = SEARCH[name]
    known = {row["items"]: row[step][key] for row in rows if step in row}
    if number in known or number < min(known):
        return known.get(number, known[min(known)])
    (n, before), (m, last) = sorted(known.items())[-2:]
    grows = GROWTHS.get(name, float)
    return last + (last - before) * (grows(number) - grows(m)) / (grows(m) - grows(n))


def duration(seconds: float) -> str:
    for unit, least in (("days", 2 * DAY), ("h", 5400), ("min", 90)):
        if seconds >= least:
            return f"{seconds / {'days': DAY, 'h': 3600, 'min': 60}[unit]:,.0f} {unit}"
    return f"{seconds:.0f} s"


def size(mib: float) -> str:
    if mib >= 2**20:
        return f"{mib / 2**20:,.1f} TiB"
    return f"{mib / 2**10:,.1f} GiB" if mib >= 2**10 else f"{mib:,.0f} MiB"


def files() -> str:
    content = read("large")
    listed, rows = content["listing"], []
    for row in content["rows"]:
        figures = [row["items"], row["items"] * 1280 * 4 / 2**20, *row["one"].values()]
        figures += [max(part[key] for part in row["shards"]) for key in ("seconds", "peak_mib")]
        cells = [f"{figure:,.0f}" for figure in (*figures, *row["merge"].values())]
        rows.append([*cells, "yes" if row["same_bytes"] else "NO"])
    heads = ["items", "features, MiB", "one run, s", "peak, MiB", "each of two shards, s"]
    heads += ["peak, MiB", "merging, s", "peak, MiB", "same bytes"]
    return f"""## Many files

`python benchmarks/large.py` on {machine_of(content)}, load {content["load"]:.1f} before. Listing
{listed["files"]:,} small files in folders of 1,000 takes {listed["seconds"]:.2f} s,
{listed["cpu_seconds"]:.2f} s of CPU and {listed["more_mib"]:.0f} MiB. `gentle-clip encode` of
pictures of 8 x 8 pixels, with a dummy encoder of 1,280 features that takes no time:

{table(heads, rows)}"""


def search() -> str:
    content = read("search")
    rows, builds = [], []
    for row in content["rows"]:
        for way in ("all", "exact", "lance"):
            if found := row.get(way):
                cells = [f"{found[name]:.0f}" for name in ("median_ms", "p95_ms", "most_ms")]
                cells += [f"{found[name]:,.0f}" for name in ("peak_mib", "own_mib")]
                cells += [f"{found.get(f'recall_{name}', 1):.3f}" for name in ("words", "items")]
                label = {"all": "all rows", "exact": "index"}.get(way, way)
                rows.append([f"{row['items']:,}", label, f"{found['open_s']:.1f}", *cells])
            if built := row.get(f"{way}_build"):
                names = ("seconds", "peak_mib", "own_mib", "disk_mib")
                builds.append([f"{row['items']:,}", way, *(f"{built[n]:,.0f}" for n in names)])
    heads = ["items", "way", "opening, s", "median query, ms", "p95", "slowest", "peak, MiB"]
    heads += ["own, MiB", "recall@10, words", "recall@10, item"]
    gallery = "smoothed" if content["drawn"] else "plain"
    return f"""## Search

`python benchmarks/search.py` on {machine_of(content)}: {content["queries"]} queries by words, the
best 20 of rows of 128 numbers, {gallery} gallery. MiniLM embeds the words. Opening reads the
features, loads MiniLM and, to compare all rows, embeds them; files were in the system's cache.
*Peak*: largest resident memory, including mapped files; *own*: without them, after the queries.
*Recall@10*: share of the true 10 nearest that are found.

{table(heads, rows, left=2)}
Building an index:

{table(["items", "engine", "s", "peak, MiB", "own, MiB", "on disk, MiB"], builds, left=2)}"""


def large_sets() -> str:
    content = read("large_sets")
    real = []
    for (name, pairs, way), here in groups(content["real"], "set", "pairs", "way").items():
        figures = [
            spread([r["figures"][m] for r in here if m in r["figures"]])
            for m in ("zero_shot", "i2t", "t2i")
        ]
        cpu = f"{statistics.median(r['cpu'] for r in here):.0f}"
        real.append([name, f"{here[0]['unmatched']:,}", f"{pairs:,}", way, *figures, cpu])
    plans = fill(content["plans"], "{of:,}", "{iterations}", "{error:.4f}", "{cosine:.4f}")
    ways = [
        [row["way"], *(f"{100 * r:.1f}" for r in row["recall"]), f"{row['cpu']:.0f}"]
        for row in content["ways"]
    ]
    costs = fill(content["costs"], "{what}", "{ns:.1f}")
    aligned = [
        _aligned(r) for r in sorted(content["made"], key=lambda r: (r["items"], r["planned"]))
    ]
    embedded = fill(
        [
            row | {"gib": row["rows"] / 2**19, "mib": 1024 * row["peak_gib"]}
            for row in content["embedded"]
        ],
        *("{rows:,}", "{gib:.2f}", "{cpu:.0f}", "{seconds:.0f}", "{mib:,.0f}"),
    )
    heads = ["field", "unmatched", "pairs", "unmatched items in the plan"]
    return f"""## Large sets of unmatched items

`{content["command"]}` at commit {LEFT} on {machine_of(content)}. Gain of all unmatched items over
4,096: gentle transport, always with a plan, validation items, zero-shot, image to text and text to
image (mean of R@1, 5 and 10), per cent, mean ± standard deviation over the seeds. `align` does the
variant "at last in one": six rounds with plans of 4,096 items, then two with one plan of all items.

{table([*heads, "zero-shot", "i2t", "t2i", "CPU, s"], real, left=1)}
Difference of plans in parts from one plan of 8,192 simulated items of each modality with 10
iterations (X^T P Y: relative error in the Frobenius norm, and cosine), and its effect: recall among
2,000 new items, with 100 pairs, one seed.

{table(["items in a plan", "iterations", "error", "cosine"], plans)}
{table(["unmatched items in the plan", "R@1", "R@5", "R@10", "CPU, s"], ways)}
CPU time of the steps whose cost grows with the number of item pairs; `align` forecasts time and
memory from them:

{table(["step", "ns a pair"], costs)}
`gentle-clip align`, from files of 1,280 and 384 simulated features to the saved aligner, with 1,000
pairs; recall among 2,000 new items:

{table(_ALIGNED, aligned)}
`gentle-clip embed` of a memory-mapped file with 512 float32 features per row, CCA in 128
dimensions:

{table(["rows", "file, GiB", "CPU, s", "clock, s", "peak memory, MiB"], embedded)}"""


_ALIGNED = (
    "unmatched, each modality | in the plan | CPU, s | clock, s | load | peak memory, GiB | recall"
)


def _aligned(row: dict) -> list[str]:
    planned = f"{row['planned']:,}" if row["planned"] else "none: cca"
    if row["planned"] and row.get("chosen", "gentle_transport") != "gentle_transport":
        planned += " (not used: held-out pairs)"
    cells = [f"{row[name]:.0f}" for name in ("cpu", "seconds", "load")]
    recall = f"{100 * statistics.mean(row['recall']):.1f} %"
    return [f"{row['items']:,}", planned, *cells, f"{row['peak_gib']:.2f}", recall]


def processes() -> str:
    content = read("scaling")
    measured = fill(
        [row | {"step_ms": 1e3 * row["step_s"]} for row in content["measured"]],
        *(
            "{processes}, {devices}, {fsdp}",
            "{compile_s:.1f}",
            "{step_ms:,.0f}",
            "{state_mib:,.1f}",
        ),
        *("{needed_mib:,.1f}", "{sent_mib:,.1f}", "{process_mib:,.0f}"),
    )
    paper = fill(
        content["on_paper"],
        *("{towers}, {chips:,}", "{rows:,}", "{form}", *(f"{{{p}_ms:,.1f}}" for p in PAPER)),
        *("{busy:.0%}", "{state_gib:.1f}", "{images_a_host:,.0f}", "{cores_a_host:,.1f}"),
        "{processes_a_host:,.1f}",
    )
    heads = ["processes, devices of each, fsdp", "compile, s", "step, ms", "state of a device, MiB"]
    heads += ["needed, MiB", "sent, MiB", "largest process, MiB"]
    on_paper = ["towers, chips", "rows a chip", "loss", *(f"{part}, ms" for part in PAPER.values())]
    on_paper += ["busy", "state, GiB", "images per second and host", "its cores", "its processes"]
    return f"""## Several processes, and a pod on paper

`{content["command"]}` on {machine_of(content)}: the quickstart's step, batch of 128 items per
modality. All devices share two cores, so the table shows the cost of processes and collectives, not
a speed-up. *Needed* and *sent* are from the compiled program, per device and step.

{table(heads, measured)}
Calculated, not measured: CLIP + MMD + SDD, 32,768 rows per modality, TPU v5e. A chip has 197
TFLOP/s in bfloat16, of which towers reach 40 %, and one link of 50 GB/s; a host has 8 chips. Losses
are counted as in [scale.md](../scale.md), float32 products as 6 passes, a message of the ring as 2
µs; nothing overlaps, and each item has one view. *Busy*: share of the step spent on products.
*Cores* and *processes*: needed for decoding, in total and because of Python's lock, from [image
data](#image-data).

{table(on_paper, paper)}"""
