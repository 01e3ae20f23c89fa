"""--print-completion: what a shell needs to complete commands, options and paths."""

import argparse
from typing import Any

from gentle_clip_jax.commands import options, values

SHELLS = ("bash", "zsh", "tcsh")


class PrintCompletion(argparse.Action):
    """Print the script of a shell and end."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, shell: Any, *_: Any):
        """End the command with exit code 0."""
        import shtab

        for action in options.all_actions(parser):
            if action.type in (values.path, values.file):
                action.complete = shtab.FILE  # pyright: ignore[reportAttributeAccessIssue]
        print(shtab.complete(parser, shell))
        parser.exit()


def add(parser: argparse.ArgumentParser) -> None:
    """Add the option to the parser of all commands."""
    parser.add_argument(
        "--print-completion",
        action=PrintCompletion,
        choices=SHELLS,
        help='print the completion of a shell (default: none), used as in eval "$(gentle-clip '
        '--print-completion bash)"',
    )
