"""The command line: from features to aligners and matches, from configs to runs.

Heavy imports wait inside the commands, so that --help does not.
"""

import argparse
import errno
import os
import sys
from collections.abc import Sequence

import gentle_clip_jax
from gentle_clip_jax.commands import aligners, data, features, matches, review, runs

# What to install for a package that only some commands need.
_EXTRAS = {
    **dict.fromkeys(("grain", "PIL", "qtawesome", "tokenizers"), "quickstart"),
    **dict.fromkeys(("huggingface_hub", "pyarrow", "safetensors"), "weights"),
    "biotite": "protein",
    **dict.fromkeys(("starlette", "uvicorn", "jinja2", "markupsafe"), "review"),
    "ott": "transport",
    **dict.fromkeys(("tensorflow_datasets", "array_record"), "data"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, 2 for what a user can mend, 130 for Ctrl-C."""
    parser = _parser()
    args, overrides = parser.parse_known_args(argv)
    if overrides and not getattr(args, "config", None):
        parser.error(f"unrecognized arguments: {' '.join(overrides)}")
    args.overrides = overrides
    try:
        return args.command(args) or 0
    except KeyboardInterrupt:
        return _fail("Stopped; the same command takes it up again.", code=130)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(error.name or "")
        if extra is None or args.traceback:
            raise
        return _fail(f"{error}: run pip install -e '.[{extra}]' in your clone.")
    except (ValueError, FloatingPointError, OSError) as error:
        if args.traceback:
            raise
        return _fail(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gentle-clip",
        description="Align two modalities from a few matched pairs.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=gentle_clip_jax.__version__)
    parser.add_argument("--traceback", action="store_true", help="show where an error comes from")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for group in (features, aligners, matches, review, runs, data):
        group.add(commands)
    return parser


def _fail(message: str, *, code: int = 2) -> int:
    print(f"gentle-clip: {message}", file=sys.stderr, flush=True)
    from gentle_clip_jax.parallel import processes

    # Writes that Orbax left undone would only add warnings at exit.
    is_full = any(os.strerror(number) in message for number in (errno.ENOSPC, errno.EFBIG))
    if processes.is_supervised() or is_full:
        processes.leave(code)
    return code
