"""A comparison as a Markdown page."""

from collections.abc import Iterable

from gentle_clip_jax.report.comparison.content import LINES, Content, Method, Table, escaped


def comparison_page(content: Content, *, picture: str, record: str) -> str:
    """Return the Markdown page of a comparison's content.

    picture, record: names of the picture and of the figures, which lie beside the page.
    """
    parts = [
        f"# {escaped(content.title)}",
        *content.introduction,
        "## Which to use here",
        "\n".join(f"- {sentence}" for sentence in content.advice),
        content.rule,
        f"![Main metrics against the number of pairs]({picture})",
        LINES,
        *(part for table in content.tables for part in _section("##", table)),
    ]
    if content.sets:
        parts.append("<details><summary>Each test set on its own</summary>")
        parts += (part for table in content.sets for part in _section("###", table))
        parts.append("</details>")
    parts.append(f"Every run's figures: [{record}]({record}).")
    return "\n\n".join(parts) + "\n"


def _section(level: str, table: Table) -> Iterable[str]:
    yield f"{level} {escaped(table.title)}"
    rule = ["---"] * table.words + ["---:"] * (len(table.head) - table.words)
    rows = [[_cell(cell) for cell in row] for row in table.rows]
    yield "\n".join(f"| {' | '.join(line)} |" for line in (table.head, rule, *rows))
    if table.note:
        yield table.note


def _cell(cell: str | Method) -> str:
    return escaped(cell.label if isinstance(cell, Method) else cell)
