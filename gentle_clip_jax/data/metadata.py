"""Files of one JSON object a line that say which items there are and what is known of them."""

import json
import pathlib
from typing import Any

NAME = "metadata.jsonl"


def read_lines(path: pathlib.Path) -> list[dict[str, Any]]:
    """The objects of a .jsonl file; `id`, `split` and `label`, where they are, become text.

    Raises:
      ValueError: a line is no JSON object; says which.
    """
    rows = []
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}, line {number} is no JSON ({error}).") from error
            if not isinstance(row, dict):
                raise ValueError(f'{path}, line {number} is no JSON object like {{"id": ...}}.')
            rows.append(row | {k: text(row.get(k)) for k in ("id", "split", "label")})
    return rows


def text(value: Any) -> str | None:
    """A value as text; None stays None, as does the empty text that CSV has for it."""
    return None if value is None or value == "" else str(value)


def is_hidden(path: pathlib.PurePath) -> bool:
    """Whether a file below a folder is one that macOS or a file manager left there."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
