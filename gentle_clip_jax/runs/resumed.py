"""Repair of the log and of run.json when a run is resumed."""

import logging
import pathlib
from typing import Any, TextIO

from gentle_clip_jax.runs.folder import RunFolder
from gentle_clip_jax.runs.read import lines_of, read_info, read_line
from gentle_clip_jax.storage.stores import appending
from gentle_clip_jax.storage.writing import aside, put_aside, writing

_MOST_NAMED = 5

_log = logging.getLogger(__name__)


def continue_info(folder: RunFolder) -> dict[str, Any]:
    """Return the content of run.json, empty if it is missing; a damaged file is renamed."""
    try:
        return read_info(folder)
    except ValueError:
        put_aside_at = put_aside(folder.info)
        _log.warning(f"{folder.info} is damaged: renamed to {put_aside_at.name} and written again.")
        return {}


def warn_of_changed_data(before: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Warn which sets of a run's data have changed since its training began."""
    was, now = before.get("data"), metadata.get("data", {})
    if not isinstance(was, dict):
        return
    if changed := [name for name in now if name in was and was[name] != now[name]]:
        _log.warning(
            f"The data have changed since the run began ({', '.join(changed)}): to train only on "
            "the new data, give a new --workdir."
        )


def continue_log(path: pathlib.Path, first_step: int) -> TextIO:
    """Open a log to append after `first_step`, and remove later lines of a killed run.

    Damaged lines are moved to another file and reported; missing steps are reported.
    """
    *lines, last_line = lines_of(path) if path.exists() else [b""]
    if read_line(last_line):  # else it is an incomplete line of a killed run
        lines.append(last_line)
    read = [read_line(line) for line in lines]
    damaged = [number for number, content in enumerate(read) if content is None]
    if damaged:
        put_aside_at = aside(path)
        _write(put_aside_at, [lines[number] for number in damaged])
        named = ", ".join(str(number + 1) for number in damaged[:_MOST_NAMED])
        more = len(damaged) - _MOST_NAMED
        named += f" and {more} more" if more > 0 else ""
        _log.warning(f"{path}: damaged lines are moved to {put_aside_at.name}: line {named}.")
    recorded = [(line, content["step"]) for line, content in zip(lines, read) if content]
    recorded = [(line, step) for line, step in recorded if step <= first_step]
    last = max((step for _, step in recorded), default=0)
    if last < first_step:
        _log.warning(
            f"{path} has no line between step {last} and step {first_step}: some were lost."
        )
    _write(path, [line for line, _ in recorded])
    return appending(path)


def _write(path: pathlib.Path, lines: list[bytes]) -> None:
    with writing(path, "wb") as file:
        file.writelines(line + b"\n" for line in lines)
