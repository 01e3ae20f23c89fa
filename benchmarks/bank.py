"""What is lost where a saved aligner's bank of neighbours is k-means centres?

    python benchmarks/bank.py --features=features [--pairs=104] [--seeds 0 1 2]

Fits gentle transport to aerial images and captions, saves it under smaller and smaller limits,
loads it, and writes what the three test figures lose into docs/results/bank.{json,md}.
"""

import argparse
import pathlib
import shlex
import statistics
import sys
import tempfile

import jax

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from refit import load as load_pool  # noqa: E402

from gentle_clip_jax.aligners import METHODS, aligner, load  # noqa: E402
from gentle_clip_jax.compare import measure, pool  # noqa: E402
from gentle_clip_jax.files import write_json, write_text  # noqa: E402
from gentle_clip_jax.runs.log import processor  # noqa: E402

CENTERS = (8192, 4096, 2048, 1024, 256)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--features", required=True)
    parser.add_argument("--pairs", type=int, default=104)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    args = parser.parse_args()
    items, rows = load_pool("compare_remote_sensing", args.features), []
    for seed in args.seeds:
        problem = pool.draw(items, args.pairs, seed=seed, unmatched="shuffled")
        fitted = METHODS["gentle_transport"].fit(problem, jax.random.key(seed))
        whole = measure.summarize(measure.score(fitted, items))
        bank = fitted.maps.bank
        for centers in CENTERS:
            small = reloaded(fitted, centers * bank[0].nbytes)
            metrics = measure.summarize(measure.score(small, items))
            lost = {name: 100 * (metrics[name] - whole[name]) for name in measure.MAIN}
            rows.append({"seed": seed, "bank": len(bank), "centers": centers, "points": lost})
            print(rows[-1], flush=True)
    asked = ["--features=features", f"--pairs={args.pairs}", "--seeds", *map(str, args.seeds)]
    command = shlex.join(["python", "benchmarks/bank.py", *asked])
    about = {"command": command, "machine": processor(), "pairs": args.pairs, "rows": rows}
    write_json(args.out / "bank.json", about)
    write_text(args.out / "bank.md", page(about))


def reloaded(fitted: aligner.Aligner, limit: int) -> aligner.Aligner:
    """The aligner, saved where a bank may have so many bytes, and loaded again."""
    aligner.BANK_BYTES = limit
    with tempfile.TemporaryDirectory() as folder:
        fitted.save(folder)
        return load(folder)


def page(about: dict) -> str:
    """docs/results/bank.md"""
    lines = []
    for centers in CENTERS:
        here = [row["points"] for row in about["rows"] if row["centers"] == centers]
        cells = [spread([points[name] for points in here]) for name in measure.MAIN]
        lines.append(f"| {centers:,} | {' | '.join(cells)} |")
    seeds = sorted({row["seed"] for row in about["rows"]})
    bank = about["rows"][0]["bank"]
    return f"""# A bank of neighbours, saved as centres

Gentle transport draws images towards their neighbours in a bank of the images that it was fitted
to: here {bank:,} aerial images, {about["pairs"]} pairs, seeds {", ".join(map(str, seeds))}.
A saved aligner keeps a bank of up to 64 MiB as it is, and of a larger one k-means centres. What the
test figures gain or lose by so many centres, in points, mean and standard deviation over seeds:

| centres | zero-shot | i2t | t2i |
|--:|--:|--:|--:|
{chr(10).join(lines)}

`{about["command"]}`, {about["machine"]}.
"""


def spread(values: list[float]) -> str:
    deviation = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):+.1f}{deviation}"


if __name__ == "__main__":
    main()
