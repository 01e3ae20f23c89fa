"""Verdicts of held-out pairs in a comparison on a user's data, at each number of pairs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gentle_clip_jax.comparing.measure import MAIN, Scores
from gentle_clip_jax.comparing.pool import Retrieval
from gentle_clip_jax.evaluation import verdict
from gentle_clip_jax.evaluation.intervals import mean_interval

_TOP = (1, 5, 10)
Run = dict[str, Any]


def verdicts(
    runs: Sequence[Run],
    scores_of: Callable[[Run], Scores],
    asked_of: Callable[[int], Retrieval],
    unmatched: Mapping[str, bool],
) -> list[dict[str, Any]]:
    """Compare the best method with unmatched items and the best pairs-only one, pair by pair.

    A pair's value is its recall, the mean over both directions and over the seeds that tested it.
    Both methods are picked by these values, which flatters them a little.

    Args:
      runs: records of methods, numbers of pairs and seeds.
      scores_of: the scores of a run's held-out items.
      asked_of: test set of a seed.
      unmatched: by method, true if it uses unmatched items.

    Returns:
      Of each number of pairs: "pairs", "method", "against" and the figures of `verdict.gain`; of
      "best", the better of the two, its "recall" with a 95 % interval, and that by "chance". Where
      one of the two kinds was not run, nothing.
    """
    figures = []
    for pairs in sorted({run["pairs"] for run in runs}):
        here = [run for run in runs if run["pairs"] == pairs]
        values = _values(here, scores_of, asked_of)
        champions = [
            max(of_kind, key=lambda name: values[name].mean(), default=None)
            for kind in (True, False)
            for of_kind in ([name for name in values if unmatched[name] is kind],)
        ]
        ours, theirs = champions
        if ours is None or theirs is None:
            continue
        fitted = min(pairs, len(values[ours]))
        gain = verdict.gain(values[ours], values[theirs], fitted=fitted)
        best = max((theirs, ours), key=lambda name: values[name].mean())
        recall = mean_interval(
            values[best], fitted=fitted, level=verdict.EXPECTED, bounds=(0.0, 1.0)
        )
        among = len(np.unique(asked_of(here[0]["seed"]).y_ids))
        chance = float(np.mean([min(1.0, top / among) for top in _TOP]))
        estimates = {"best": best, "recall": recall, "chance": chance}
        figures.append({"pairs": pairs, "method": ours, "against": theirs, **gain, **estimates})
    return figures


def _values(
    runs: Sequence[Run],
    scores_of: Callable[[Run], Scores],
    asked_of: Callable[[int], Retrieval],
) -> dict[str, np.ndarray]:
    """Return by method the value [n] of each held-out pair, in one order."""
    each: dict[str, dict[str, list[float]]] = {}
    for run in runs:
        of_method, asked = each.setdefault(run["method"], {}), asked_of(run["seed"])
        ids = np.intersect1d(asked.x_ids, asked.y_ids)  # sorted, as scores are
        for name, values in scores_of(run).items():
            if name.partition("/")[0] in MAIN:
                for id_, value in zip(ids, values.tolist(), strict=True):
                    of_method.setdefault(str(id_), []).append(value)
    everywhere = sorted(set.intersection(*map(set, each.values())))
    return {
        name: np.array([np.mean(values[id_]) for id_ in everywhere])
        for name, values in each.items()
    }
