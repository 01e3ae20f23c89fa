"""The cells of a comparison: for each method, number of pairs and metric a mean over seeds."""

import itertools
import statistics
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gentle_clip_jax.report.results import directions
from gentle_clip_jax.runs.read import Modalities, modalities_of

_Key = tuple[str, int, int]  # method, pairs, seed
MAIN = ("zero_shot", "i2t", "t2i")
_DRAWN = "+drawn"  # ends the names of methods with gallery smoothing
# Comparisons that do not say what they compare are of before there were others.
_FORMER: Modalities = ("image", "text")


class Cell(NamedTuple):
    """One metric of one method with one number of pairs; shares, over all seeds."""

    mean: float
    spread: float | None  # sample standard deviation; one seed has none
    num_seeds: int

    @property
    def shown(self) -> float:
        """The mean in per cent, as readers see it."""
        return round(100 * self.mean, 1)

    @property
    def text(self) -> str:
        """Mean and spread in per cent."""
        return f"{self.shown:.1f}" + ("" if self.spread is None else f" ± {100 * self.spread:.1f}")


class Comparison(NamedTuple):
    """The content of results.json, grouped into cells."""

    modalities: Modalities
    methods: dict[str, str]  # name: label, in the order of the tables
    unmatched: set[str]  # names of the methods that use unmatched items
    pairs: dict[int, str]  # number of pairs, rising: what readers see
    metrics: list[str]  # main ones first; "metric/set" is that of one test set
    seeds: list[int]
    cells: dict[tuple[str, int, str], Cell]  # (method, pairs, metric)
    seconds: dict[tuple[str, int], float]  # (method, pairs): mean
    num_runs: int
    num_missing: int
    verdicts: dict[int, Mapping[str, Any]]  # number of pairs: what held-out pairs allow to say

    @property
    def main(self) -> list[str]:
        """The main metrics that were measured."""
        return [metric for metric in self.metrics if metric in MAIN]

    def label(self, metric: str) -> str:
        """Return the reader's words for a metric."""
        return metric_label(metric, self.modalities)

    def row(self, pairs: int, metric: str) -> dict[str, Cell]:
        """Return the cells of the methods that were measured with this number of pairs."""
        cells = {name: self.cells.get((name, pairs, metric)) for name in self.methods}
        return {name: cell for name, cell in cells.items() if cell is not None}

    def best(self, pairs: int, metric: str) -> set[str]:
        """Return the methods with the highest displayed value, if several were compared."""
        row = self.row(pairs, metric)
        highest = max((cell.shown for cell in row.values()), default=0)
        return {name for name, cell in row.items() if cell.shown == highest and len(row) > 1}


def gather(results: Mapping[str, Any]) -> Comparison:
    """Gather the content of results.json.

    Raises KeyError for a method that is run but not listed, and for a key that is missing;
    ValueError for modalities that are not two names.
    """
    methods = {method["name"]: method["label"] for method in results["methods"]}
    unmatched = {method["name"] for method in results["methods"] if method["unmatched"]}
    runs = {(run["method"], run["pairs"], run["seed"]): run for run in results["runs"]}
    for method, _, _ in runs:
        methods[method]
    seeds = sorted({seed for _, _, seed in runs})
    pairs = {run["pairs"]: _pairs_label(run) for run in runs.values()}
    values, seconds = {}, {}
    for (method, number, _), run in sorted(runs.items()):
        seconds.setdefault((method, number), []).append(run["seconds"])
        for metric, value in run["metrics"].items():
            values.setdefault((method, number, metric), []).append(value)
    return Comparison(
        modalities=modalities_of(results, _FORMER),
        methods=methods,
        unmatched=unmatched,
        pairs=dict(sorted(pairs.items())),
        metrics=_main_first(metric for run in runs.values() for metric in run["metrics"]),
        seeds=seeds,
        cells={key: _cell(numbers) for key, numbers in values.items()},
        seconds={key: statistics.mean(numbers) for key, numbers in seconds.items()},
        num_runs=len(runs),
        num_missing=len(_wanted(methods, unmatched, runs, results["num_items"]) - runs.keys()),
        verdicts={one["pairs"]: one for one in results.get("verdicts", ())},
    )


def metric_label(metric: str, modalities: Modalities) -> str:
    """Return the reader's words for a metric.

    >>> metric_label("i2t_strict", ("cell", "word")), metric_label("t2i/rsicd", ("cell", "word"))
    ('cell to word, strict', 'word to cell')
    """
    name = metric.partition("/")[0]
    main = next((prefix for prefix in MAIN if name == prefix or name.startswith(f"{prefix}_")), "")
    rest = name.removeprefix(main).replace("_", " ").strip()
    shown = {"zero_shot": "zero-shot", **directions(modalities)}.get(main)
    return ", ".join(part for part in (shown, rest) if part)


def _wanted(
    methods: Iterable[str], unmatched: set[str], runs: Iterable[_Key], num_items: int
) -> set[_Key]:
    """Return each method with each number of pairs and seed that leaves unmatched items."""
    numbers, seeds = {number for _, number, _ in runs}, {seed for *_, seed in runs}
    loose = {
        number
        for method, number, _ in runs
        # Gallery smoothing takes its gallery from the pairs where nothing is unmatched.
        if number < num_items or (method in unmatched and not method.endswith(_DRAWN))
    }
    return {
        key
        for key in itertools.product(methods, numbers, seeds)
        if key[0] not in unmatched or key[1] in loose
    }


def _cell(values: list[float]) -> Cell:
    spread = statistics.stdev(values) if len(values) > 1 else None
    return Cell(statistics.mean(values), spread, len(values))


def _pairs_label(run: Mapping[str, Any]) -> str:
    number = "1 pair" if run["pairs"] == 1 else f"{run['pairs']:,} pairs"
    share = float(f"{100 * run['fraction']:.2g}")
    return f"{number} ({share:g} %)"


def _main_first(names: Iterable[str]) -> list[str]:
    names = dict.fromkeys(names)
    return [name for name in MAIN if name in names] + [name for name in names if name not in MAIN]
