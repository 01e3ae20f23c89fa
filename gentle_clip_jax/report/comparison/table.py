"""The main figures of a comparison as a table for a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from gentle_clip_jax.report.comparison.cells import Comparison, gather


def comparison_table(results: Mapping[str, Any]) -> Table:
    """Return a rich table of results.json: one method per line, the best in bold.

    The methods come once for every number of pairs, by the names that `align --method` takes.
    """
    comparison = gather(results)
    table = Table(
        title=Text(results["title"]),
        box=SIMPLE_HEAD,
        padding=0,
        caption="Per cent, mean ± spread over seeds; best in bold; * uses unmatched items.",
    )
    table.add_column("Pairs", justify="right", no_wrap=True)
    table.add_column("Method", no_wrap=True)
    # Names of figures may be broken, figures never.
    widest = max((len(cell.text) for cell in comparison.cells.values()), default=0)
    for name in map(comparison.label, comparison.main):
        table.add_column(Text(name, overflow="fold"), justify="right", min_width=widest)
    table.add_column("seconds", justify="right", no_wrap=True)
    for pairs in comparison.pairs:
        label = f"{pairs:,}"
        for method in comparison.methods:
            table.add_row(label, *_row(comparison, pairs, method))
            label = ""
        table.add_section()
    return table


def _row(comparison: Comparison, pairs: int, method: str) -> list[Text]:
    star = "*" if method in comparison.unmatched else ""
    texts = [Text(method + star)]
    for metric in comparison.main:
        cell = comparison.cells.get((method, pairs, metric))
        bold = "bold" if method in comparison.best(pairs, metric) else ""
        texts.append(Text("-", "dim") if cell is None else Text(cell.text, bold))
    seconds = comparison.seconds.get((method, pairs))
    return [*texts, Text("-", "dim") if seconds is None else Text(f"{seconds:.1f}")]
