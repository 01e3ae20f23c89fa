"""Repair of the log and of run.json when a run resumes."""

import pathlib
from collections.abc import Callable
from typing import Any, TextIO

from gentle_clip_jax.runs.folder import RunFolder
from gentle_clip_jax.runs.read import lines_of, read_info, read_line
from gentle_clip_jax.storage.stores import appending
from gentle_clip_jax.storage.writing import aside, put_aside, writing

_MOST_NAMED = 5

Say = Callable[[str], Any]  # tells a line to the user


def continue_info(folder: RunFolder, say: Say) -> dict[str, Any]:
    """Return the content of run.json; empty if it is missing or damaged, and then put it aside."""
    try:
        return read_info(folder)
    except ValueError:
        put_aside_at = put_aside(folder.info)
        say(f"{folder.info} is damaged: it is kept as {put_aside_at.name}, and written anew.")
        return {}


def say_what_changed(before: dict[str, Any], about: dict[str, Any], say: Say) -> None:
    """Report the sets of a run's data that have changed since its training began."""
    was, now = before.get("data"), about.get("data", {})
    if not isinstance(was, dict):
        return
    if changed := [name for name in now if name in was and was[name] != now[name]]:
        say(
            f"The data are not those that the run began with ({', '.join(changed)}): give a new "
            "--workdir to learn from these alone."
        )


def continue_log(path: pathlib.Path, first_step: int, say: Say) -> TextIO:
    """Open a log to append after `first_step`, and remove what a killed run wrote beyond it.

    Damaged lines are moved to another file and reported, and so are steps without a line.
    """
    *lines, last_line = lines_of(path) if path.exists() else [b""]
    if read_line(last_line):  # else it is what a killed run left of one, of its newest step
        lines.append(last_line)
    read = [read_line(line) for line in lines]
    damaged = [number for number, content in enumerate(read) if content is None]
    if damaged:
        put_aside_at = aside(path)
        _write(put_aside_at, [lines[number] for number in damaged])
        named = ", ".join(str(number + 1) for number in damaged[:_MOST_NAMED])
        more = len(damaged) - _MOST_NAMED
        named += f" and {more} more" if more > 0 else ""
        say(f"{path}: damaged lines are left out, and kept in {put_aside_at.name}: line {named}.")
    recorded = [(line, content["step"]) for line, content in zip(lines, read) if content]
    recorded = [(line, step) for line, step in recorded if step <= first_step]
    last = max((step for _, step in recorded), default=0)
    if last < first_step:
        say(f"{path} tells of no step between {last} and {first_step}: it was cut or lost.")
    _write(path, [line for line, _ in recorded])
    return appending(path)


def _write(path: pathlib.Path, lines: list[bytes]) -> None:
    with writing(path, "wb") as file:
        file.writelines(line + b"\n" for line in lines)
