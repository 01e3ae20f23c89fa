"""--print-completion: what a shell needs to complete commands, options and paths."""

import argparse
from collections.abc import Iterator
from typing import Any

from gentle_clip_jax.commands import values

SHELLS = ("bash", "zsh", "tcsh")


class PrintCompletion(argparse.Action):
    """Prints the script of a shell and ends."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, shell: Any, *_: Any):
        """Ends the command with exit code 0, or 2 where shtab is not installed."""
        try:
            import shtab
        except ModuleNotFoundError:
            parser.error(
                f"{self.option_strings[0]} needs shtab: "
                'run pip install "gentle-clip-jax[completion]"'
            )
        for action in _actions(parser):
            if action.type in (values.path, values.file):
                action.complete = shtab.FILE  # pyright: ignore[reportAttributeAccessIssue]
        print(shtab.complete(parser, shell))
        parser.exit()


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the option to the parser of all commands."""
    parser.add_argument(
        "--print-completion",
        action=PrintCompletion,
        choices=SHELLS,
        help='completion by a shell: eval "$(gentle-clip --print-completion bash)"',
    )


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
