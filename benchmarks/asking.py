"""Are pairs worth more if one chooses what to ask for?

    python benchmarks/asking.py --features=features [--pairs 12 30 104] [--seeds 0 1 2]
        [--methods cca gentle_transport] [--fields remote_sensing vision_language]
        [--parts first again]

Writes asking.json; the part that is not run is kept. Of the same pool, `ask` chooses
images or a draw does; an aligner is fitted to these and their captions, all others are unmatched,
and test items measure it. Then to 30 that were chosen, 30 or 70 more.
"""

import argparse
import dataclasses
import itertools
import pathlib

import jax
import numpy as np
from published import RESULTS, publish, read

from gentle_clip_jax.aligners import METHODS, Problem
from gentle_clip_jax.asking.choose import items_to_ask
from gentle_clip_jax.comparing import measure, pool
from gentle_clip_jax.comparing.sources import pool_of
from gentle_clip_jax.config import load_config
from gentle_clip_jax.runs.log import machine

FIELDS = ("remote_sensing", "vision_language")
BEGIN, MORE = 30, (30, 70)  # pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--features", type=pathlib.Path, required=True)
    parser.add_argument("--pairs", type=int, nargs="+", default=[12, 30, 104, 1041])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--methods", nargs="+", choices=[*METHODS], default=["cca", "gentle_transport"]
    )
    parser.add_argument("--fields", nargs="+", choices=[*FIELDS], default=[*FIELDS])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=[*PARTS])
    parser.add_argument("--evaluate", choices=["test", "validation"], default="test")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = parser.parse_args()
    found = read("asking", args.out)
    found |= {"machine": machine(), "evaluate": args.evaluate, "seeds": args.seeds}
    found |= {part: [] for part in args.parts}
    for field in args.fields:
        config = load_config(
            f"compare_{field}",
            [f"--config.features={args.features}", f"--config.evaluate={args.evaluate}"],
        )
        items = pool_of(config)
        for part in args.parts:
            for row in PARTS[part](items, args):
                found[part].append({"field": field, **row})
                print(found[part][-1], flush=True)
                publish("asking", found, args.out)


def first(items: pool.Pool, args: argparse.Namespace):
    for method, number, seed in itertools.product(args.methods, args.pairs, args.seeds):
        row = {"method": method, "pairs": number, "seed": seed}
        yield row | compared(items, number, seed, method)


def again(items: pool.Pool, args: argparse.Namespace):
    """Figures of CCA of pairs that `ask` chose and of as many more."""
    x = items.x.mean(axis=1)
    for more, seed in itertools.product(MORE, args.seeds):
        begun = items_to_ask(x, BEGIN, seed=seed)
        others = np.setdiff1d(np.arange(len(x)), begun)
        joint = METHODS["cca"].fit(
            Problem(items.x[begun], items.y[begun], items.x[others], items.y[others]),
            jax.random.key(seed),
        )
        ways = {
            "random": np.random.default_rng(seed).permutation(others)[:more].tolist(),
            "chosen": items_to_ask(x, more, seed=seed, pairs=begun),
            "joint": items_to_ask(joint.embed_x(x), more, seed=seed, pairs=begun),
        }
        row = {"method": "cca", "pairs": more, "seed": seed}
        yield row | {
            way: figures(items, np.array(begun + rows), seed, "cca") for way, rows in ways.items()
        }


PARTS = {"first": first, "again": again}


def compared(items: pool.Pool, number: int, seed: int, method: str) -> dict:
    """Figures per cent of items that `ask` chose, and of as many at random."""
    x = items.x.mean(axis=1)
    drawn = np.random.default_rng(seed).permutation(len(x))[:number]
    return {
        name: figures(items, np.asarray(rows), seed, method)
        for name, rows in (("chosen", items_to_ask(x, number, seed=seed)), ("random", drawn))
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


if __name__ == "__main__":
    main()
