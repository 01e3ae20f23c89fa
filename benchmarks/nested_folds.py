"""How much the folds that choose a method flatter it when they also judge it.

    python benchmarks/nested_folds.py --features=DIR [--pairs 12 30 60 300] [--draws=3]

DIR has collections as benchmarks/predictions.py makes them. `align` chooses a method by
cross-validation and reports the figures of the same folds. Here each fold is also judged by the
method that is chosen without its pairs, by candidates fitted anew (nested cross-validation). The
difference is the optimism. Writes nested_folds.json; rows in DIR/nested_folds.jsonl are kept.
"""

import argparse
import csv
import dataclasses
import json
import pathlib
import time

import jax
import numpy as np
from published import RESULTS, command, publish

from gentle_clip_jax import Problem
from gentle_clip_jax.aligners.candidates import evaluate_candidates
from gentle_clip_jax.aligners.choose import choose
from gentle_clip_jax.aligners.fit import in_canonical_order
from gentle_clip_jax.aligners.reduced import reduced_problem
from gentle_clip_jax.evaluation.splits import FOLDS, folds
from gentle_clip_jax.runs.log import processor

SETS = ("aerial", "photographs", "proteins")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--features", type=pathlib.Path, required=True)
    parser.add_argument("--pairs", type=int, nargs="+", default=[12, 30, 60, 300])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = parser.parse_args()
    kept = args.features / "nested_folds.jsonl"
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    done = {(row["set"], row["pairs"], row["draw"]) for row in rows}
    asked = [(name, n, draw) for draw in range(args.draws) for n in args.pairs for name in SETS]
    for name, pairs, draw in asked:
        if (name, pairs, draw) in done:
            continue
        start, row = time.process_time(), {"set": name, "pairs": pairs, "draw": draw}
        row |= measure(problem(args.features / name, pairs, draw))
        rows.append(row | {"cpu_seconds": time.process_time() - start})
        with kept.open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
    content = {
        "machine": processor(),
        "jax": jax.__version__,
        "command": command("nested_folds"),
        "rows": sorted(rows, key=lambda row: (row["set"], row["pairs"], row["draw"])),
    }
    publish("nested_folds", content, args.out)


def problem(folder: pathlib.Path, pairs: int, draw: int) -> Problem:
    """Draw pairs at random; all other items are unmatched. An item is the mean of its rows."""
    sides = [means(folder / f"{side}.npz") for side in "xy"]
    with (folder / "partners.csv").open(newline="") as file:
        partners = sorted(tuple(line) for line in csv.reader(file))
    rng = np.random.default_rng(draw)
    drawn = [partners[row] for row in rng.permutation(len(partners))[:pairs]]
    matched, unmatched = [], []
    for items, ids in zip(sides, zip(*drawn)):
        matched.append(np.stack([items[id_] for id_ in ids]))
        rest = [id_ for id_ in sorted(items) if id_ not in {*ids}]
        unmatched.append(np.stack([items[rest[row]] for row in rng.permutation(len(rest))]))
    return in_canonical_order(Problem(*matched, *unmatched))


def means(path: pathlib.Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        features, ids = file["features"], file["ids"]
    names, numbers = np.unique(ids, return_inverse=True)
    sums = np.zeros((len(names), features.shape[1]))
    np.add.at(sums, numbers, features)
    return dict(zip(names.tolist(), sums / np.bincount(numbers)[:, None]))


def measure(given: Problem) -> dict:
    """Judge the chosen method by the folds that chose it, and by folds that did not."""
    n = len(given.x)
    features, _ = reduced_problem(given)
    shared = evaluate_candidates(features, None)
    choice = choose(features, shared, named=False).candidate
    log_rank, recall, choices = np.zeros(n), np.zeros(n), []
    for held_out, rest in folds(np.random.default_rng(0).permutation(n), FOLDS):
        inner, _ = reduced_problem(dataclasses.replace(given, x=given.x[rest], y=given.y[rest]))
        choices.append(choose(inner, evaluate_candidates(inner, None), named=False).candidate)
        # Relative representations compete from 60 pairs on, in the outer folds only if all do.
        judged = choices[-1] if choices[-1] in shared.recall else choice
        log_rank[held_out] = shared.log_rank[judged][held_out]
        recall[held_out] = shared.recall[judged][held_out].mean(axis=(1, 2))
    own = shared.recall[choice].mean(axis=(1, 2))
    return {
        "chosen": choice,
        "chosen_without_folds": choices,
        "recall": float(100 * own.mean()),
        "nested_recall": float(100 * recall.mean()),
        "standard_error": float(100 * own.std(ddof=1) / np.sqrt(n)),
        "log_rank": float(shared.log_rank[choice].mean()),
        "nested_log_rank": float(log_rank.mean()),
    }


if __name__ == "__main__":
    main()
