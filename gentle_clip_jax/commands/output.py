"""What a command says: lines for people, one JSON object for programs, or nothing."""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gentle_clip_jax import progress


class Done(NamedTuple):
    """What a command has done.

    lines: for people. facts: the same for programs, ready for JSON; None where other processes have
    done it and said so. outputs: the files and folders that it has written. code: the exit code.
    """

    lines: Iterable[str] = ()
    facts: Mapping[str, Any] | None = {}
    outputs: tuple[str, ...] = ()
    code: int = 0


def add(command: argparse.ArgumentParser) -> None:
    """Adds --quiet and --json to a command, which returns `Done`."""
    ways = command.add_mutually_exclusive_group()
    ways.add_argument("--quiet", action="store_true", help="print errors and warnings only")
    ways.add_argument("--json", action="store_true", help="print one JSON object, for programs")


def run(args: argparse.Namespace) -> int:
    """Runs the command and says what it has done; returns the exit code.

    With --json the object alone is on stdout, and whatever else is said on the way on stderr.
    """
    if getattr(args, "quiet", False) or not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # it shows them in files too
    if getattr(args, "quiet", False):
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            return args.command(args).code
    with progress.shown():
        if getattr(args, "json", False):
            with contextlib.redirect_stdout(sys.stderr):
                done = args.command(args)
            if done.facts is not None:
                print(json.dumps({**done.facts, "outputs": [*done.outputs]}, indent=2))
            return done.code
        done = args.command(args)
    for line in done.lines:
        print(line)
    if done.outputs:
        print(f"Written: {', '.join(done.outputs)}.")
    return done.code
