"""Ctrl-C at any moment of a command: one line, and exit code 130.

What takes time to import is imported after `listen`, and nothing here does.
"""

import os
import signal
import sys
from types import FrameType

CODE = 130  # what shells expect after Ctrl-C
_SENTENCE = "gentle-clip: Stopped. Run the same command again to continue."
_GRACE = 5.0  # seconds in which a command may close what it has open
_SHOW_CURSOR = "\x1b[?25h"  # a bar of progress hides it
_raised: list[bool] = []
_said: list[bool] = []
_handled: list[bool] = []


def listen() -> None:
    """Make Ctrl-C a KeyboardInterrupt, but the end of the process while something is imported.

    An exception in the middle of an import can be lost, or taken for a package that is not
    installed. Where one is lost, or a call into a library goes on for minutes, a thread that the
    system wakes ends the process after some seconds, and a second Ctrl-C at once: files are whole
    at any moment.
    """
    signal.signal(signal.SIGINT, _raise)
    import threading

    if os.name == "nt":  # pipes wake nobody there
        return
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(woken,), daemon=True).start()


def handled() -> None:
    """Go on after a KeyboardInterrupt that a command has handled, if there was one."""
    if _raised:
        _handled.append(True)
        _raised.clear()


def say() -> int:
    """Print that the command was stopped; return the exit code."""
    _said.append(True)
    try:  # noqa: SIM105 (contextlib may be being imported)
        print(_SENTENCE, file=sys.stderr, flush=True)
    except (OSError, ValueError, RuntimeError):
        pass
    return CODE


def _raise(_: int, frame: FrameType | None) -> None:
    if _raised or _is_importing(frame):
        _leave()
    _raised.append(True)
    raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _watch(woken: int) -> None:
    import time

    while True:
        if os.read(woken, 1)[0] == signal.SIGINT:
            time.sleep(_GRACE)
            if not _handled:
                _leave()
            _handled.clear()


def _leave() -> None:
    if not _said:
        say()
    try:
        if sys.stdout.isatty():
            sys.stdout.write(_SHOW_CURSOR)
        sys.stdout.flush()
    except Exception:  # another thread may be writing, or there is nothing to write to
        pass
    os._exit(CODE)
