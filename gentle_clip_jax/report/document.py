"""The HTML around every report: one file with its pictures inside, no scripts, no requests."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

from gentle_clip_jax.files import write_text
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
        write_text(path, text)
    except OSError as error:
        raise ValueError(f"{path} cannot be written ({error.strerror}).") from error
