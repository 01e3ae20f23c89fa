"""Do closed forms fitted to raw features score what the kept comparisons on frozen features say?

    python benchmarks/refit.py --features=features [--seed 0] [--pairs 12 104 1041]
        [--only REGEX] [--kept FOLDER] [--json FILE]

Refits one seed of every closed form of docs/results/{remote_sensing,vision_language}_frozen.json
and prints, per method and number of pairs, how far zero-shot, i2t and t2i are from the kept run of
that seed, in points. With --kept, a folder that holds a comparison's runs/ under the page's name,
every item's score is compared too. It ends with an error if a difference is above --tolerance.
"""

import argparse
import json
import pathlib
import re
import sys
import time

import jax
import numpy as np
from threadpoolctl import threadpool_limits

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gentle_clip_jax.aligners import METHODS  # noqa: E402
from gentle_clip_jax.compare import measure, pool  # noqa: E402
from gentle_clip_jax.compare.sources import pool_of  # noqa: E402
from gentle_clip_jax.config import load_config  # noqa: E402
from gentle_clip_jax.reading import read_arrays  # noqa: E402

PAGES = {
    "remote_sensing_frozen": "compare_remote_sensing",
    "vision_language_frozen": "compare_vision_language",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--features", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pairs", type=int, nargs="+", help="numbers of pairs; all if left out")
    parser.add_argument("--only", default="", help="pages and methods whose page/method matches")
    parser.add_argument("--kept", type=pathlib.Path, help="PAGE/runs/*.npz, for every item's score")
    parser.add_argument("--json", type=pathlib.Path, help="where to write all differences")
    parser.add_argument("--tolerance", type=float, default=0.1, help="points")
    args = parser.parse_args()
    rows = []
    for page, name in PAGES.items():
        kept = json.loads((ROOT / "docs" / "results" / f"{page}.json").read_text())
        runs = [run for run in kept["runs"] if wanted(page, run, args)]
        if runs:
            items = load(name, args.features)
            for run in runs:
                rows.append({"page": page} | refit(items, run, args, page))
                print(line(rows[-1]), flush=True)
    report(rows, args)


def wanted(page: str, run: dict, args: argparse.Namespace) -> bool:
    method = METHODS[run["method"]]
    if method.trained or run["seed"] != args.seed:
        return False
    asked = args.pairs is None or run["pairs"] in args.pairs
    return asked and bool(re.search(args.only, f"{page}/{run['method']}"))


def load(name: str, features: str) -> pool.Pool:
    config = load_config(name, [f"--config.features={features}", "--config.evaluate=test"])
    return pool_of(config)


def refit(items: pool.Pool, run: dict, args: argparse.Namespace, page: str) -> dict:
    """The run's differences in points, and of items if their scores were kept."""
    start = time.monotonic()
    problem = pool.draw(items, run["pairs"], seed=run["seed"], unmatched="shuffled")
    aligner = METHODS[run["method"]].fit(problem, jax.random.key(run["seed"]))
    scores = measure.score(aligner, items)
    metrics = measure.summarize(scores)
    row = {name: run[name] for name in ("method", "pairs", "seed")}
    row["points"] = {
        name: 100 * (metrics[name] - run["metrics"][name])
        for name in measure.MAIN
        if name in run["metrics"]
    }
    file = f"{run['method']}-{run['pairs']}-{run['seed']}.npz"
    if args.kept and (path := args.kept / page / "runs" / file).exists():
        arrays = read_arrays(path)
        row["items"] = sum(len(scores[name]) for name in scores)
        row["items_changed"] = sum(int(np.sum(arrays[n] != scores[n])) for n in scores)
        kept = json.loads(str(arrays["record"]))["metrics"]
        row["points_from_kept"] = {
            name: 100 * (metrics[name] - kept[name]) for name in row["points"]
        }
    return row | {"seconds": round(time.monotonic() - start, 1)}


def line(row: dict) -> str:
    points = ", ".join(f"{name} {value:+.3f}" for name, value in row["points"].items())
    text = f"{row['page']} {row['method']} {row['pairs']} pairs: {points}"
    if "items" in row:
        text += f"; {row['items_changed']} of {row['items']} items changed"
    return f"{text} ({row['seconds']:.0f} s)"


def largest(rows: list[dict], key: str = "points") -> float:
    return max((abs(value) for row in rows for value in row.get(key, {}).values()), default=0.0)


def report(rows: list[dict], args: argparse.Namespace) -> None:
    for method in dict.fromkeys(row["method"] for row in rows):
        here = [row for row in rows if row["method"] == method]
        print(f"{method}: at most {largest(here):.3f} points in {len(here)} fits")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    if largest(rows) > args.tolerance:
        sys.exit(f"A figure moved by more than {args.tolerance} points.")


if __name__ == "__main__":
    with threadpool_limits(1, user_api="blas"):
        main()
