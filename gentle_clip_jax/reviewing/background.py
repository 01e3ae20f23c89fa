"""Background tasks, each running once at a time."""

import concurrent.futures
from collections.abc import Callable
from typing import Any


class Background:
    """Runs tasks in threads, but starts no task again that is still running."""

    def __init__(self):
        self._pool = concurrent.futures.ThreadPoolExecutor(2, "review")
        self._running: dict[Callable, concurrent.futures.Future] = {}

    def submit(self, task: Callable | None, *args: Any) -> bool:
        """Start a task unless it is None or running; return True if it was started."""
        if task is None or (task in self._running and not self._running[task].done()):
            return False
        self._running[task] = self._pool.submit(task, *args)
        return True

    def wait(self) -> None:
        """Wait for all tasks, and raise what a task raised."""
        while running := [task for task in self._running.values() if not task.done()]:
            concurrent.futures.wait(running)
        for task in self._running.values():
            task.result()

    def close(self) -> None:
        """Wait for the running tasks, and start no others."""
        self._pool.shutdown(cancel_futures=True)
