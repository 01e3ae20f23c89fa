"""Prediction sets of matches: how often they hold the partner, and how large they are.

    python benchmarks/sets.py --data=DATA --work=WORK [--draws 100]

Sets: aerial images, photographs, proteins and drawings of benchmarks/predictions.py. Each draw
takes other pairs of them, fits CCA, and matches all other items at a coverage of 90 %: with every
partner in y, and with half of them taken away. Scores were chosen on the draws 100 to 105. Also
measured: the probabilities of first choices and of having no partner, and the interval of the share
of items that have one. Writes docs/results/sets.json; goes on after a stop.
"""

import itertools
from typing import Any

import numpy as np
from lists import drawn, load, parser_of
from page_sets import EDGES
from prediction_sets import PAIRS
from published import RESULTS, command, publish, read

from gentle_clip_jax.evaluation.nearest import NEAREST
from gentle_clip_jax.matching import item_sets, match_arrays
from gentle_clip_jax.runs.log import machine
from gentle_clip_jax.training.provenance import commit

COVERAGE, COUNTS, LEAST_REST = 0.9, (60, 100, 300, 1000), 100
COLUMNS = ("set", "draw", "pairs", "share", "gallery", "held", "none_held", "none_given", "mean")
COLUMNS += ("median", "short", "skill", "low", "high", "right", "expected", "expected_low")
COLUMNS += ("expected_high", "first_skill")


def main() -> None:
    args = parser_of(__doc__).parse_args()
    item_sets.NEAREST = 10**6  # all members of a set, not only the likeliest
    content: dict[str, Any] = read("sets") or {"rows": [], "bins": {}}
    done = {(row["set"], row["draw"]) for row in content["rows"]}
    loaded = {name: load(args.work, args.data, name) for name in PAIRS}
    for draw, (name, (x, y)) in itertools.product(range(args.draws), loaded.items()):
        if (name, draw) in done:
            continue
        for pairs, share in itertools.product(COUNTS, (1.0, 0.5)):
            if len(x) - pairs >= LEAST_REST:
                row, bins = measured(x, y, pairs, share, draw)
                content["rows"].append({"set": name, **row})
                key = f"{name}, {pairs}, {share}"
                content["bins"][key] = (bins + content["bins"].get(key, 0)).tolist()
        print(name, draw, flush=True)
        facts = {"command": command("sets"), "commit": commit(), "machine": machine()}
        publish("sets", {**content, **facts}, RESULTS, COLUMNS)


def measured(
    x: np.ndarray, y: np.ndarray, pairs: int, share: float, draw: int
) -> tuple[dict[str, float | None], np.ndarray]:
    """Return the row of a draw, and its `reliability`; x [n, dx] and y [n, dy] are partners, in one
    order."""
    fitted, of_x, of_y, settings = drawn(x, y, pairs, share, draw)
    found = match_arrays(fitted, of_x, of_y, coverage=COVERAGE, **settings)
    row: dict[str, float | None] = {"draw": draw, "pairs": pairs, "share": share}
    row |= {"gallery": len(of_y) - pairs}
    low, high = found.likely_share or (None, None)
    row |= {"low": low, "high": high}
    right = found.y == found.x
    row |= {"right": int(np.sum(right)), "first_skill": skill(found.probability, right)}
    names = ("expected", "expected_low", "expected_high")
    row |= zip(names, found.expected or (None,) * 3)
    has_partner = found.x < len(of_y)
    if share < 1:
        row["skill"] = skill(1 - found.no_partner, has_partner)
    if found.sets is None:  # the pairs seem to differ from the items to match
        return row, reliability(found.probability, right)
    held = (found.sets.best == found.x[:, None]).any(axis=1)[has_partner]
    sizes = found.sets.size
    row |= {"held": float(np.mean(held)), "mean": float(np.mean(sizes))}
    row |= {"median": float(np.median(sizes)), "short": float(np.mean(sizes <= NEAREST))}
    if share < 1:
        none = found.sets.none
        row |= {"none_held": float(none[~has_partner].mean())}
        row |= {"none_given": float(none[has_partner].mean())}
    return row, reliability(found.probability, right)


def skill(probability: np.ndarray, outcome: np.ndarray) -> float | None:
    """Return the Brier skill beside the share of outcomes, None where they are all alike.

    >>> skill(np.array([0.0, 1.0]), np.array([False, True]))
    1.0
    """
    base = np.mean((np.mean(outcome) - outcome) ** 2)
    brier = np.mean((probability - outcome) ** 2)
    return round(float(1 - brier / base), 4) if base else None


def reliability(probability: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return for each bin [b, 3] the number of items, the sum of their probabilities, and how many
    are right.

    >>> reliability(np.array([0.01, 0.9]), np.array([False, True])).sum(axis=0).tolist()
    [2.0, 0.91, 1.0]
    """
    place = np.digitize(probability, EDGES)
    sums = (np.ones(len(place)), probability, right.astype(float))
    return np.stack([np.bincount(place, one, len(EDGES) + 1) for one in sums], axis=1)


if __name__ == "__main__":
    main()
