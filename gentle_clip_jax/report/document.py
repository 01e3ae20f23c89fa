"""The HTML around every report: one file with its pictures inside, no scripts, no requests."""

import os
import tempfile
from collections.abc import Iterable
from html import escape
from pathlib import Path

from gentle_clip_jax.report.style import CSS


def document(kind: str, name: str, lead: str, sections: Iterable[str]) -> str:
    """A page of a kind, such as "report", about something with a name; the rest is HTML."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(name)}: Gentle-CLIP {kind}</title>
<style>{CSS}</style>
</head>
<body>
<header class="top"><p class="kicker">Gentle-CLIP {kind}</p><h1>{escape(name)}</h1>
{lead}</header>
<main>{"".join(sections)}</main>
</body>
</html>
"""


def write_document(path: Path, text: str) -> None:
    """Writes a file so that it appears whole or not at all.

    Raises ValueError, in one sentence, if it cannot be written.
    """
    try:
        _write_whole(path, text)
    except OSError as error:
        raise ValueError(f"{path} cannot be written ({error.strerror}).") from error


def _write_whole(path: Path, text: str) -> None:
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".report-", suffix=path.suffix)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(draft).chmod(0o644)  # mkstemp's file is the owner's alone
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
