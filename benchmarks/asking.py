"""Are pairs worth more if one chooses what to ask for?

    python benchmarks/asking.py --features=features [--pairs 12 30 104] [--seeds 0 1 2]
        [--methods cca gentle_transport] [--fields remote_sensing vision_language]

Writes asking.md and asking.json. Of the same pool, `ask` chooses images or a draw does; an aligner
is fitted to these and their captions, all others are unmatched, and test items measure it.
"""

import argparse
import dataclasses
import itertools
import pathlib
import sys

import jax
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gentle_clip_jax.aligners import METHODS, Problem  # noqa: E402
from gentle_clip_jax.asking import ask  # noqa: E402
from gentle_clip_jax.compare import measure, pool  # noqa: E402
from gentle_clip_jax.compare.sources import pool_of  # noqa: E402
from gentle_clip_jax.config import load_config  # noqa: E402
from gentle_clip_jax.files import write_json, write_text  # noqa: E402
from gentle_clip_jax.runs.log import machine  # noqa: E402

FIELDS = {"remote_sensing": "remote sensing", "vision_language": "photographs"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--features", type=pathlib.Path, required=True)
    parser.add_argument("--pairs", type=int, nargs="+", default=[12, 30, 104])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--methods", nargs="+", choices=[*METHODS], default=["cca", "gentle_transport"]
    )
    parser.add_argument("--fields", nargs="+", choices=[*FIELDS], default=[*FIELDS])
    parser.add_argument("--evaluate", choices=["test", "validation"], default="test")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    args = parser.parse_args()
    rows = []
    for field in args.fields:
        config = load_config(
            f"compare_{field}",
            [f"--config.features={args.features}", f"--config.evaluate={args.evaluate}"],
        )
        items = pool_of(config)
        for method, number, seed in itertools.product(args.methods, args.pairs, args.seeds):
            row = {"field": field, "method": method, "pairs": number, "seed": seed}
            rows.append(row | compared(items, number, seed, method))
            print(rows[-1], flush=True)
            publish(rows, args)


def compared(items: pool.Pool, number: int, seed: int, method: str) -> dict:
    """Figures per cent of items that `ask` chose, and of as many at random."""
    x = items.x.mean(axis=1)
    drawn = np.random.default_rng(seed).permutation(len(x))[:number]
    return {
        name: figures(items, np.asarray(rows), seed, method)
        for name, rows in (("chosen", ask(x, number, seed=seed)), ("random", drawn))
    }


def figures(items: pool.Pool, matched: np.ndarray, seed: int, method: str) -> list[float]:
    rest = np.random.default_rng(seed).permutation(np.setdiff1d(np.arange(len(items.x)), matched))
    shuffled = np.random.default_rng(seed + 1).permutation(rest)
    pairs = items.x[matched], items.y[matched]
    problem = Problem(*pairs, items.x[rest], items.y[shuffled])
    if METHODS[method].named:
        problem = dataclasses.replace(problem, classes=items.classes)
    aligner = METHODS[method].fit(problem, jax.random.key(seed))
    metrics = measure.summarize(measure.score(aligner, items))
    return [100 * metrics[name] for name in measure.MAIN if name in metrics]


def publish(rows: list[dict], args: argparse.Namespace) -> None:
    args.out.mkdir(parents=True, exist_ok=True)
    about = {"machine": machine(), "evaluate": args.evaluate}
    write_json(args.out / "asking.json", {**about, "rows": rows})
    write_text(args.out / "asking.md", "\n".join(page(rows, args)) + "\n")


def page(rows: list[dict], args: argparse.Namespace) -> list[str]:
    lines = [
        "# Which pairs to ask a person for",
        "",
        f"`python benchmarks/asking.py --features=...` on {args.evaluate} "
        f"items, seeds {', '.join(map(str, args.seeds))}, per cent, zero-shot / i2t / t2i as in "
        "[compare.md](../compare.md). *Chosen*: images that `gentle-clip ask` names, a tenth of "
        "them drawn at random; *random*: all drawn. The gain is that of the mean of the figures, "
        "with its sample standard deviation over seeds.",
    ]
    for field, method in dict.fromkeys((row["field"], row["method"]) for row in rows):
        lines += ["", f"## {FIELDS[field].capitalize()}, {METHODS[method].label}", ""]
        lines += ["| pairs | random | chosen | gain |", "|--:|--:|--:|--:|"]
        of_method = [row for row in rows if (row["field"], row["method"]) == (field, method)]
        for number in args.pairs:
            if here := [row for row in of_method if row["pairs"] == number]:
                lines.append(line(number, here))
    return lines


def line(number: int, here: list[dict]) -> str:
    means = {name: np.mean([row[name] for row in here], axis=0) for name in ("random", "chosen")}
    gains = [np.mean(row["chosen"]) - np.mean(row["random"]) for row in here]
    spread = f" ± {np.std(gains, ddof=1):.1f}" if len(gains) > 1 else ""
    cells = [" / ".join(f"{value:.1f}" for value in means[name]) for name in ("random", "chosen")]
    return f"| {number:,} | {' | '.join(cells)} | {np.mean(gains):+.1f}{spread} |"


if __name__ == "__main__":
    main()
