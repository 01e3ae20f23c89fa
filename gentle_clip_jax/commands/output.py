"""The output of a command: lines for people, one JSON object for programs, or nothing.

Results go to stdout; notices, which the package logs, and progress to stderr.
"""

import argparse
import contextlib
import functools
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from gentle_clip_jax.storage import progress
from gentle_clip_jax.storage.text import Sentence, escaped

if TYPE_CHECKING:
    from rich.console import Console


class Done(NamedTuple):
    """The result of a command.

    lines: for people. facts: the same for programs, ready for JSON; None where another process
    prints them. outputs: the files and folders that it has written. code: the exit code.
    statistics: further lines, printed with --verbose. next: what to do next, mostly a command.
    """

    lines: Iterable[str] = ()
    facts: Mapping[str, Any] | None = {}
    outputs: tuple[str, ...] = ()
    code: int = 0
    statistics: Iterable[str] = ()
    next: str = ""


def run(args: argparse.Namespace) -> int:
    """Run the command and print its result on stdout, and notices on stderr; return the exit code.

    With --json the object alone is on stdout; with --quiet nothing is, and only warnings on stderr.
    """
    quiet, is_json = getattr(args, "quiet", False), getattr(args, "json", False)
    if quiet or not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # it shows them in files too
    with open(os.devnull, "w") as nowhere, _notices(quiet):
        elsewhere = nowhere if quiet else sys.stderr if is_json else sys.stdout
        with contextlib.redirect_stdout(elsewhere):  # libraries may print as well
            done = args.command(args)
    if is_json and done.facts is not None:
        print(json.dumps({**done.facts, "outputs": [*done.outputs]}, indent=2))
    if is_json or quiet:
        return done.code
    lines, statistics = [*done.lines], [*done.statistics]
    if getattr(args, "verbose", None) is False:  # None: the command has no such option
        plain = [line.plain if isinstance(line, Sentence) else line for line in lines]
        has_more = statistics or plain != lines
        lines, statistics = plain, ["Add --verbose for the statistics."] * bool(has_more)
    for line in [*lines, *statistics]:
        print(escaped(line))
    if done.outputs:
        print(escaped(f"Written: {', '.join(done.outputs)}."))
    if done.next and not getattr(args, "is_step", False):
        print(escaped(f"Next: {done.next}"))
    return done.code


class _Handler(logging.Handler):
    """Prints notices as they are: on a terminal, above a progress bar, and warnings in yellow."""

    def __init__(self, console: "Callable[[], Console]"):
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        is_error, is_warning = (record.levelno >= n for n in (logging.ERROR, logging.WARNING))
        text = f"{'gentle-clip: ' * is_error}{escaped(record.getMessage())}"
        self._console().print(text, style="yellow" if is_warning else None)


@contextlib.contextmanager
def _notices(quiet: bool) -> Iterator[None]:
    """Show progress and what the package logs; of a quiet command, warnings alone."""

    @functools.cache
    def console() -> "Console":
        """Return a console that prints texts as they are: a path may look like markup."""
        from rich.console import Console

        return Console(markup=False, emoji=False, highlight=False, stderr=True, soft_wrap=True)

    logger, handler = logging.getLogger("gentle_clip_jax"), _Handler(console)
    before = logger.handlers, logger.level, logger.propagate
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    try:
        with progress.shown(None if quiet else console):
            yield
    finally:
        logger.handlers, logger.propagate = before[0], before[2]
        logger.setLevel(before[1])
