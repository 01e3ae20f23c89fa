"""Values of options: each is checked before a command begins."""

import argparse
import os
import stat
from collections.abc import Callable
from typing import Any

_SHOWN = 40  # letters of a wrong value
_MOST_SHARDS = 100_000
LARGEST_SEED = 2**32 - 1  # jax.random.key takes 32 bits


class Version(argparse.Action):
    """Print the version, which is looked up only then, and end."""

    def __init__(self, **keywords: Any):
        super().__init__(nargs=0, help="show the version and end", **keywords)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        import gentle_clip_jax

        print(gentle_clip_jax.__version__)
        parser.exit()


def path(text: str) -> str:
    """Return a path; the empty one would be the current folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the path is empty, give one")
    return text


def file(text: str) -> str:
    """Return the path of an output file, which may replace a regular file alone."""
    try:
        metadata = os.stat(path(text))
    except (OSError, ValueError):  # it is not there, or the command will say what is wrong with it
        return text
    if not stat.S_ISREG(metadata.st_mode):
        raise argparse.ArgumentTypeError(
            f"{_shown(text)} is a folder, a device or a pipe, give a file"
        )
    return text


def name(text: str) -> str:
    """Return a word or more."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty, give a name or leave it out")
    return text


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return the parser of a whole number between two others, both included."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"it must be a whole number from {low} to {high}, not {_shown(text)}"
            )
        return value

    return parse


seed = whole(0, LARGEST_SEED)
number = whole(1, 1_000_000)
port = whole(0, 65_535)


def shard(text: str) -> tuple[int, int]:
    """Return I and N of I/N, number I of N shards, from 0."""
    number, slash, count = text.partition("/")
    digits = slash and number.isdecimal() and count.isdecimal()
    if not digits or not int(number) < int(count) <= _MOST_SHARDS:
        raise argparse.ArgumentTypeError(
            f"it must be I/N, with I from 0 to N-1, as 0/4 is, not {_shown(text)}"
        )
    return int(number), int(count)


def share(text: str) -> float:
    """Return a number above 0 and up to 1."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(
            f"it must be a number above 0 and up to 1, not {_shown(text)}"
        )
    return value


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
