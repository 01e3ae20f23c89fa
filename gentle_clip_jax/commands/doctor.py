"""The command on the installation: doctor.

Heavy imports wait inside the command, so that --help does not.
"""

import argparse
from typing import Any

from gentle_clip_jax.commands import failures, output


def add(commands: Any) -> None:
    """Adds the command to a parser's."""
    doctor = commands.add_parser(
        "doctor",
        allow_abbrev=False,
        help="report what is installed, what is missing and how to install it",
    )
    output.add(doctor)
    doctor.set_defaults(command=_doctor)


def _doctor(_: argparse.Namespace) -> output.Done:
    from gentle_clip_jax import doctor

    found = doctor.examine()
    return output.Done(doctor.lines(found), found, code=failures.MENDABLE * bool(found["broken"]))
