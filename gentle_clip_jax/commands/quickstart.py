"""The command quickstart: the others in a row, from two folders to matches and a page to show."""

import argparse
import sys
from typing import Any

from gentle_clip_jax.commands import options, output, values


def add(commands: Any) -> None:
    """Add the command to a parser's."""
    quickstart = options.add_command(commands, _quickstart)
    quickstart.option("--out", "DIR", "output folder (default: quickstart)", default="quickstart")
    quickstart.option("--num", "N", "number of emoji (default: all)", type=values.whole(60, 5000))
    screens = "number of answers of the simulated review (default: 450)"
    quickstart.option("--screens", "N", screens, type=values.whole(1, 5000), default=450)


def _quickstart(args: argparse.Namespace) -> output.Done:
    """Demonstrate all steps on emoji and their names, from two folders to a page to show.

    Example: gentle-clip quickstart --out=quickstart
    More: docs/tutorial.md
    """
    from gentle_clip_jax.reviewing.demonstration import demonstrate

    done = demonstrate(
        args.out,
        lambda words: args.main([*words, *["--quiet"] * args.quiet]),
        _tell,
        num=args.num,
        screens=args.screens,
    )
    if isinstance(done, int):
        return output.Done(facts=None, code=done)
    recall = [stage.recall for stage in done.stages]
    facts = {"proposed": len(done.matches), "right": done.right, "recall": recall}
    written = tuple(str(done.out / name) for name in ("aligner", "matches", "quickstart.html"))
    return output.Done(done.lines, facts, written)


def _tell(line: str) -> None:
    """Print a line; one that begins with a carriage return stays in its place on a terminal."""
    is_terminal, in_place = sys.stdout.isatty(), line.startswith("\r")
    text = line if is_terminal else line.removeprefix("\r")
    print(text, end="" if in_place and is_terminal else "\n", flush=True)
