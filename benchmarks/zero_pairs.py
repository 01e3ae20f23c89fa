"""Two sets and not one pair: where do starts without pairs lead, after rounds of transport?

    python benchmarks/zero_pairs.py --features=features [--seeds 0 1 2] [--evaluate test]

Writes zero_pairs.json. A seed decides the unmatched items, the centres and the
restarts; of the restarts of a start the one with the highest unsupervised score counts. The names
of ImageNet's classes are those that benchmarks/class_names.py writes: run it first.
"""

import argparse
import pathlib

import jax
import jax.numpy as jnp
from published import RESULTS, publish
from threadpoolctl import threadpool_limits

from gentle_clip_jax.aligners import Aligner, closed_form
from gentle_clip_jax.aligners.aligner import with_gallery_smoothing
from gentle_clip_jax.aligners.closed_form import Maps
from gentle_clip_jax.aligners.problem import PLAN_ITEMS
from gentle_clip_jax.aligners.standardize import standardized
from gentle_clip_jax.comparing import measure, pool
from gentle_clip_jax.comparing.sources import pool_of
from gentle_clip_jax.config import load_config
from gentle_clip_jax.runs.log import machine

FIELDS = {"remote sensing": "compare_remote_sensing", "photographs": "compare_vision_language"}
METRICS = ("zero_shot", "i2t", "t2i")
CHANCE = "random maps (chance)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--features", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--unmatched", type=int, default=PLAN_ITEMS, help="items of each")
    parser.add_argument("--evaluate", choices=["test", "validation"], default="test")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = parser.parse_args()
    rows = []
    for field, name in FIELDS.items():
        config = load_config(
            name, [f"--config.features={args.features}", f"--config.evaluate={args.evaluate}"]
        )
        items = pool_of(config)
        for seed in args.seeds:
            for row in run(items, seed, args):
                rows.append({"field": field, "seed": seed} | row)
                print(rows[-1], flush=True)
    record = {"machine": machine(), "evaluate": args.evaluate, "seeds": args.seeds, "rows": rows}
    publish("zero_pairs", record, args.out)


def run(items: pool.Pool, seed: int, args: argparse.Namespace):
    """A row for every start: the figures before the rounds, and of each restart after them."""
    problem = pool.draw(items, 0, seed=seed, unmatched="shuffled")
    of_x, of_y, features, classes = standardized(problem)
    x, y = features.unmatched_x[: args.unmatched], features.unmatched_y[: args.unmatched]
    mean_x, mean_y = jnp.mean(x, axis=1), jnp.mean(y, axis=1)
    keys = jax.random.split(jax.random.key(seed), args.restarts)
    clustered = {
        f"{clusters} clusters, Gromov-Wasserstein": [
            closed_form.matched_clusters(mean_x, mean_y, key, clusters=clusters) for key in keys
        ]
        for clusters in (12, 30)
    }
    starts = {CHANCE: [random_maps(key, mean_x, mean_y) for key in keys], **clustered}
    if classes is None:
        raise ValueError(f"Run benchmarks/class_names.py --features={args.features} first.")
    starts["names of ImageNet's classes"] = [closed_form.named_classes(mean_x, mean_y, *classes)]
    for name, several in starts.items():
        fits = [closed_form.align_without_pairs(x, y, [start]) for start in several]
        yield {
            "start": name,
            "before": [figures(Aligner(of_x, of_y, start), items) for start in several],
            "scores": [scores[0] for _, scores in fits],
            "after": [figures(Aligner(of_x, of_y, maps), items) for maps, _ in fits],
            "drawn": [
                figures(
                    with_gallery_smoothing(Aligner(of_x, of_y, maps), problem), items, drawn=True
                )
                for maps, _ in fits
            ],
        }


def random_maps(key: jax.Array, x: jax.Array, y: jax.Array) -> Maps:
    maps = (
        jax.random.normal(one, (rows.shape[1], 128))
        for one, rows in zip(jax.random.split(key), (x, y))
    )
    return Maps(jnp.mean(x, axis=0), next(maps), jnp.mean(y, axis=0), next(maps))


def figures(aligner: Aligner, items: pool.Pool, *, drawn: bool = False) -> list[float | None]:
    """Per cent; None for what is not measured on these items."""
    metrics = measure.summarize(measure.score(aligner, items, drawn=drawn))
    return [100 * metrics[metric] if metric in metrics else None for metric in METRICS]


if __name__ == "__main__":
    with threadpool_limits(1, user_api="blas"):
        main()
