"""How evaluations read side by side: the results table, for a terminal and for a page."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from rich.table import Table
from rich.text import Text

_NAMES = {"mean_recall": "Mean of the R@k", "zero_shot_accuracy": "Zero-shot accuracy"}
_WORDS = {"i2t": "Image to text", "t2i": "Text to image", "mrr": "MRR", "ec": "EC"}


class Cell(NamedTuple):
    """One metric of one run as it is shown; low, value and high as they were measured."""

    text: str
    interval: str
    is_best: bool
    low: float
    value: float
    high: float


class Row(NamedTuple):
    """One metric of all the runs; None where a run lacks it."""

    name: str
    label: str
    is_share: bool
    cells: list[Cell | None]


def label(name: str) -> str:
    """The metric's name for a reader.

    >>> label("i2t_r10"), label("t2i_median_rank"), label("rsicd/mean_recall")
    ('Image to text R@10', 'Text to image median rank', 'rsicd: Mean of the R@k')
    """
    group, slash, metric = name.rpartition("/")
    words = [_WORDS.get(w, re.sub(r"^r(\d+)$", r"R@\1", w)) for w in metric.split("_")]
    shown = _NAMES.get(metric, " ".join(words))
    return f"{group}: {shown}" if slash else shown


def is_share(name: str) -> bool:
    """Whether the metric is a fraction, shown in per cent: all are that are no ranks."""
    return not name.endswith("rank")


def number(name: str, value: float) -> str:
    """The metric's value as it is shown, without its unit.

    >>> number("i2t_r1", 0.1234), number("i2t_median_rank", 14.0)
    ('12.3', '14')
    """
    return f"{100 * value:.1f}" if is_share(name) else f"{round(value, 1):g}"


def rows(evaluations: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Rows of the table of {"run": content of its evaluation.json}, in the first run's order.

    The best of each row is marked where there are several: the lowest rank, the highest share.
    """
    names = dict.fromkeys(name for e in evaluations.values() for name in e["metrics"])
    return [_row(name, [e["metrics"].get(name) for e in evaluations.values()]) for name in names]


def results_table(evaluations: Mapping[str, Mapping[str, Any]]) -> Table:
    """A rich table of {"run": content of its evaluation.json}: a metric a row, the best in bold."""
    table = Table(caption="Shares in per cent, with 95 % intervals; best in bold.")
    table.add_column("Metric")
    for name in evaluations:
        table.add_column(Text(name), justify="right")
    for row in rows(evaluations):
        cells = (Text("-", "dim") if cell is None else _rich(cell) for cell in row.cells)
        table.add_row(row.label, *cells)
    return table


def _row(name: str, metrics: list[Mapping[str, float] | None]) -> Row:
    shown = [float(number(name, m["value"])) for m in metrics if m is not None]
    best = min(shown) if name.endswith("rank") else max(shown)

    def cell(metric: Mapping[str, float]) -> Cell:
        text, low, high = (number(name, metric[key]) for key in ("value", "low", "high"))
        is_best = len(shown) > 1 and float(text) == best
        return Cell(
            text, f"{low} to {high}", is_best, metric["low"], metric["value"], metric["high"]
        )

    return Row(name, label(name), is_share(name), [None if m is None else cell(m) for m in metrics])


def _rich(cell: Cell) -> Text:
    value = Text(cell.text, "bold" if cell.is_best else "")
    return value.append(f"  {cell.interval}", "dim not bold")
