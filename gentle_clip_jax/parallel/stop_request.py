"""Stop requests: on SIGTERM or Ctrl-C all processes save a checkpoint after a step and end."""

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

import jax
from jax.experimental import multihost_utils

from gentle_clip_jax.parallel import interrupt


class StopRequest:
    """A listener for SIGTERM and SIGINT while open; a second SIGINT ends the process at once.

    Python runs handlers only between steps, and a compilation takes minutes. So a thread, woken by
    the system, ends the process while `may_leave` is true, when there is nothing to save.
    With several processes JAX handles SIGTERM and stops all of them at the same step.
    """

    def __init__(self):
        self.may_leave = True
        self.interrupted = False
        self._asked = False
        self._before: dict[int, Any] = {}
        self._waker: int | None = None

    def at(self, step: int) -> bool:
        """Return whether to stop after this step, the same in all processes.

        It must be called at each step.
        """
        if jax.process_count() > 1:
            return multihost_utils.reached_preemption_sync_point(step)
        return self._asked

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is not threading.main_thread():
            return self  # signals belong to the main thread
        signals = [signal.SIGINT] if jax.process_count() > 1 else [signal.SIGINT, signal.SIGTERM]
        self._before = {number: signal.signal(number, self._note) for number in signals}
        if os.name == "nt":  # pipes cannot be waited for on Windows
            return self
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        self._waker_before = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        if self._waker is not None:
            signal.set_wakeup_fd(self._waker_before)
            os.close(self._waker)  # ends the thread
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        self._asked = True
        self.interrupted |= number == signal.SIGINT
        if number == signal.SIGINT and jax.process_count() > 1:
            os.kill(os.getpid(), signal.SIGTERM)

    def _watch(self) -> None:
        interrupts = 0
        while number := os.read(self._woken, 1):
            interrupts += number[0] == signal.SIGINT
            name = signal.Signals(number[0]).name
            if interrupts > 1:
                _leave(
                    "Stopped at once; run the same command to continue from the last checkpoint."
                )
            elif self.may_leave:
                code = interrupt.CODE if number[0] == signal.SIGINT else 0
                _leave("Stopped before a step was done; run the same command to start again.", code)
            else:
                _say(f"{name}: saving after this step. Ctrl-C again ends without saving.")
        os.close(self._woken)


def _say(message: str) -> None:
    print(f"gentle-clip: {message}", file=sys.stderr, flush=True)


def _leave(message: str, code: int = interrupt.CODE) -> None:
    _say(message)
    os._exit(code)
