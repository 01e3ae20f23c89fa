"""The results table: evaluations side by side, for a terminal and for a page."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gentle_clip_jax.pages.names import capitalized
from gentle_clip_jax.runs.read import UNNAMED, Modalities, modalities_of, read_run
from gentle_clip_jax.storage.text import aligned

_NAMES = {"mean_recall": "Mean of the R@k", "zero_shot_accuracy": "Zero-shot accuracy"}
_WORDS = {"mrr": "MRR", "ec": "EC"}


class Cell(NamedTuple):
    """One metric of one run: its text in the table, and low, value and high as measured."""

    text: str
    interval: str
    is_best: bool
    is_share: bool
    low: float
    value: float
    high: float


class Row(NamedTuple):
    """One metric of all the runs; None where a run lacks it."""

    name: str
    label: str
    cells: list[Cell | None]


def directions(modalities: Modalities) -> dict[str, str]:
    """Return the reader's words for i2t, from x to y whatever these are, and for t2i.

    >>> directions(("sequence", "structure"))
    {'i2t': 'sequence to structure', 't2i': 'structure to sequence'}
    """
    x, y = modalities
    return {"i2t": f"{x} to {y}", "t2i": f"{y} to {x}"}


def label(name: str, modalities: Modalities = UNNAMED) -> str:
    """Return the metric's name for a reader.

    `modalities` are the names of an item of x and of y.

    >>> label("i2t_r10", ("sequence", "structure")), label("rsicd/mean_recall")
    ('Sequence to structure R@10', 'rsicd: Mean of the R@k')
    """
    group, slash, metric = name.rpartition("/")
    labels = _WORDS | {key: capitalized(way) for key, way in directions(modalities).items()}
    words = [labels.get(w, re.sub(r"^r(\d+)$", r"R@\1", w)) for w in metric.split("_")]
    shown = _NAMES.get(metric, " ".join(words))
    return f"{group}: {shown}" if slash else shown


def is_share(name: str) -> bool:
    """Return whether the metric is a fraction, shown in per cent, as all but the ranks are."""
    return not name.endswith("rank")


def number(name: str, value: float) -> str:
    """Return the metric's value as it is shown, without its unit.

    >>> number("i2t_r1", 0.1234), number("i2t_median_rank", 14.0)
    ('12.3', '14')
    """
    return f"{100 * value:.1f}" if is_share(name) else f"{round(value, 1):g}"


def rows(evaluations: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Return the rows of the table of {"run": evaluation.json's content}, in the first run's order.

    The best of each row is marked where there are several: the lowest rank, the highest share.
    """
    names = dict.fromkeys(name for e in evaluations.values() for name in e["metrics"])
    modalities = _shared_modalities(evaluations.values())
    return [
        _row(name, modalities, [e["metrics"].get(name) for e in evaluations.values()])
        for name in names
    ]


def evaluations(workdirs: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what evaluation.json of each run holds.

    Raises:
      ValueError: a run has not been evaluated.
    """
    found = {}
    for workdir in workdirs:
        if (evaluation := read_run(workdir).evaluation) is None:
            raise ValueError(
                f"{workdir} has not been evaluated: run gentle-clip evaluate --workdir={workdir} "
                "first."
            )
        found[workdir] = evaluation
    return found


def results_lines(evaluations: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the table of {"run": evaluation.json} for a terminal: one metric on each line."""
    table = [("Metric", *evaluations)]
    table += [(row.label, *map(_shown, row.cells)) for row in rows(evaluations)]
    best = "; * marks the best" if len(evaluations) > 1 else ""
    return [*aligned(table), f"Shares are in per cent, with 95 % intervals{best}."]


def _shared_modalities(evaluations: Iterable[Mapping[str, Any]]) -> Modalities:
    """Return the modalities' names that all runs share; x and y where they differ."""
    first, *others = {modalities_of(evaluation): None for evaluation in evaluations}
    return UNNAMED if others else first


def _row(name: str, modalities: Modalities, metrics: list[Mapping[str, float] | None]) -> Row:
    shown = [float(number(name, m["value"])) for m in metrics if m is not None]
    best = min(shown) if name.endswith("rank") else max(shown)

    def cell(metric: Mapping[str, float]) -> Cell:
        text, low, high = (number(name, metric[key]) for key in ("value", "low", "high"))
        is_best = len(shown) > 1 and float(text) == best
        ends = (metric[key] for key in ("low", "value", "high"))
        return Cell(text, f"{low} to {high}", is_best, is_share(name), *ends)

    cells = [None if m is None else cell(m) for m in metrics]
    return Row(name, label(name, modalities), cells)


def _shown(cell: Cell | None) -> str:
    return "-" if cell is None else f"{cell.text}{'*' * cell.is_best} ({cell.interval})"
