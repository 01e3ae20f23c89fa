"""The main figures of a comparison as a table for a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from gentle_clip_jax.report.comparison.cells import Comparison, gather


def comparison_table(results: Mapping[str, Any]) -> Table:
    """A rich table of the content of results.json: a method a row, the best in bold.

    The methods come once for every number of pairs.
    """
    comparison = gather(results)
    table = Table(
        title=Text(results["title"]),
        caption="Per cent, mean ± spread over seeds; best in bold; * uses unmatched items.",
    )
    table.add_column("Pairs", justify="right")
    table.add_column("Method")
    for name in (*map(comparison.label, comparison.main), "seconds"):
        table.add_column(Text(name), justify="right")
    for pairs in comparison.pairs:
        label = f"{pairs:,}"
        for method in comparison.methods:
            table.add_row(label, *_row(comparison, pairs, method))
            label = ""
        table.add_section()
    return table


def _row(comparison: Comparison, pairs: int, method: str) -> list[Text]:
    star = "*" if method in comparison.unmatched else ""
    texts = [Text(comparison.methods[method] + star)]
    for metric in comparison.main:
        cell = comparison.cells.get((method, pairs, metric))
        bold = "bold" if method in comparison.best(pairs, metric) else ""
        texts.append(Text("-", "dim") if cell is None else Text(cell.text, bold))
    seconds = comparison.seconds.get((method, pairs))
    return [*texts, Text("-", "dim") if seconds is None else Text(f"{seconds:.1f}")]
