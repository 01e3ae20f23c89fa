"""What do all unmatched items bring over 4,096 of them, and what do large sets cost?

    python benchmarks/large_sets.py --features=features [--pairs 104 1041] [--seeds 10 11 12]
        [--items 20000 100000] [--rows 10000 30000 60000 100000]
        [--only real plans ways costs made embedded]

Writes docs/results/large_sets.{json,md}. Real: gentle transport of aerial images and captions and
of photographs, scored on validation items. Plans: how far plans in parts, or of fewer iterations,
are from one of all items. Ways: what each finds of made-up items. Costs: CPU of the steps that grow
fastest. Made: `gentle-clip align` of made-up features of the width of EfficientNet-Lite0's and
MiniLM's and 1,000 pairs. Embedded: `gentle-clip embed` of a memory-mapped file. Ways, made and
embedded run in processes of their own.
"""

import argparse
import functools
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gentle_clip_jax.aligners import Aligner, load  # noqa: E402
from gentle_clip_jax.aligners.closed_form import Smoothed, cca, transported_cca  # noqa: E402
from gentle_clip_jax.aligners.closed_form.gentle import BANK_BYTES, prepare  # noqa: E402
from gentle_clip_jax.aligners.closed_form.neighbours import smooth  # noqa: E402
from gentle_clip_jax.aligners.closed_form.plan import transported_covariance  # noqa: E402
from gentle_clip_jax.aligners.closed_form.transported import (  # noqa: E402
    PLAN_ITEMS,
    plan_part,
)
from gentle_clip_jax.aligners.problem import Features  # noqa: E402
from gentle_clip_jax.aligners.standardize import standardized  # noqa: E402
from gentle_clip_jax.compare import measure, pool  # noqa: E402
from gentle_clip_jax.compare.sources import pool_of  # noqa: E402
from gentle_clip_jax.config import load_config  # noqa: E402
from gentle_clip_jax.files import write_json, write_text  # noqa: E402
from gentle_clip_jax.runs.log import machine  # noqa: E402

Step = tuple[Callable[..., jax.Array], tuple[jax.Array, ...]]
SETS = {"compare_remote_sensing": "aerial images", "compare_vision_language": "photographs"}
ALONE, SOME, PARTS, ONE, BOTH = (
    "none: no plan",
    "4,096",
    "all, in plans of 4,096",
    "all, in one plan",
    "all, in plans of 4,096 and at last in one",
)
WAYS: dict[str, dict[str, int]] = {  # of made-up items, and the settings of each
    ALONE: {},
    SOME: {},
    PARTS: {"last_batch": PLAN_ITEMS},
    BOTH: {},
    "all, in one plan of two iterations": {"batch": 2 * PLAN_ITEMS, "iterations": 2},
}
PAIRS, TESTED, SHARED = 1000, 2000, 48
MANY = 100_000  # items, whose plan is reckoned
WIDTHS = {"x": 1280, "y": 384}
CORES = 2  # of the machine whose minutes are spoken of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--features", required=True)
    parser.add_argument("--pairs", type=int, nargs="+", default=[104, 1041])
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12])
    parser.add_argument("--items", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 30_000, 60_000, 100_000])
    parts = {
        "real": real,
        "plans": plans,
        "ways": ways,
        "costs": costs,
        "made": made,
        "embedded": embedded,
    }
    parser.add_argument(
        "--only",
        nargs="*",
        choices=parts,
        default=[*parts],
        help="others stay, as do sizes not named",
    )
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        print(json.dumps(found(args.way)))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "large_sets.json"
    about = {name: [] for name in parts} | (json.loads(path.read_text()) if path.exists() else {})
    sizes = {"made": ("items", args.items), "embedded": ("rows", args.rows)}
    for name in args.only:
        size, asked = sizes.get(name, ("", ()))
        about[name] = [row for row in about[name] if size and row[size] not in asked]
        for row in parts[name](args):
            about[name].append(row)
            print(row, flush=True)
            write_json(path, about)
    asked = ["--features=features"]
    for name in ("pairs", "seeds", "items", "rows"):
        asked += [f"--{name}", *map(str, getattr(args, name))]
    about |= {"command": shlex.join(["python", "benchmarks/large_sets.py", *asked])}
    about |= {"machine": machine()}
    write_json(path, about)
    write_text(args.out / "large_sets.md", page(about))


def real(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What each way scores on validation items, and the seconds that the plan takes."""
    for config, name in SETS.items():
        flags = [f"--config.features={args.features}", "--config.evaluate=validation"]
        items = pool_of(load_config(config, flags))
        for pairs in args.pairs:
            for seed in args.seeds:
                problem = pool.draw(items, pairs, seed=seed, unmatched="shuffled")
                of_x, of_y, features, _ = standardized(problem)
                whole = prepare(features)
                for way in (ALONE, SOME, PARTS, BOTH, ONE):
                    prepared = prepare(plan_part(features)) if way == SOME else whole
                    begun, maps = time.process_time(), prepared.maps
                    if way != ALONE:
                        size = {"batch": len(features.unmatched_x)} if way == ONE else {}
                        size |= {"last_batch": PLAN_ITEMS} if way == PARTS else {}
                        maps = transported_cca(prepared.features, maps, within=0.5, **size)
                    cpu = time.process_time() - begun if jax.block_until_ready(maps) else 0.0
                    smoothed = Smoothed(maps, prepared.bank, prepared.weight)
                    metrics = measure.summarize(measure.score(Aligner(of_x, of_y, smoothed), items))
                    row = {"set": name, "pairs": pairs, "seed": seed, "way": way, "cpu": cpu}
                    row |= {"unmatched": len(features.unmatched_x)}
                    yield row | {
                        "figures": {m: 100 * metrics[m] for m in measure.MAIN if m in metrics}
                    }


def plans(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """How far X^T P Y of a plan in parts is from that of one plan, in a space of 128 numbers."""
    del args
    world, count = World({"x": 256, "y": 128}), 2 * PLAN_ITEMS
    rng = np.random.default_rng(1)
    known, rest = world.latent(rng, PAIRS), world.latent(rng, count)
    x, y = (jnp.asarray(world.view(rng, side, rest)) for side in "xy")
    y = y[rng.permutation(count)]
    pairs = [jnp.asarray(world.view(rng, side, known)) for side in "xy"]
    maps = cca(*pairs, shrinkage=0.3)
    rows = maps.embed_x(x), maps.embed_y(y)
    x, y = x - x.mean(axis=0)[None, :], y - y.mean(axis=0)[None, :]
    plan = jax.jit(transported_covariance, static_argnames=("epsilon", "iterations"))

    def part(size: int, iterations: int) -> jax.Array:
        parts = [slice(start, start + size) for start in range(0, count, size)]
        sums = [
            plan(rows[0][p], rows[1][p], x[p], y[p], epsilon=0.02, iterations=iterations)
            for p in parts
        ]
        return sum(sums[1:], sums[0]) / len(parts)

    whole = part(count, 10)
    for size, iterations in (
        (count, 20),
        (count, 3),
        (count, 2),
        (PLAN_ITEMS, 10),
        (PLAN_ITEMS // 2, 10),
    ):
        found = part(size, iterations)
        cosine = jnp.sum(found * whole) / jnp.linalg.norm(found) / jnp.linalg.norm(whole)
        error = jnp.linalg.norm(found - whole) / jnp.linalg.norm(whole)
        yield {
            "items": count,
            "of": size,
            "iterations": iterations,
            "error": float(error),
            "cosine": float(cosine),
        }


def ways(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What each way finds of made-up items that no fit has seen; each in its own process."""
    for way in WAYS:
        command = [sys.executable, __file__, f"--features={args.features}", f"--way={way}"]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        yield json.loads(output.splitlines()[-1])


def found(way: str) -> dict[str, Any]:
    """Recall of a way with 100 pairs and 8,192 unmatched items, in 128 and 96 features."""
    world, rng, count = World({"x": 128, "y": 96}), np.random.default_rng(0), 2 * PLAN_ITEMS
    latents = [world.latent(rng, size) for size in (100, TESTED, count)]
    sides = {}
    for side in "xy":
        *known, rest = (world.view(rng, side, latent) for latent in latents)
        deviation = rest.std()
        sides[side] = [jnp.asarray(rows / deviation) for rows in (*known, rng.permutation(rest))]
    (x, test_x, unmatched_x), (y, test_y, unmatched_y) = sides.values()
    features = Features(*(rows[:, None] for rows in (x, y, unmatched_x, unmatched_y)))
    maps, begun = cca(x, y, shrinkage=3.0), time.process_time()
    if way == SOME:
        features = plan_part(features)
    if way != ALONE:
        maps = transported_cca(features, maps, **WAYS[way])
    cpu = time.process_time() - begun if jax.block_until_ready(maps) else 0.0
    rows = np.asarray(maps.embed_x(test_x)), np.asarray(maps.embed_y(test_y))
    return {"way": way, "recall": recall(*rows), "cpu": cpu}


def costs(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """CPU of a pair of items, in nanoseconds, of each step that meets all pairs of many items."""
    del args
    rng = np.random.default_rng(0)

    def rows(count: int, width: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=(count, width)), jnp.float32)

    def plan(count: int, columns: int, iterations: int) -> Step:
        unit = [
            z / jnp.linalg.norm(z, axis=1, keepdims=True)
            for z in (rows(count, 128), rows(columns, 128))
        ]
        given = *unit, rows(count, WIDTHS["x"]), rows(columns, WIDTHS["y"])
        made = functools.partial(transported_covariance, epsilon=0.02, iterations=iterations)
        return made, given

    bank = BANK_BYTES // (4 * WIDTHS["x"])
    near = functools.partial(smooth, weight=0.2)
    neighbours = near, (rows(1024, 1280), rows(bank, 1280))
    for what, pairs, (step, given) in (
        ("a product of 512", 2048**2, (lambda z: z @ z.T, (rows(2048, 512),))),
        (
            "a plan of 4,096 by 4,096, 10 iterations",
            PLAN_ITEMS**2,
            plan(PLAN_ITEMS, PLAN_ITEMS, 10),
        ),
        (f"512 rows of one of {MANY:,}, 2 iterations", 512 * MANY, plan(512, MANY, 2)),
        (f"neighbours among {bank:,} of 1,280 features", 1024 * bank, neighbours),
    ):
        compiled = jax.jit(step).lower(*given).compile()
        seconds = []
        for _ in range(2):  # the first meets memory that was never touched
            begun = time.process_time()
            jax.block_until_ready(compiled(*given))
            seconds.append(time.process_time() - begun)
        yield {"what": what, "pairs": pairs, "ns": 1e9 * min(seconds) / pairs}


def made(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What `gentle-clip align` takes, and what it finds of items that it has not seen."""
    for items in args.items:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            write_sides(folder, items)
            for planned in (items, PLAN_ITEMS, 0):  # the longest first
                out = folder / f"aligner-{planned}"
                flags = [f"--{name}={folder}/{name}.npy" for name in ("x", "y")]
                flags += [f"--pairs={folder}/pairs.csv", f"--out={out}"]
                flags += [f"--plan-items={planned}"] if planned else []
                flags += [f"--method={'gentle_transport' if planned else 'cca'}"]
                row = {"items": items, "planned": planned} | taken("align", *flags)
                aligner = load(out)
                found = [
                    np.asarray(embed(np.load(folder / f"test_{side}.npy")))
                    for side, embed in (("x", aligner.embed_x), ("y", aligner.embed_y))
                ]
                chosen = aligner.about.get("held_out", {}).get("chosen")
                yield row | {"chosen": chosen, "recall": recall(*found)}


def embedded(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What `gentle-clip embed` takes of a memory-mapped file of 512 features a row."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_sides(folder, PAIRS, {"x": 512, "y": 384})
        flags = [f"--{name}={folder}/{name}.npy" for name in ("x", "y")]
        flags += [f"--pairs={folder}/pairs.csv", f"--out={folder}/aligner", "--method=cca"]
        taken("align", *flags)
        drawn = load(folder / "aligner").about["drawn"]["x"]
        for rows in args.rows:
            file = np.lib.format.open_memmap(folder / "rows.npy", "w+", np.float32, (rows, 512))
            rng = np.random.default_rng(0)
            for start in range(0, rows, 8192):
                part = file[start : start + 8192]
                part[:] = rng.normal(size=part.shape)
            file.flush()
            del file
            flags = [f"--aligner={folder}/aligner", f"--x={folder}/rows.npy"]
            row = {"rows": rows, "drawn": drawn}
            yield row | taken("embed", *flags, f"--out={folder}/embedded")


def taken(*argv: str) -> dict[str, Any]:
    """Seconds on the clock and of all cores, and peak memory, of a command in its own process.

    told: what it said beforehand of time and memory, "" if nothing.
    """
    begun = time.perf_counter()
    command = [sys.executable, "-m", "gentle_clip_jax", *argv]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    said = process.stdout.read().splitlines() if process.stdout else []
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"gentle-clip {shlex.join(argv)} ended with {status}.")
    row = {"seconds": time.perf_counter() - begun, "cpu": usage.ru_utime + usage.ru_stime}
    told = next((line for line in said if "GiB" in line), "")
    return row | {"peak_gib": usage.ru_maxrss / 2**20, "load": os.getloadavg()[0], "told": told}


def recall(x: np.ndarray, y: np.ndarray) -> list[float]:
    """R@1, 5 and 10 of rows that belong together, the mean of both ways."""
    cosines = x @ y.T
    own = np.diag(cosines)
    before = [(cosines > own[:, None]).sum(axis=1), (cosines > own[None, :]).sum(axis=0)]
    return [float(np.mean([(ranks < top).mean() for ranks in before])) for top in (1, 5, 10)]


class World:
    """Points around 500 centres, seen from two sides, each of which has some of its own."""

    def __init__(self, widths: dict[str, int]):
        rng = np.random.default_rng(7)
        self.spread = 1 / np.sqrt(1 + np.arange(SHARED) / 6)
        self.centres = self.spread * rng.normal(size=(500, SHARED))
        self.views = {
            side: [rng.normal(size=(SHARED, width)) for _ in range(2)]
            for side, width in widths.items()
        }

    def latent(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """What both sides have of so many items."""
        around = self.spread * rng.normal(size=(count, SHARED)) / 2
        return self.centres[rng.integers(len(self.centres), size=count)] + around

    def view(self, rng: np.random.Generator, side: str, latent: np.ndarray) -> np.ndarray:
        """What a side shows of items: a curved view of them, what is its own, and noise."""
        shared, own = self.views[side]
        rows = 3 * np.tanh(latent @ shared / 3) + rng.normal(size=latent.shape) @ own / 4
        return np.float32(rows + rng.normal(size=rows.shape))


def write_sides(folder: pathlib.Path, items: int, widths: dict[str, int] = WIDTHS) -> None:
    """Both sides of 1,000 pairs and of the unmatched, in two orders; and of 2,000 items to test."""
    world, rng = World(widths), np.random.default_rng(0)
    known, rest, test = (world.latent(rng, count) for count in (PAIRS, items, TESTED))
    for side in widths:
        np.save(folder / f"test_{side}.npy", world.view(rng, side, test))
        latent = np.concatenate([known, rest[rng.permutation(items)]])
        shape = len(latent), widths[side]
        rows = np.lib.format.open_memmap(folder / f"{side}.npy", "w+", np.float32, shape)
        for start in range(0, len(rows), 4096):
            rows[start : start + 4096] = world.view(rng, side, latent[start : start + 4096])
        rows.flush()
    (folder / "pairs.csv").write_text("".join(f"{n},{n}\n" for n in range(PAIRS)))


def page(about: dict[str, Any]) -> str:
    """docs/results/large_sets.md"""
    return f"""# Large sets of unmatched items

{on_data(about["real"])}
## How far plans in parts are from one plan

X^T P Y of 8,192 made-up items of either side in the space of CCA of 1,000 pairs, against that of
one plan of all of them and 10 iterations: relative error (Frobenius norm), and cosine, by which
alone the directions of the maps differ.

{table(of_plans(about["plans"]))}

What that brings: recall (R@1, 5 and 10, mean of both ways, per cent) among {TESTED:,} made-up items
that no fit has seen, with 100 pairs and 8,192 unmatched items; one seed.

{table(of_ways(about["ways"]))}

## What the steps take

CPU of the steps that meet all pairs of many items, a pair. `align` tells time and memory beforehand
by them.

{table(of_costs(about["costs"]))}

## What `gentle-clip align` takes

From files of {WIDTHS["x"]:,} and {WIDTHS["y"]} made-up features to the saved aligner, {PAIRS:,}
pairs and so many unmatched items of either side, each with its partner somewhere on the other.
CPU seconds are those of all cores; an idle machine of {CORES} cores takes half as long at best.
Recall: mean of R@1, 5 and 10 among {TESTED:,} items that no fit has seen.

{table(of_made(about["made"]))}

## What `gentle-clip embed` takes

Of a memory-mapped file of 512 float32 features a row, by an aligner of CCA in 128 dimensions.

{table(of_embedded(about["embedded"]))}

`{about["command"]}`, {about["machine"]["cpus"]} x {about["machine"]["processor"]}; parts and sizes
were run one by one (`--only`). Where the load is above 2 the machine was shared with other work:
clocks say little there, CPU seconds more.
"""


def on_data(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return (
            "What all of them bring over 4,096 on aerial images and photographs was not run yet.\n"
        )
    seeds = ", ".join(map(str, sorted({row["seed"] for row in rows})))
    return f"""## What all of them bring over 4,096

Gentle transport, always with a plan, on validation items: zero-shot, i2t and t2i (mean of R@1, 5
and 10), per cent, mean and standard deviation over seeds {seeds}. Plans of
4,096 items are drawn anew in every round, and together hold all. "At last in one" is what `align`
does: after six rounds of such plans two with one plan of all, of two iterations; "in one" makes
that of ten iterations in all eight rounds. CPU: of the plans, neighbours and CCA of the pairs left
out.

{table(of_real(rows))}
"""


def of_real(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    yield ["set", "unmatched", "pairs", "unmatched items in the plan", *measure.MAIN, "CPU, s"]
    for name, pairs, way in dict.fromkeys((r["set"], r["pairs"], r["way"]) for r in rows):
        here = [r for r in rows if (r["set"], r["pairs"], r["way"]) == (name, pairs, way)]
        figures = [
            spread([r["figures"][metric] for r in here if metric in r["figures"]])
            for metric in measure.MAIN
        ]
        cpu = f"{statistics.median(r['cpu'] for r in here):.0f}"
        yield [name, f"{here[0]['unmatched']:,}", f"{pairs:,}", way, *figures, cpu]


def of_plans(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    yield ["items in a plan", "iterations", "error", "cosine"]
    for row in rows:
        yield [f"{row['of']:,}", str(row["iterations"])] + [
            f"{row[name]:.4f}" for name in ("error", "cosine")
        ]


def of_ways(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    yield ["unmatched items in the plan", "R@1", "R@5", "R@10", "CPU, s"]
    for row in rows:
        yield [row["way"], *(f"{100 * r:.1f}" for r in row["recall"]), f"{row['cpu']:.0f}"]


def of_costs(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    yield ["step", "CPU, ns a pair"]
    for row in rows:
        yield [row["what"], f"{row['ns']:.1f}"]


def of_made(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    yield [
        "unmatched, each side",
        "in the plan",
        "CPU, s",
        "CPU / 2, min",
        "on the clock, s",
        "load",
        "peak memory, GiB",
        "recall",
    ]
    for row in sorted(rows, key=lambda row: (row["items"], row["planned"])):
        planned = f"{row['planned']:,}" if row["planned"] else "none: cca"
        if row["planned"] and row.get("chosen", "gentle_transport") != "gentle_transport":
            planned += " (the pairs spoke against it)"
        yield [
            f"{row['items']:,}",
            planned,
            f"{row['cpu']:.0f}",
            f"{row['cpu'] / CORES / 60:.1f}",
            f"{row['seconds']:.0f}",
            f"{row['load']:.0f}",
            f"{row['peak_gib']:.2f}",
            f"{100 * statistics.mean(row['recall']):.1f} %",
        ]


def of_embedded(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    yield ["rows", "file, GiB", "CPU, s", "on the clock, s", "peak memory, MiB"]
    for row in rows:
        cells = [f"{row['rows']:,}", f"{row['rows'] * 512 * 4 / 2**30:.2f}", f"{row['cpu']:.0f}"]
        yield [*cells, f"{row['seconds']:.0f}", f"{1024 * row['peak_gib']:,.0f}"]


def table(rows: Iterator[list[str]]) -> str:
    heads = next(rows)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def spread(values: list[float]) -> str:
    if not values:
        return ""
    deviation = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{deviation}"


if __name__ == "__main__":
    with threadpool_limits(1, user_api="blas"):
        main()
