"""Lists of matches at a chosen error: the share of wrong matches, its bound, the length.

    python benchmarks/lists.py --data=DATA --work=WORK [--draws 100] [--pairs 200]

Sets: aerial images, photographs, proteins and drawings of benchmarks/predictions.py. Each draw
takes other pairs of them, fits CCA, and matches all other items: with every partner in y, and with
half of them taken away. Settings of `match`: many to one, and one to one. The oracle's list is the
longest of the same order of matches whose realised error is at most the chosen one. Writes
docs/results/lists.json; goes on after a stop.
"""

import argparse
import itertools
import pathlib
from typing import Any

import jax
import numpy as np
from prediction_sets import PAIRS, prepare
from published import RESULTS, ROOT, command, publish, read

import gentle_clip_jax as gc
from gentle_clip_jax.aligners import METHODS
from gentle_clip_jax.aligners.refits import held_out_pairs
from gentle_clip_jax.data.example import lines_of
from gentle_clip_jax.evaluation.listed import listed
from gentle_clip_jax.matching import match_arrays
from gentle_clip_jax.runs.log import machine
from gentle_clip_jax.training.provenance import commit

ERRORS = (0.05, 0.1, 0.2, 0.5)
COLUMNS = ("set", "draw", "pairs", "share", "one_to_one", "error")
COLUMNS += ("length", "wrong", "upper", "oracle")


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--pairs", type=int, default=200)
    args = parser.parse_args()
    content: dict[str, Any] = read("lists") or {"rows": []}
    done = {(row["set"], row["draw"], row["pairs"]) for row in content["rows"]}
    loaded = {name: load(args.work, args.data, name) for name in PAIRS}
    for draw, (name, (x, y)) in itertools.product(range(args.draws), loaded.items()):
        if (name, draw, args.pairs) in done:
            continue
        for row in measured(x, y, args.pairs, draw):
            content["rows"].append({"set": name, **row})
        print(name, draw, flush=True)
        facts = {"command": command("lists"), "commit": commit(), "machine": machine()}
        publish("lists", {**content, **facts}, RESULTS, COLUMNS)


def parser_of(doc: str | None, draws: int = 100) -> argparse.ArgumentParser:
    """Return the parser of a benchmark of draws of the four sets."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder of the features")
    parser.add_argument("--draws", type=int, default=draws)
    return parser


def load(work: pathlib.Path, data: pathlib.Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return mean features [n, dx], [n, dy] of partners, in one order."""
    prepare(name, data, work, ROOT)
    sides = [gc.read(work / name / f"{side}.npz") for side in "xy"]
    ids = zip(*lines_of(work / name / "partners.csv"))
    x, y = (side.means()[side.numbers_of([*of])] for side, of in zip(sides, ids))
    return x, y


def drawn(
    x: np.ndarray, y: np.ndarray, pairs: int, share: float, draw: int
) -> tuple[Any, np.ndarray, np.ndarray, dict[str, Any]]:
    """Return CCA of the pairs of a draw, the items, and the settings of `match_arrays` for them.

    The items come in a random order: the pairs first, then those with a partner in y.
    """
    order = np.random.default_rng(draw).permutation(len(x))
    kept = order[: pairs + int(share * (len(x) - pairs))]  # items with a partner in y
    of_x, of_y = x[order], y[kept]
    problem = gc.Problem(of_x[:pairs], of_y[:pairs], of_x[pairs:], of_y[pairs:])
    fitted = METHODS["cca"].fit(problem)
    unmatched = [np.arange(pairs, len(of)) for of in (of_x, of_y)]
    held_out = held_out_pairs(fitted, problem, jax.random.key(0)).numbered(*unmatched)
    known = np.stack([np.arange(pairs)] * 2, axis=1)
    return fitted, of_x, of_y, {"pairs": known, "share": share, "held_out": held_out}


def measured(x: np.ndarray, y: np.ndarray, pairs: int, draw: int) -> list[dict[str, Any]]:
    """Return the rows of a draw."""
    rows = []
    for share in (1.0, 0.5):
        fitted, of_x, of_y, settings = drawn(x, y, pairs, share, draw)
        for one_to_one in (False, True):
            settings |= {"one_to_one": one_to_one, "with_outcomes": True}
            found = match_arrays(fitted, of_x, of_y, **settings)
            assert found.outcomes is not None
            right = found.x == found.y
            surest = np.argsort(-np.nan_to_num(found.outcomes.score, nan=-1), kind="stable")
            wrong = np.cumsum(~right[surest]) / np.arange(1, len(right) + 1)
            for error in ERRORS:
                one = listed(found.outcomes, share, error)
                oracle = np.flatnonzero(wrong <= error)
                row = {"draw": draw, "pairs": pairs, "share": share, "one_to_one": one_to_one}
                row |= {"error": error, "length": len(one.rows), "upper": one.upper}
                row |= {"wrong": int(np.sum(~right[one.rows]))}
                rows.append(row | {"oracle": int(oracle[-1]) + 1 if len(oracle) else 0})
    return rows


if __name__ == "__main__":
    main()
