"""Files of one JSON object a line that say which items there are and what is known of them."""

import json
import pathlib
import unicodedata
from typing import Any

NAME = "metadata.jsonl"


def read_lines(path: pathlib.Path) -> list[dict[str, Any]]:
    """The objects of a .jsonl file; `id`, `split` and `label`, where they are, become text.

    Raises:
      ValueError: a line is no JSON object in UTF-8; says which.
    """
    rows = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line = line.decode("utf-8-sig" if number == 1 else "utf-8")
                if not line.strip():
                    continue
                row = json.loads(line)
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{path}, line {number} is no text in UTF-8 ({error}): save it as UTF-8."
                ) from error
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{path}, line {number} is no JSON ({error}).") from error
            if not isinstance(row, dict):
                raise ValueError(f'{path}, line {number} is no JSON object like {{"id": ...}}.')
            rows.append(row | {k: text(row.get(k)) for k in ("id", "split", "label")})
    return rows


def text(value: Any) -> str | None:
    """A value as text; None stays None, as does the empty text that CSV has for it."""
    return None if value is None or value == "" else writable(str(value))


def writable(text: str) -> str:
    """The text with a ? for what JSON can hold and no file can: halves of a character."""
    return text.encode("utf-8", "replace").decode("utf-8")


def name_key(name: str) -> str:
    """What two spellings of an id have in common: macOS takes the accents of file names apart."""
    return unicodedata.normalize("NFC", name)


def by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rows that have an id, by what `name_key` makes of it."""
    return {name_key(row["id"]): row for row in rows if row["id"] is not None}


def is_hidden(path: pathlib.PurePath) -> bool:
    """Whether a file below a folder is one that macOS or a file manager left there."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
