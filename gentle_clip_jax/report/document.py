"""The HTML around every page: one file with its pictures inside, no scripts, no requests."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

from gentle_clip_jax.files import write_text
from gentle_clip_jax.report.style import CSS


def document(
    kind: str, name: str, lead: str, sections: Iterable[str], now: Iterable[tuple[str, str]]
) -> str:
    """A page of a kind, such as "report", about something with a name.

    Args:
      kind: of page.
      name: of what it is about.
      lead: HTML of what is said first.
      sections: HTML.
      now: what to do next, each a sentence and a command, which may be empty.
    """
    steps = "".join(f"<li>{_step(sentence, command)}</li>" for sentence, command in now)
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
<main>{"".join(sections)}
<section class="now"><h2>What now</h2><ul>{steps}</ul></section></main>
</body>
</html>
"""


def _step(sentence: str, command: str) -> str:
    command = command.encode("utf-8", "backslashreplace").decode()  # a path may be no text
    return f"<p>{escape(sentence)}</p>" + (f"<pre>{escape(command)}</pre>" if command else "")


def write_document(path: Path, text: str) -> None:
    """Writes a file so that it appears whole or not at all.

    Raises ValueError, in one sentence, if it cannot be written.
    """
    try:
        write_text(path, text)
    except OSError as error:
        raise ValueError(f"{path} cannot be written ({error.strerror}).") from error
