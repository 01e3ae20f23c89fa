"""How `align` chooses: held-out ranks of every candidate beside its recall on items for choosing.

    python benchmarks/choosing.py --data=DATA --cache=CACHE --out=OUT [--seeds 10 11 12]

Each cell (field, pairs, seed) is a file of OUT. Then prints what several rules would have chosen,
and how often the expected recall would have held. CACHE is that of benchmarks/few_pairs/run.py.
"""

import argparse
import collections
import functools
import pathlib
from typing import Any

import numpy as np
from few_pairs import protocol, run

from gentle_clip_jax.aligners import Problem, candidates, choose
from gentle_clip_jax.aligners import fit as fits
from gentle_clip_jax.aligners.methods import OF_PAIRS
from gentle_clip_jax.evaluation.intervals import mean_interval, move_interval, standard_errors
from gentle_clip_jax.parallel.cores import one_core_for_lapack

FIELDS = ("aerial_images", "photographs", "emoji", "icons", "molecules", "protein_structures")
FIELDS += ("protein_names", "offers", "cells", "sentences")
PLANNED, UNPLANNED, JOINED = candidates.PLANNED, candidates.UNPLANNED, candidates.JOINED
PAIRS_ONLY = ("cca", "ridge", "relative", "cca_relative")
EARLIER: dict[str, Any] = {"few": -1.0, "many": 0.0, "few_dimensions": 2.0}
RULES = {
    "earlier": EARLIER,
    "no veto in few dimensions": EARLIER | {"few_dimensions": None},
    "unless worse by a standard error": EARLIER | {"many": -1.0, "few_dimensions": None},
    "CCA unless better by a standard error": EARLIER | {"better": 1.0},
    "CCA unless better by two": EARLIER | {"better": 2.0},
}
EXTRAPOLATIONS = {"none": (0, 0, 0), "0.6, 1.1": (0.6, 1.1, 0), "0.6, 1.1, 0.8": (0.6, 1.1, 0.8)}
TOP = np.array([1, 5, 10])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name in ("data", "cache", "out"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=[10, 11, 12])
    parser.add_argument("--pairs", type=int, nargs="*", default=[12, 30, 100, 300])
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    fields = run.discover(run.HERE / "fields", [*FIELDS])
    load = functools.cache(lambda name: fields[name].load(args.data, args.cache))
    cells = [(n, p, s) for s in args.seeds for p in args.pairs for n in FIELDS]
    for name, pairs, seed in cells:
        path = args.out / f"{name}-{pairs}-{seed}.npz"
        if not path.exists():
            np.savez(path, **measured(load(name), pairs, seed))
            print(path.stem, flush=True)
    done = {cell: dict(np.load(args.out / "{}-{}-{}.npz".format(*cell))) for cell in cells}
    for name, rule in RULES.items():
        print(name, *summary(done, rule))
    for name, settings in EXTRAPOLATIONS.items():
        print(name, *coverage(done, *settings))


@one_core_for_lapack
def measured(field: protocol.Field, pairs: int, seed: int) -> dict[str, Any]:
    """Return held-out figures and recall on new and on unmatched items of every candidate."""
    parts = protocol.split(field)
    rng = np.random.default_rng(seed)
    matched, rest = np.split(rng.permutation(parts.train), [pairs])
    unmatched = field.x[rng.permutation(rest)], field.y[rng.permutation(rest)]
    problem = fits.in_canonical_order(Problem(field.x[matched], field.y[matched], *unmatched))
    held_out = fits.evaluate_problem(problem, 0, relatives=True)
    kept: dict[str, Any] = {"fitted": held_out.fitted}
    kept["width"] = min(field.x.shape[1], field.y.shape[1])
    for name in held_out.log_rank:
        if name in (candidates.JOINT, candidates.MOVED, candidates.TRANSPORTED):
            continue
        kept[f"rank/{name}"] = held_out.log_rank[name]
        kept[f"recall/{name}"] = held_out.recall[name]
        aligner = fits._fit_choice(problem, choose.Choice(name, {}))
        embeds = aligner.embed_x, aligner.embed_y
        x, y = (np.asarray(f(of[parts.choice])) for f, of in zip(embeds, (field.x, field.y)))
        kept[f"true/{name}"] = protocol.metrics(x, y)["recall"]
        of_draw = field, parts.train, pairs, seed
        recall = protocol.unmatched_recall(*of_draw, embeds, held_out.gallery)
        kept[f"unmatched/{name}"] = recall
    for name in {*OF_PAIRS} - {n.removeprefix("true/") for n in kept}:
        aligner = fits._fit_choice(problem, choose.Choice(name, {}))
        x, y = aligner.embed_x(field.x[parts.choice]), aligner.embed_y(field.y[parts.choice])
        kept[f"true/{name}"] = protocol.metrics(x, y)["recall"]
    return kept


def chosen(cell: dict[str, Any], rule: dict[str, Any]) -> str:
    """Return the candidate that a rule chooses."""
    ranks = {n.removeprefix("rank/"): of for n, of in cell.items() if n.startswith("rank/")}
    pairs = len(ranks["cca"])
    compared = [n for n in PAIRS_ONLY if pairs >= 60 or "relative" not in n]
    best = min(compared, key=lambda name: ranks[name].mean())
    if standard_errors(ranks["cca"] - ranks[best]) < rule.get("better", 0.0):
        best = "cca"
    rival = PLANNED
    for other in (candidates.SMOOTHED, JOINED):
        if other not in ranks or (other == JOINED and pairs < 60):
            continue
        if standard_errors(ranks[rival] - ranks[other]) >= 2:
            rival = other
    if standard_errors(ranks[rival] - ranks[UNPLANNED]) > 2:
        rival = UNPLANNED
    bar = rule["few"] if pairs < 60 else rule["many"]
    if cell["width"] <= 64 and rule["few_dimensions"] is not None:
        bar = rule["few_dimensions"]
    return rival if standard_errors(ranks[best] - ranks[rival]) >= bar else best


def summary(done: dict, rule: dict[str, Any]) -> tuple[float, float, float]:
    """Return mean regret, the worst loss to the best pairs-only method, and the gain kept."""
    cells = collections.defaultdict(list)
    for (name, pairs, _), cell in done.items():
        true = {n.removeprefix("true/"): float(v) for n, v in cell.items() if "true/" in n}
        cells[name, pairs].append(true | {"ours": true[chosen(cell, rule)]})
    means = [{n: np.mean([one[n] for one in of]) for n in of[0]} for of in cells.values()]
    regret = np.mean([max(of.values()) - of["ours"] for of in means])
    worst = min(of["ours"] - max(of[name] for name in OF_PAIRS) for of in means)
    helped = [of for of in means if of[PLANNED] > of["cca"] + 1]
    kept = np.mean([(of["ours"] - of["cca"]) / (of[PLANNED] - of["cca"]) for of in helped])
    return round(float(regret), 2), round(float(worst), 1), round(float(kept), 2)


def coverage(done: dict, slope: float, planned: float, spread: float) -> tuple[float, ...]:
    """Return how often the interval holds, and how often the truth is above or below it."""
    found = []
    for cell in done.values():
        name = chosen(cell, RULES["unless worse by a standard error"])
        each, fitted = cell[f"recall/{name}"].mean(axis=(1, 2)), int(cell["fitted"])
        interval = mean_interval(each, fitted=fitted, level=0.95, bounds=(0.0, 1.0))
        more = np.log(len(each) / fitted)
        by = more * (slope if name in (*PAIRS_ONLY, UNPLANNED) else planned)
        moved = move_interval(interval, shift=by, spread=spread * more, level=0.95)
        true = float(cell[f"unmatched/{name}"]) / 100
        found.append((moved["low"] <= true <= moved["high"], true > moved["high"]))
    holds, above = np.mean(found, axis=0)
    return tuple(round(float(share), 3) for share in (holds, above, 1 - holds - above))


if __name__ == "__main__":
    main()
