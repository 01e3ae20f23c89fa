"""What do all unmatched items bring over 4,096 of them, and what do large sets cost?

    python benchmarks/large_sets.py --features=features [--pairs 104 1041] [--seeds 10 11 12]
        [--items 20000 100000] [--only real|made]

Writes docs/results/large_sets.{json,md}. Real: gentle transport of aerial images and captions and
of photographs, scored on validation items. Made: `gentle-clip align` of made-up features of the
width of EfficientNet-Lite0's and MiniLM's and 1,000 pairs, in a process of its own.
"""

import argparse
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import jax
import numpy as np
from threadpoolctl import threadpool_limits

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gentle_clip_jax.aligners import Aligner  # noqa: E402
from gentle_clip_jax.aligners.closed_form import Smoothed, transported_cca  # noqa: E402
from gentle_clip_jax.aligners.closed_form.gentle import prepare  # noqa: E402
from gentle_clip_jax.aligners.closed_form.transported import PLAN_ITEMS, plan_part  # noqa: E402
from gentle_clip_jax.aligners.problem import Features  # noqa: E402
from gentle_clip_jax.aligners.standardize import standardized  # noqa: E402
from gentle_clip_jax.compare import measure, pool  # noqa: E402
from gentle_clip_jax.compare.sources import pool_of  # noqa: E402
from gentle_clip_jax.config import load_config  # noqa: E402
from gentle_clip_jax.files import write_json, write_text  # noqa: E402
from gentle_clip_jax.runs.log import machine  # noqa: E402

SETS = {"compare_remote_sensing": "aerial images", "compare_vision_language": "photographs"}
WAYS = ("4,096 items", "all, in plans of 4,096", "all, in one plan")
PAIRS = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--features", required=True)
    parser.add_argument("--pairs", type=int, nargs="+", default=[104, 1041])
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12])
    parser.add_argument("--items", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--only", choices=("real", "made"), help="one part; the other is kept")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    args = parser.parse_args()
    path = args.out / "large_sets.json"
    about = json.loads(path.read_text()) if path.exists() else {"real": [], "made": []}
    parts = {"real": real, "made": made}
    for name in (args.only,) if args.only else parts:
        about[name] = []
        for row in parts[name](args):
            about[name].append(row)
            print(row, flush=True)
            write_json(path, about)
    asked = ["--features=features", "--pairs", *map(str, args.pairs)]
    asked += ["--seeds", *map(str, args.seeds), "--items", *map(str, args.items)]
    about |= {"command": shlex.join(["python", "benchmarks/large_sets.py", *asked])}
    about |= {"machine": machine()}
    write_json(path, about)
    write_text(args.out / "large_sets.md", page(about))


def real(args: argparse.Namespace):
    """What each way scores on validation items, and the seconds of its fit."""
    for config, name in SETS.items():
        flags = [f"--config.features={args.features}", "--config.evaluate=validation"]
        items = pool_of(load_config(config, flags))
        for pairs in args.pairs:
            for seed in args.seeds:
                problem = pool.draw(items, pairs, seed=seed, unmatched="shuffled")
                of_x, of_y, features, _ = standardized(problem)
                for way in WAYS:
                    begun = time.perf_counter()
                    maps = jax.block_until_ready(fitted(features, way))
                    row = {"set": name, "pairs": pairs, "seed": seed, "way": way}
                    row |= {"unmatched": len(features.unmatched_x), "load": os.getloadavg()[0]}
                    row |= {"seconds": time.perf_counter() - begun}
                    metrics = measure.summarize(measure.score(Aligner(of_x, of_y, maps), items))
                    yield row | {
                        "figures": {m: 100 * metrics[m] for m in measure.MAIN if m in metrics}
                    }


def fitted(features: Features, way: str) -> Smoothed:
    """Gentle transport with a plan, whether or not held-out pairs bear it."""
    prepared = prepare(plan_part(features) if way == WAYS[0] else features)
    batch = len(features.unmatched_x) if way == WAYS[2] else PLAN_ITEMS
    maps = transported_cca(prepared.features, prepared.maps, within=0.5, batch=batch)
    return Smoothed(maps, prepared.bank, prepared.weight)


def made(args: argparse.Namespace):
    """Seconds, peak memory and recall of `gentle-clip align`, with 4,096 items planned and all."""
    for items in args.items:
        with tempfile.TemporaryDirectory() as folder:
            write_sides(pathlib.Path(folder), items)
            for planned in (PLAN_ITEMS, items):
                flags = [f"--{name}={folder}/{name}.npy" for name in ("x", "y")]
                flags += [f"--pairs={folder}/pairs.csv", f"--out={folder}/aligner-{planned}"]
                flags += [f"--plan-items={planned}"]
                begun = time.perf_counter()
                command = [sys.executable, "-m", "gentle_clip_jax", "align", *flags]
                process = subprocess.Popen(command, cwd=ROOT)
                _, status, usage = os.wait4(process.pid, 0)
                if status:
                    raise SystemExit(f"{shlex.join(command)} ended with {status}.")
                row = {"items": items, "planned": planned, "load": os.getloadavg()[0]}
                row |= {"seconds": time.perf_counter() - begun}
                yield row | {"peak_gib": usage.ru_maxrss / 2**20}


def write_sides(folder: pathlib.Path, items: int) -> None:
    """Two views of points around 500 centres, of which 1,000 are known in both."""
    rng, world = np.random.default_rng(0), np.random.default_rng(7)
    centres = 2 * world.normal(size=(500, 24))
    pairs = centres[rng.integers(500, size=PAIRS)] + 0.5 * rng.normal(size=(PAIRS, 24))
    for name, width in (("x", 1280), ("y", 384)):
        rows = np.lib.format.open_memmap(
            folder / f"{name}.npy", "w+", np.float32, (items + PAIRS, width)
        )
        view = world.normal(size=(24, width))
        for start in range(0, len(rows), 4096):
            size = len(rows[start : start + 4096])
            latent = centres[rng.integers(500, size=size)] + 0.5 * rng.normal(size=(size, 24))
            known = pairs[start : start + size]
            latent[: len(known)] = known
            rows[start : start + size] = latent @ view + 5 * rng.normal(size=(size, width))
        rows.flush()
    (folder / "pairs.csv").write_text("".join(f"{n},{n}\n" for n in range(PAIRS)))


def page(about: dict[str, Any]) -> str:
    """docs/results/large_sets.md"""
    lines = []
    for name in dict.fromkeys((row["set"], row["pairs"]) for row in about["real"]):
        for way in WAYS:
            here = [
                row
                for row in about["real"]
                if (row["set"], row["pairs"], row["way"]) == (*name, way)
            ]
            if here:
                cells = [
                    spread([row["figures"][metric] for row in here]) for metric in measure.MAIN
                ]
                seconds = statistics.median(row["seconds"] for row in here)
                of = f"{name[0]}, {here[0]['unmatched']:,} unmatched | {name[1]:,}"
                lines.append(f"| {of} | {way} | {' | '.join(cells)} | {seconds:.0f} |")
    costs = [
        f"| {row['items']:,} | {row['planned']:,} | {row['seconds']:.0f} | {row['peak_gib']:.1f} "
        f"| {row['load']:.1f} |"
        for row in about["made"]
    ]
    seeds = sorted({row["seed"] for row in about["real"]})
    loads = [row["load"] for row in about["real"]] or [0.0]
    return f"""# Large sets of unmatched items

What gentle transport gains where all unmatched items take part, on validation items: zero-shot,
i2t and t2i (mean of R@1, 5 and 10), per cent, mean and standard deviation over seeds
{", ".join(map(str, seeds))}. More than 4,096 items make several plans of 4,096 of them, drawn anew
in every round, or one large plan. Seconds are the median of a fit.

| set | pairs | unmatched items that are used | zero-shot | i2t | t2i | s |
|---|--:|---|--:|--:|--:|--:|
{chr(10).join(lines)}

What `gentle-clip align --plan-items=N` takes, from files to the saved aligner, with {PAIRS:,}
pairs and so many unmatched items of either modality, made up in 1,280 and 384 dimensions.

| unmatched items of either | N | s | peak memory, GiB | load |
|--:|--:|--:|--:|--:|
{chr(10).join(costs)}

`{about["command"]}`, {about["machine"]["cpus"]} x {about["machine"]["processor"]}, shared with
other work: a load of {min(loads):.1f} to {max(loads):.1f} at the fits; an idle machine is faster.
"""


def spread(values: list[float]) -> str:
    deviation = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{deviation}"


if __name__ == "__main__":
    with threadpool_limits(1, user_api="blas"):
        main()
