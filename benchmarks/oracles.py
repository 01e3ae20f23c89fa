"""How far could a better plan bring gentle transport? Oracles that know what nobody knows.

    python benchmarks/oracles.py --features=features [--config compare_remote_sensing]
        [--seeds 10 11] [--pairs 104 1041]

On validation items: gentle transport as it is; its plan made once by the maps of all pairs; its
rounds begun at the maps of all pairs; the true partners of 2,500 unmatched images as pairs; and
CCA of all pairs. Writes docs/results/oracles.json, to which each config adds its own.
"""

import argparse
import json
import pathlib
import shlex
import statistics
import sys
import time

import jax
import jax.numpy as jnp
from threadpoolctl import threadpool_limits

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gentle_clip_jax.aligners import METHODS, Aligner, Problem  # noqa: E402
from gentle_clip_jax.aligners.closed_form.gentle import Smoothed, planned, prepare  # noqa: E402
from gentle_clip_jax.aligners.closed_form.neighbours import smooth  # noqa: E402
from gentle_clip_jax.aligners.closed_form.shrinkage import chosen_shrinkage, shrunk_cca  # noqa: E402
from gentle_clip_jax.aligners.closed_form.transported import plan_part  # noqa: E402
from gentle_clip_jax.aligners.standardize import standardized  # noqa: E402
from gentle_clip_jax.compare import measure, pool  # noqa: E402
from gentle_clip_jax.compare.sources import pool_of  # noqa: E402
from gentle_clip_jax.config import load_config  # noqa: E402
from gentle_clip_jax.files import write_json  # noqa: E402
from gentle_clip_jax.runs.log import processor  # noqa: E402

MORE = 2500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--features", required=True)
    parser.add_argument("--config", default="compare_remote_sensing")
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11])
    parser.add_argument("--pairs", type=int, nargs="+", default=[104, 1041])
    args = parser.parse_args()
    overrides = [f"--config.features={args.features}", "--config.evaluate=validation"]
    items = pool_of(load_config(args.config, overrides))
    rows = []
    with threadpool_limits(1, user_api="blas"):
        for pairs in args.pairs:
            for seed in args.seeds:
                for name, fit in ORACLES.items():
                    start = time.monotonic()
                    metrics = measure.summarize(measure.score(fit(items, pairs, seed), items))
                    figures = {key: 100 * metrics[key] for key in measure.MAIN if key in metrics}
                    rows.append({"oracle": name, "pairs": pairs, "seed": seed, **figures})
                    print(rows[-1], f"{time.monotonic() - start:.0f} s", flush=True)
    path = ROOT / "docs" / "results" / "oracles.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    command = shlex.join(["python", "benchmarks/oracles.py", *sys.argv[1:]])
    kept[args.config] = {"machine": processor(), "command": command, "rows": rows}
    write_json(path, kept)
    for name in ORACLES:
        for pairs in args.pairs:
            here = [r for r in rows if (r["oracle"], r["pairs"]) == (name, pairs)]
            means = [statistics.mean(r[k] for r in here) for k in measure.MAIN if k in here[0]]
            print(name, pairs, " / ".join(f"{mean:.1f}" for mean in means))


def as_it_is(items: pool.Pool, pairs: int, seed: int) -> Aligner:
    return METHODS["gentle_transport"].fit(drawn(items, pairs, seed), jax.random.key(seed))


def by_all_pairs(rounds: int):
    """Rounds that begin at the maps of all pairs, of features smoothed alike."""

    def fit(items: pool.Pool, pairs: int, seed: int) -> Aligner:
        of_x, of_y, features, _ = standardized(drawn(items, pairs, seed))
        prepared = prepare(plan_part(features))
        x = jnp.asarray(of_x.rows(items.x.mean(axis=1)))
        x = smooth(x, prepared.bank, weight=prepared.weight)
        y = jnp.asarray(of_y.rows(items.y).mean(axis=1))
        maps = shrunk_cca(x, y, chosen_shrinkage(shrunk_cca, x, y))
        maps = planned(prepared.features, maps, None, shrinkage=None, within=0.5, rounds=rounds)
        return Aligner(of_x, of_y, Smoothed(maps, prepared.bank, prepared.weight))

    return fit


def with_true_partners(items: pool.Pool, pairs: int, seed: int) -> Aligner:
    """2,500 unmatched images whose partners are told: gentle transport of so many pairs more."""
    return as_it_is(items, pairs + MORE, seed)


def of_all_pairs(items: pool.Pool, pairs: int, seed: int) -> Aligner:
    return METHODS["cca"].fit(drawn(items, len(items.x), seed), jax.random.key(seed))


def drawn(items: pool.Pool, pairs: int, seed: int) -> Problem:
    return pool.draw(items, pairs, seed=seed, unmatched="shuffled")


ORACLES = {
    "gentle transport": as_it_is,
    "its plan made once by the maps of all pairs": by_all_pairs(1),
    "its eight rounds begun at the maps of all pairs": by_all_pairs(8),
    f"true partners of {MORE:,} unmatched images": with_true_partners,
    "CCA of all pairs": of_all_pairs,
}

if __name__ == "__main__":
    main()
