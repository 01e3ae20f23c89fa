"""Progress of long work, where a command shows it: a bar and the remaining time."""

import contextlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")
_is_shown = ContextVar("is_shown", default=False)


@contextlib.contextmanager
def shown() -> Iterator[None]:
    """Show progress within the block; elsewhere the package stays silent."""
    token = _is_shown.set(True)
    try:
        yield
    finally:
        _is_shown.reset(token)


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """Show the task and the elapsed time on a terminal, where the remaining time is unknown.

    What is tracked within it has no bar of its own.
    """
    if not _is_shown.get():
        yield
        return
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    with _live(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()) as bar:
        bar.add_task(what, total=None)
        yield


def console() -> "Console":
    """Return the console for progress: on stderr, or a silent one where none is shown."""
    from rich.console import Console

    return Console(
        stderr=True, quiet=not _is_shown.get(), soft_wrap=True, highlight=False, markup=False
    )


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield the items one by one, with a progress bar on stderr if it is a terminal.

    What is tracked within a step of it has no bar of its own.

    Args:
      items: to go through.
      what: the work in two or three words.
      total: how many they are, if they have no length.
    """
    if not _is_shown.get():
        yield from items
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with _live(*columns, TimeRemainingColumn()) as bar:
        yield from bar.track(items, total=total, description=what)


@contextlib.contextmanager
def _live(*columns: Any) -> Iterator[Any]:
    """Show a `rich.progress.Progress` of some columns, the only one in the block."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    is_file = not console.is_terminal
    token = _is_shown.set(False)
    try:
        with Progress(*columns, console=console, transient=True, disable=is_file) as bar:
            yield bar
    finally:
        _is_shown.reset(token)
