"""What `gentle-clip diagnose` says of each draw of the few-pairs benchmark.

    python benchmarks/few_pairs/verdicts.py --data=DATA --cache=CACHE [--seeds 0 1 2]

Writes docs/results/few_pairs_verdicts.json after each draw; stopped and run again, it goes on. The
page sets the verdicts beside the gains that benchmarks/few_pairs/run.py measured on test items.
"""

import argparse
import itertools
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import numpy as np
from published import publish, read

from few_pairs import protocol, run
from gentle_clip_jax import diagnose
from gentle_clip_jax.runs.log import processor

FIELDS = ("aerial_images", "photographs", "emoji", "icons", "molecules", "protein_structures")
FIELDS += ("protein_names", "offers", "cells", "sentences")
COLUMNS = ("field", "pairs", "seed", "verdict", "held_out", "wrong_pairs", "commit")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of the data sets")
    parser.add_argument("--cache", type=pathlib.Path, required=True, help="that of run.py")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--pairs", type=int, nargs="*", default=[12, 30, 100, 300])
    args = parser.parse_args()
    modules = run.discover(run.HERE / "fields", [*FIELDS])
    fields = {name: module.load(args.data, args.cache) for name, module in modules.items()}
    rows = (read("few_pairs_verdicts") or {"rows": []})["rows"]
    done = {(row["field"], row["pairs"], row["seed"]) for row in rows}
    command = "python benchmarks/few_pairs/verdicts.py --data=DATA --cache=CACHE"
    facts = {"machine": processor(), "command": command}
    for seed, pairs, name in itertools.product(args.seeds, args.pairs, fields):
        if (name, pairs, seed) not in done:
            said = verdict_of(fields[name], pairs, seed)
            rows.append({"field": name, "pairs": pairs, "seed": seed, **said})
            publish("few_pairs_verdicts", {**facts, "rows": rows}, columns=COLUMNS)


def verdict_of(field: protocol.Field, pairs: int, seed: int) -> dict[str, object]:
    """Return the verdict of a draw, that of held-out pairs, and the share of wrong pairs."""
    drawn = protocol.draw(field, protocol.split(field).train, pairs, seed)
    sides = (
        np.concatenate([drawn.x, drawn.unmatched_x]),
        np.concatenate([drawn.y, drawn.unmatched_y]),
    )
    metadata = diagnose(*sides, np.stack([np.arange(pairs)] * 2, axis=1), seed=seed).metadata
    (noise,) = (one for one in metadata["findings"] if one["name"] == "pair_noise")
    return {
        "verdict": metadata["verdict"]["unmatched_data"],
        "held_out": metadata["held_out"]["expected"]["unmatched"]["verdict"],
        "wrong_pairs": noise["numbers"].get("share"),
        "commit": run.commit(),
    }


if __name__ == "__main__":
    main()
