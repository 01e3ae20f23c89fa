"""Progress of long work, where a command shows it: bars, elapsed and remaining time.

What there is to say beside it goes through `logging`, and is printed by commands/ alone.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")
_console: ContextVar["Callable[[], Console] | None"] = ContextVar("console", default=None)


@contextlib.contextmanager
def shown(console: "Callable[[], Console] | None") -> Iterator[None]:
    """Show progress within the block on the console that is returned, or none if it is None.

    By default the package shows none.
    """
    token = _console.set(console)
    try:
        yield
    finally:
        _console.reset(token)


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """Show the task and the elapsed time on a terminal, where the remaining time is unknown.

    What is tracked within it has no bar of its own.
    """
    from rich.progress import SpinnerColumn, TimeElapsedColumn

    with _live(SpinnerColumn(), TimeElapsedColumn()) as live:
        if live is not None:
            live.add_task(what, total=None)
        yield


@contextlib.contextmanager
def bar(what: str, total: int | None, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal; yield the function to call with the number of items done.

    What is tracked within it has no bar of its own.

    Args:
      what: the work in two or three words.
      total: the number of items, if it is known.
      done: the number of items that were done before.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]}")
    with _live(BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn()) as live:
        if live is None:
            yield lambda number: None
            return
        task = live.add_task(what, total=total, completed=done, rate="")

        def advance(number: int) -> None:
            speed = live.tasks[0].speed or 0
            live.update(task, advance=number, rate=f"{speed:.0f}/s" if speed >= 1 else "")

        yield advance


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield the items one by one, with a progress bar on a terminal.

    `total` is their number, where they have no length.
    """
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # pyright: ignore[reportArgumentType]
    with bar(what, total) as advance:
        for item in items:
            yield item
            advance(1)


@contextlib.contextmanager
def _live(*columns: Any) -> Iterator[Any]:
    """Show a `rich.progress.Progress`, the only one in the block; yield None if none is shown."""
    get_console = _console.get()
    console = get_console() if get_console is not None else None
    if console is None or not console.is_terminal:
        yield None
        return
    from rich.progress import Progress, TextColumn

    name = TextColumn("{task.description}", markup=False)  # it may be that of a folder
    with shown(None), Progress(name, *columns, console=console, transient=True) as live:
        yield live
