"""Errors of Orbax and TensorStore, shortened to one sentence."""

import errno
import os
from collections.abc import Callable
from typing import Any


def unless_late(hook: Callable[[Any], Any], unraisable: Any) -> None:
    """Pass an unraisable exception to `hook`, unless it only repeats an earlier failure.

    After one write has failed, Orbax does not wait for the others: each then fails because the
    event loop is closed, and TensorStore prints that.
    """
    if str(unraisable.exc_value) != "Event loop is closed":
        hook(unraisable)


def cause(error: Exception) -> str:
    """Return the error of the disk that the message has, else the first line of the message."""
    disk_errors = map(
        os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
    )
    return next((cause for cause in disk_errors if cause in str(error)), first_line(error))


def first_line(error: Exception) -> str:
    # TensorStore adds pages of details after "See".
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].split(". See ")[0]
