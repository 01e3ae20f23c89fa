"""The command on the installation: doctor."""

import argparse
from typing import Any

from gentle_clip_jax.commands import failures, options, output


def add(commands: Any) -> None:
    """Add the command to a parser's."""
    options.add_command(commands, _doctor)


def _doctor(_: argparse.Namespace) -> output.Done:
    """Report what is installed, what is missing and how to install it.

    Example: gentle-clip doctor
    More: docs/reference.md
    """
    from gentle_clip_jax import doctor

    found = doctor.examine()
    return output.Done(doctor.lines(found), found, code=failures.USAGE * bool(found["broken"]))
