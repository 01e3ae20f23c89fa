"""Runs of a comparison: each is stored at its end, so that an interruption costs one."""

import dataclasses
import itertools
import pathlib
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gentle_clip_jax.aligners import METHODS
from gentle_clip_jax.aligners.aligner import with_gallery_smoothing
from gentle_clip_jax.comparing import stored_runs
from gentle_clip_jax.comparing.fits import DRAWN, Fits, base_of, label_of, unmatched
from gentle_clip_jax.comparing.measure import MAIN, Scores, difference, score, summarize
from gentle_clip_jax.comparing.pool import OWN, Pool
from gentle_clip_jax.comparing.verdicts import verdicts
from gentle_clip_jax.runs.log import machine
from gentle_clip_jax.storage.digests import sha256_of
from gentle_clip_jax.storage.records import write_record


@dataclasses.dataclass(frozen=True)
class Plan:
    """Plan of a comparison: methods, numbers of pairs, seeds, and the kind of unmatched items.

    methods: names in `METHODS`; the suffix "+drawn" adds gallery smoothing.
    pairs: up to 1 a fraction of the pool's items, above that a number.
    unmatched: "shuffled", "disjoint" or "shifted"; see `draw`.
    """

    methods: tuple[str, ...]
    pairs: tuple[float, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    unmatched: str = "shuffled"

    def __post_init__(self) -> None:
        for name in self.methods:
            if base_of(name) not in METHODS:
                raise ValueError(
                    f"There is no method {name}: choose from {', '.join(METHODS)}, each with "
                    f"{DRAWN} behind it to smooth the gallery."
                )
        if self.unmatched not in ("shuffled", "disjoint", "shifted"):
            raise ValueError(
                f"unmatched must be shuffled, disjoint or shifted, not {self.unmatched}."
            )


def compare_pool(
    pool: Pool,
    plan: Plan,
    folder: pathlib.Path,
    *,
    title: str,
    split: Callable[[int], Pool] | None = None,
) -> dict[str, Any]:
    """Do the missing runs of a comparison, write results.json, and return its content.

    Args:
      pool: items to sample pairs from, and test items.
      plan: the runs.
      folder: for runs and results.
      title: of the page.
      split: function of a seed that returns a pool of the same items, where there are no separate
        test items: each seed then holds out other pairs. results.json gets "verdicts".

    Raises:
      ValueError: the folder is of another comparison, or a number of pairs does not fit the pool.
    """
    if pool.classes is None and (named := [n for n in plan.methods if METHODS[base_of(n)].named]):
        raise ValueError(
            f"{named[0]} needs the classes of x's encoder in features/encoder_classes.npz: see "
            "docs/compare.md, or leave it out."
        )
    # Methods, numbers of pairs and seeds may be added to a comparison later on.
    what = {"unmatched": plan.unmatched, "sha256": _digest(pool)}
    comparison = stored_runs.open_folder(folder, what)
    counts = {number: _count(number, len(pool.x)) for number in plan.pairs}
    fits = Fits(split or (lambda _: pool), plan.unmatched)
    planned = {stored_runs.name_of(run): run for run in _runs(plan, counts, pool)}
    records = {
        name: stored_runs.read_record_of(folder, run, comparison) for name, run in planned.items()
    }
    todo = [name for name, record in records.items() if record is None]
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn()) as progress:
        bar = progress.add_task("runs", total=len(todo))
        for name in todo:
            run = planned[name]
            progress.update(bar, description=f"{run['method']}, {run['pairs']} pairs")
            record, scores = _run(split(run["seed"]) if split else pool, fits, run)
            stored_runs.write(folder, record, scores, comparison)
            records[name] = record
            progress.advance(bar)
    runs = [record for record in records.values() if record is not None]
    results = {
        "title": title,
        "command": shlex.join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]),
        "machine": machine(),
        "unmatched": plan.unmatched,
        "num_items": len(pool.x),
        "methods": _methods(plan),
        "runs": runs,
        "differences": list(_differences(folder, runs)) if split is None else [],
    }
    if split is not None:
        results["verdicts"] = verdicts(
            runs,
            lambda run: stored_runs.read_scores(folder, run),
            lambda seed: split(seed).retrieval[OWN],
            {name: unmatched(name) for name in plan.methods},
        )
    write_record(folder / "results.json", results)
    return results


def _methods(plan: Plan) -> list[dict[str, Any]]:
    """Describe the methods of a plan, in the order of `METHODS`."""
    return [
        {
            "name": name,
            "label": label_of(name),
            "unmatched": unmatched(name),
            "trained": m.trained,
        }
        for base, m in METHODS.items()
        for name in (base, base + DRAWN)
        if name in plan.methods
    ]


def _digest(pool: Pool) -> str:
    """Return the SHA-256 of all inputs: features, ids, texts, labels and classes."""
    leaves, structure = jax.tree.flatten(pool)
    return sha256_of([str(structure), *(sha256_of(np.asarray(leaf)) for leaf in leaves)])


def _count(number: float, num_items: int) -> int:
    count = round(number * num_items) if number <= 1 else int(number)
    if not 6 <= count <= num_items:
        raise ValueError(
            f"{number:g} of {num_items} items is {count} pairs: a comparison takes from 6 to all."
        )
    return count


def _runs(plan: Plan, counts: dict[float, int], pool: Pool) -> Iterator[dict[str, Any]]:
    for number, seed, name in itertools.product(plan.pairs, plan.seeds, plan.methods):
        others = min(len(pool.unmatched_x), len(pool.unmatched_y))
        is_pairs_only = not METHODS[base_of(name)].unmatched
        if is_pairs_only or counts[number] < len(pool.x) or others:
            fraction = counts[number] / len(pool.x)
            yield {"method": name, "pairs": counts[number], "fraction": fraction, "seed": seed}


def _run(pool: Pool, fits: Fits, run: dict[str, Any]) -> tuple[dict[str, Any], Scores]:
    base, pairs, seed = base_of(run["method"]), run["pairs"], run["seed"]
    aligner, seconds = fits.fit(base, pairs, seed)
    start = time.monotonic()
    if is_smoothed := base != run["method"]:
        aligner = with_gallery_smoothing(aligner, fits.problem(pairs, seed))
    scores = score(aligner, pool, drawn=is_smoothed)
    seconds += time.monotonic() - start
    record = run | {"seconds": seconds, "metrics": summarize(scores)}
    if is_smoothed:
        record["drawn"] = aligner.about["smoothed_galleries"]
    return record, scores


def _differences(folder: pathlib.Path, runs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield differences from the best pairs-only method, at each number of pairs."""
    for pairs in dict.fromkeys(run["pairs"] for run in runs):
        here = [run for run in runs if run["pairs"] == pairs]
        methods = dict.fromkeys(run["method"] for run in here)
        scores = {
            name: {
                r["seed"]: stored_runs.read_scores(folder, r) for r in here if r["method"] == name
            }
            for name in methods
        }
        rivals = [name for name in methods if not unmatched(name)]
        if not rivals:
            continue
        best = max(rivals, key=lambda name: _mean_main(here, name))
        for name, metric in itertools.product(methods, MAIN):
            seeds = sorted(scores[name].keys() & scores[best].keys())
            is_measured = seeds and any(
                key.startswith(f"{metric}/") for key in scores[name][seeds[0]]
            )
            if name != best and is_measured:
                ours, theirs = ([scores[who][seed] for seed in seeds] for who in (name, best))
                figures = difference(ours, theirs, metric)
                yield {"method": name, "pairs": pairs, "against": best, "metric": metric} | figures


def _mean_main(runs: list[dict[str, Any]], name: str) -> float:
    metrics = [run["metrics"] for run in runs if run["method"] == name]
    return float(np.mean([one[key] for one in metrics for key in MAIN if key in one]))
