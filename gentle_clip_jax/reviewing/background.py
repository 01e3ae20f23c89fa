"""Work behind a person's back: each task once at a time."""

import concurrent.futures
from collections.abc import Callable
from typing import Any


class Background:
    """Runs tasks in threads; one that is still running is not started again."""

    def __init__(self):
        self._pool = concurrent.futures.ThreadPoolExecutor(2, "review")
        self._running: dict[Callable, concurrent.futures.Future] = {}

    def submit(self, task: Callable | None, *args: Any) -> bool:
        """Starts a task, if there is one and it does not run already; says whether."""
        if task is None or (task in self._running and not self._running[task].done()):
            return False
        self._running[task] = self._pool.submit(task, *args)
        return True

    def wait(self) -> None:
        """Until all is done; raises what a task raised."""
        while running := [task for task in self._running.values() if not task.done()]:
            concurrent.futures.wait(running)
        for task in self._running.values():
            task.result()

    def close(self) -> None:
        """Waits for what runs, and starts nothing more."""
        self._pool.shutdown(cancel_futures=True)
