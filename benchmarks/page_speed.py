"""Page of speed and memory: losses, encoders, data, search, large sets, processes, commands."""

import statistics

import page_many_items as many
from published import fill, groups, machine_of, read, table

ENCODERS = {  # case of encoders.json: title, head of the sizes
    "images": ("EfficientNet-Lite0, 224 x 224 pixels, images a second", "batch"),
    "captions": ("MiniLM, batches of 64, captions a second", "tokens each"),
    "depthwise": (
        "One depthwise convolution, 56 x 56 pixels, 144 channels, batch of 16, images a second",
        "kernel size",
    ),
}
RIVALS = {
    "dense": "ours, block_size=0, ms",
    "jnp": "plain jnp, ms",
    "optax": "optax ntxent, ms",
    "torch": "PyTorch, ms",
}
STARTS = {
    "first": "training, nothing compiled before",
    "next": "training, programs cached by the first",
    "none": "training, --no-compilation-cache",
    "help": "--help",
}


def page() -> str:
    sections = (losses, encoders, data, many.files, many.search, many.large_sets, many.sizes)
    sections += (checkpoints, gradcache, many.processes, starts, newcomer, accelerator)
    return f"""# Speed and memory

Each section names its script and its machine. *Load*: the system's load average; if it exceeds the
number of cores, other programs ran too, and CPU seconds are more reliable than clock time. The
scripts checkpoints.py, data.py, gradcache.py, scaling.py and start.py, and the other
implementations of losses and encoders, were removed; they are at commit bd34294, like the [closed
experiments](closed.md).

{chr(10).join(filter(None, (section() for section in sections)))}"""


def losses() -> str:
    content = read("losses")
    results = content["rows"]
    timed = [one for one in results if one["row"]["case"] != "sharded"]
    sharded = [one for one in results if one["row"]["case"] == "sharded"]
    versions = "; ".join(sorted({one["versions"] for one in results}))
    found = groups([one | one["row"] for one in timed], "case", "n", "d")
    rows = []
    for (case, n, d), forms in sorted(found.items()):
        of = {one["form"]: one for one in forms}
        ours = of["ours"]
        cells = [
            f"{ours['ms']:.1f}",
            f"{ours['ms'] / ours['floor_ms']:.2f}",
            f"{ours['peak_mib']:.0f}",
        ]
        others = [f"{of[form]['ms']:.1f}" if form in of else "" for form in RIVALS]
        rows.append([case, f"{n:,}", str(d), *cells, *others])
    devices = [
        [
            str(k := one["row"]["k"]),
            f"{one['memory_mib']:.1f}",
            f"{one['row']['n'] ** 2 * 4 / k / 2**20:.0f}",
            f"{one['sent_mib']:.1f}",
        ]
        for one in sorted(sharded, key=lambda one: one["row"]["k"])
    ]
    heads = ["loss", "n", "d", "ours, ms", "ratio to products", "peak memory, MiB"]
    return f"""## Losses

Value and gradient with respect to both sets, float32, rows of unit length, by
`benchmarks/losses.py` on {machine_of(content)} ({versions}). Times are the best of interleaved
repetitions. *Ratio to products*: time relative to the bare n x n x d matrix products that value and
gradient require, in the same process. Losses keep the products of at most 4,096 x 4,096 rows and
recompute those of larger batches. *Objective*: CLIP with all rows as pairs, MMD and SDD, without
views; NT-Xent has 2n rows. Memory is the peak beyond the inputs, including gradients. The targets
were a ratio of 1.15 for clip and 1.5 for the objective.

{table([*heads, *RIVALS.values()], rows)}
Objective, n = 4,096, d = 256, rows sharded over virtual CPU devices, in tiles; from the compiled
program:

{table(["devices", "memory of each, MiB", "all pairs, MiB", "sent by each, MiB"], devices)}"""


def encoders() -> str:
    content = read("encoders")
    rates = {(case, form, size): rate for case, form, size, rate in content["rates"]}
    parts = []
    for case, (title, head) in ENCODERS.items():
        forms = [*dict.fromkeys(form for one, form, _ in rates if one == case)]
        sizes = [*dict.fromkeys(size for one, _, size in rates if one == case)]
        rows = [
            [str(size), *(_rate(rates.get((case, form, size))) for form in forms)] for size in sizes
        ]
        parts.append(f"{title}:\n\n{table([head, *forms], rows)}")
    versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
    return f"""## Frozen encoders

`{content["command"]}` on {content["machine"]}, with {versions}. Every row is a separate process;
the rate is that of the fastest repetition, without compilation. `gentle-clip encode` encodes
{rates["encode", "images", 1024]:,.0f} images a second, from JPEG files of 256 x 256 pixels in
memory, and {rates["encode", "captions", 4096]:,.0f} texts of 5 to 20 words a second.
Ours uses ONNX Runtime if it is installed; PyTorch uses one thread or all, whichever is faster.

{chr(10).join(parts)}"""


def _rate(rate: float | None) -> str:
    return f"{rate:,.0f}" if rate else "not measured"


def data() -> str:
    content = read("data")
    views = {row["size"]: row["us"] for row in content["views"]}
    decoded = fill(
        [
            row
            | {"kb": row["bytes"] / 1000, "lock": row["held_us"] / row["us"]}
            | {"decoded": 1e6 / row["us"], "viewed": 1e6 / views[row["size"]]}
            | {"both": 1e6 / (row["us"] + views[row["size"]])}
            for row in content["decode"]
        ],
        *("{file}, {kb:.1f} kB", "{size}", "{decoded:,.0f}", "{lock:.0%}", "{viewed:,.0f}"),
        "{both:,.0f}",
    )
    stored = [
        [row["form"], *(f"{1e6 / row[order]:,.0f}" for order in ("in order", "shuffled"))]
        for row in content["read"]
    ]
    accelerators = [*content["steps"][0]["step_ms"]]
    steps = []
    for row in content["steps"]:
        waits = {ms: "" if ms >= row["host_ms"] else ", waits" for ms in row["step_ms"].values()}
        step = fill([row], "{towers}", "{file} to {size}", "{host_ms:.1f} ({limit})", "{tflop:.1f}")
        steps.append([*step[0], *(f"{ms:.1f}{wait}" for ms, wait in waits.items())])
    heads = ["file", "pixels", "decoded", "share in Python's lock", "views", "both"]
    paper = ["towers", "images", "host, ms", "TFLOP", *(f"{name}, ms" for name in accelerators)]
    return f"""## Image data

`{content["command"]}` on {content["machine"]}. Images per second and core, decoded from JPEG files
in memory and augmented by random views (crop, flips, turns, brightness, contrast):

{table(heads, decoded)}
Reads of files of 128 x 128 pixels, per second and core; training reads in shuffled order, and
`gentle-clip data prepare` writes array_record:

{table(["stored as", "in order", "shuffled"], stored)}
Calculated, not measured: does a step of 256 images wait for 16 cores of the host? The step is the
products of both towers at 40 % of the data sheets' bfloat16 peak. In brackets: the limit of the
host, cores or Python's lock:

{table(paper, steps)}"""


def checkpoints() -> str:
    content = read("checkpoints")
    large, own, busy = content["large"], content["icons"], content["busy"]
    rows = [
        [f"save a state of {large['megabytes']} MB, until it is on disk", f"{large['save']:.2f}"],
        ["restore and verify it", f"{large['restore']:.2f}"],
        ["its manifest (SHA-256 of every array), part of both", f"{large['manifest']:.2f}"],
        ["a step of configs/icons.py", f"{own['step']:.3f}"],
        [f"the manifest of its state of {own['megabytes']:.1f} MB", f"{own['manifest']:.3f}"],
        ["save that state beside busy processes", f"{busy['save']:.1f}"],
        ["Orbax's own write of it, beside busy processes", f"{busy['orbax']:.1f}"],
        ["its manifest, beside busy processes", f"{busy['manifest']:.1f}"],
    ]
    share = own["manifest"] / (own["every"] * own["step"])
    return f"""## Checkpoints

`{content["command"]}` on {machine_of(content)}. A manifest every {own["every"]} steps takes
{share:.3%} of the time of the steps. Beside {busy["processes"]} processes that keep all cores busy,
a save takes {busy["save"] / busy["orbax"]:.1f} times as long as Orbax's own write.

{table(["", "seconds"], rows)}"""


def gradcache() -> str:
    content, rows, small = read("gradcache"), [], {}
    for row in content["rows"]:
        first = small.setdefault(row["objective"], row)
        per_item = (row["seconds"] / row["batch"]) / (first["seconds"] / first["batch"])
        cells = [str(row["batch"]), str(row["microbatches"]), f"{row['planned_mib']:.0f}"]
        cells += [f"{row['measured_mib']:.0f}", f"{row['seconds']:.2f}"]
        cells += [f"{row['measured_mib'] / first['measured_mib']:.2f}", f"{per_item:.2f}"]
        rows.append([row["objective"], *cells])
    heads = ["objective", "batch", "microbatches", "planned, MiB", "measured, MiB", "step, s"]
    heads += ["memory / small batch", "time per item / small batch"]
    return f"""## Large batches in microbatches (GradCache)

`{content["command"]}` on {machine_of(content)}. A train step of configs/icons.py on random items,
half of them pairs; each row is a separate process. *Planned*: temporary buffers in XLA's plan.
*Measured*: growth of the process during the step.

{table(heads, rows)}"""


def starts() -> str:
    content = read("start")
    cache, rows = content["cache"], []
    for kind, label in STARTS.items():
        found = content["seconds"][kind]
        figures = statistics.median(found), min(found), max(found)
        rows.append([label, *(f"{figure:.{2 if kind == 'help' else 1}f}" for figure in figures)])
    return f"""## Starts, and what kept programs save

`python benchmarks/start.py` on {machine_of(content)}, load {content["load"]:.1f} before: seconds of
CPU, {content["repeats"]} rounds. A training is two steps of the quickstart with batches of 16. The
first cached {cache["programs"]} programs, {cache["mib"]:.1f} MiB in total.

{table(["a process", "median", "smallest", "largest"], rows)}"""


def newcomer() -> str:
    content = read("newcomer")
    ways = {"clone": "clone to first pages", "wheel": "wheel to first matches"}
    rows = [
        [f"{label}: {step}", f"{row['wall']:.0f}", f"{row['cpu']:.0f}"]
        for way, label in ways.items()
        for step, row in (content[way] | {"in all": _in_all(content[way])}).items()
    ]
    others = []
    for other in content["elsewhere"]:
        seconds = {step: row["wall"] for step, row in other["wheel"].items()}
        quickstart = seconds.pop("quickstart")
        cells = [f"{sum(seconds.values()):.0f}", f"{quickstart:.0f}", f"{other['load']:.1f}"]
        others.append([other["python"], *cells])
    right = content["right"]
    return f"""## A newcomer's first minutes

`python benchmarks/newcomer.py` on {machine_of(content)}, Python {content["python"]}, without a GPU;
load {content["load"]:.1f} before, {content["load after"]:.1f} after. Each way starts with an empty
folder and home: nothing was installed, downloaded or compiled before. The wheel leads to first
matches of {content["number"]:,} icons and {content["number"]:,} names with 12 pairs from the
answers; of {right["matched"]:,} unpaired pictures {right["right"]:,} were matched with their own
text. The targets were 6 and 5 minutes on two idle cores.

{table(["step", "clock, s", "CPU, s"], rows)}
Other versions of Python, from the wheel, clock time:

{table(["Python", "first matches, s", "quickstart, s", "load"], others)}"""


def accelerator() -> str:
    """Return the section of one accelerator, if it was measured."""
    if not (content := read("gpu")):
        return ""
    timed = fill(content["losses"], "{loss}, {form}", "{n:,}", "{ms:.2f}", "{share:.0%}")
    timed += fill(content["plans"], "plan of 50 iterations", "{n:,}", "{ms:.2f}", "{share:.0%}")
    rates = fill(content["encoders"], "{items}", "{a_second:,.0f}")
    rates += fill(content["training"], "icons, {steps} steps of training", "{a_second:,.0f}")
    return f"""## One accelerator

`{content["command"]}` on {content["device"]}. Losses: value and gradient, d = 512. *Share*: part of
the time that the bare products take or, for plans, reading the kernel twice per iteration.

{table("computation | n | ms | share", timed)}
{table("items | per second", rates)}"""


def _in_all(steps: dict[str, dict[str, float]]) -> dict[str, float]:
    return {kind: sum(row[kind] for row in steps.values()) for kind in ("wall", "cpu")}
